/** The platform's HTTP API (docs/protocol.md, section 5). Every failure is a {@link Problem} with a sentence for the person. */

export class Problem extends Error {
  override name = "Problem";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export type Role = "owner" | "admin" | "member" | "observer";

export interface Me {
  user: { id: string; name: string; email: string; role: Role };
  tenant: { id: string; name: string };
  cell: { id: string };
}

export interface Instance {
  name: string;
  version: string;
  needs_setup: boolean;
  mail: "smtp" | "outbox";
  /** A scripted model for trying without a key, where the installation was started with one. */
  demo_model?: { kind: "openai" | "anthropic"; base_url: string; model: string };
}

export interface Person {
  id: string;
  name: string;
  email: string;
  role: Role;
}

export interface Invitation {
  id: string;
  email: string;
  role: Role;
  expires_at: number;
  status: string;
  delivery?: "sent" | "failed";
}

export interface Cell {
  id: string;
  state: "asleep" | "starting" | "awake" | "paused" | "failed";
  claim?: string;
}

/** A request to open this person's vault, as the platform shows it. */
export interface OwnRequest {
  id: string;
  request: string;
  at: number;
  releases: { from: string; sealed: string }[];
}

/** What the platform knows of recovery by contacts: hints, none of which decides anything. */
export interface RecoveryHints {
  contacts: { id: string; name: string }[];
  threshold: number;
  wait_ms: number;
  request: OwnRequest | null;
  asked: { id: string; user: { id: string; name: string }; request: string; at: number; released: boolean }[];
}

async function call<T>(method: string, path: string, body?: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers: body ? { "Content-Type": "application/json", Accept: "application/json" } : { Accept: "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  } catch {
    throw new Problem(0, "unreachable", navigator.onLine ? "The server does not answer. Try again in a moment." : "You are offline.");
  }
  const text = await response.text();
  let json: unknown;
  try {
    json = text === "" ? undefined : JSON.parse(text);
  } catch {
    json = undefined;
  }
  if (response.ok) return json as T;
  const problem = (json ?? {}) as { code?: string; detail?: string; title?: string };
  throw new Problem(response.status, problem.code ?? `http_${response.status}`, problem.detail ?? problem.title ?? `The server answered with an error (${response.status}).`);
}

export const api = {
  instance: () => call<Instance>("GET", "/instance"),
  setup: (body: { token: string; organisation: string; name: string; email: string }) => call<Me>("POST", "/setup", body),
  signIn: (email: string) => call<void>("POST", "/sign-in", { email }),
  completeSignIn: (token: string) => call<Me>("POST", "/sign-in/complete", { token }),
  signOut: () => call<void>("POST", "/sign-out"),
  me: () => call<Me>("GET", "/me"),
  people: () => call<{ people: Person[] }>("GET", "/people"),
  identities: () => call<{ identities: { user: string; bundle: string }[] }>("GET", "/identities"),
  publishIdentity: (bundle: string) => call<void>("PUT", "/identity", { bundle }),
  letters: () => call<{ letters: { id: string; from: string; from_name: string; body: string }[] }>("GET", "/letters"),
  sendLetter: (letter: { id: string; to: string; body: string }) => call<void>("POST", "/letters", letter),
  lettersReceived: (ids: string[]) => call<void>("POST", "/letters/received", { ids }),
  recovery: () => call<RecoveryHints>("GET", "/recovery"),
  recoveryContacts: (body: { contacts: string[]; threshold: number; wait_ms: number }) => call<void>("PUT", "/recovery/contacts", body),
  askRecovery: (request: string) => call<{ id: string }>("POST", "/recovery/request", { request }),
  releaseShare: (request: string, sealed: string) => call<void>("POST", "/recovery/release", { request, sealed }),
  stopRecovery: () => call<void>("POST", "/recovery/stop"),
  invitations: () => call<{ invitations: Invitation[] }>("GET", "/invitations"),
  invite: (body: { email: string; role: Role }) => call<Invitation>("POST", "/invitations", body),
  resend: (id: string) => call<Invitation>("POST", `/invitations/${encodeURIComponent(id)}/resend`),
  withdraw: (id: string) => call<void>("DELETE", `/invitations/${encodeURIComponent(id)}`),
  previewInvitation: (token: string) => call<{ organisation: string; invited_by: string; email: string }>("POST", "/invitations/preview", { token }),
  acceptInvitation: (body: { token: string; name: string }) => call<Me>("POST", "/invitations/accept", body),
  cell: () => call<Cell>("GET", "/cell"),
  wake: () => call<void>("POST", "/cell/wake"),
  gatewayToken: () => call<{ token: string; expires_at: number }>("POST", "/cell/token"),
};
