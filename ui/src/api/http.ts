/** The platform's HTTP API (docs/protocol.md, section 5). Every failure is a {@link Problem} with a sentence for the person. */

import { caller, Problem } from "./request";

export { Problem };

/** Whether a mailed link does not work, at all or in this browser. Any other refusal, as of too many tries, says nothing of the link. */
export function isDeadLink(error: unknown): error is Problem {
  return error instanceof Problem && (error.code === "link_invalid" || error.code === "other_browser");
}

export type Role = "owner" | "admin" | "member" | "observer";

export interface Me {
  user: { id: string; name: string; email: string; role: Role };
  tenant: { id: string; name: string };
  cell: { id: string };
}

/** Signing in is not finished: a second factor is to be shown, or to be set up. */
export interface Pending {
  pending: "factor" | "enrol";
  /** What can be shown, besides a backup code. */
  factors: ("authenticator" | "passkey")[];
}

export interface Session {
  id: string;
  device: string;
  address: string;
  method: string;
  created_at: number;
  last_seen_at: number;
  current: boolean;
}

/** What a passkey is asked to sign. */
export interface PasskeyChallenge {
  challenge: string;
  rp_id: string;
  timeout_ms: number;
}

export interface NewPasskey extends PasskeyChallenge {
  site: string;
  user: { id: string; name: string; display_name: string };
  exclude: string[];
}

export interface ShownPasskey {
  id: string;
  authenticator_data: string;
  client_data: string;
  signature: string;
  user_handle: string;
}

export interface MadePasskey {
  id: string;
  client_data: string;
  attestation: string;
}

export interface Factors {
  authenticator: boolean;
  passkeys: { id: string; name: string; created_at: number; last_used_at?: number }[];
  backup_codes: number;
  /** The organisation asks everybody for a second factor. */
  required: boolean;
  /** Until then dangerous acts are allowed. */
  proved_until: number;
}

export interface Policy {
  second_factor: "optional" | "required";
  /** Whether people are told that something waits for their locked vault. */
  requests_while_locked: "told" | "wait";
  /** For how many hours at most people may let their agents work while nobody is there. */
  time_alone_hours: number;
  second_person: boolean;
}

/** Something that was done (docs/protocol.md, section 6). */
export interface AuditEvent {
  seq: number;
  at: number;
  action: string;
  outcome: "done" | "refused";
  actor: { id: string | null; kind: string; name: string };
  target: { id: string; kind: string; name: string } | null;
  address: string;
  device: string;
  details: Record<string, string>;
}

/** A new authenticator, before its first code. */
export interface NewAuthenticator {
  secret: string;
  /** What the app scans. */
  uri: string;
}

export interface Instance {
  name: string;
  version: string;
  needs_setup: boolean;
  mail: "smtp" | "outbox";
  /** The site that passkeys belong to, where there can be any. */
  passkey_site?: string;
  /** A scripted model for trying without a key, where the installation was started with one. */
  demo_model?: { kind: "openai" | "anthropic"; base_url: string; model: string };
}

export interface Person {
  id: string;
  name: string;
  email: string;
  role: Role;
  suspended?: boolean;
}

export type GroupRole = "admin" | "member";

/** Some people of the organisation who have something in common. */
export interface Group {
  id: string;
  name: string;
  archived: boolean;
  /** One's own role in it, where one is in it. */
  role?: GroupRole;
  /** Whether one may change it. */
  manages: boolean;
  members: number;
}

export interface WholeGroup {
  group: Group;
  members: { id: string; name: string; email: string; role: GroupRole }[];
  /** Open ones, for those who manage the group. */
  invitations?: { id: string; email: string; role: GroupRole; expires_at: number }[];
}

/** A group that one is invited to. */
export interface GroupInvitation {
  id: string;
  group: { id: string; name: string };
  invited_by: string;
  role: GroupRole;
  expires_at: number;
}

export type AlertTrigger = "failures" | "new_device" | "factor_off" | "exported" | "people_changed" | "key_made" | "recovery_asked" | "chain_broken";

/** Minutes of the day, as the clocks of a zone (by its IANA name) show them, between which nothing is sent. */
export interface QuietTime {
  from: number;
  to: number;
  zone: string;
}

/** Who is told of what: an address by mail, or a destination. */
export interface AlertRule {
  id: string;
  trigger: AlertTrigger;
  email?: string;
  destination?: { id: string; kind: DestinationKind; name: string };
  quiet?: QuietTime;
  last_sent_at?: number;
  /** Why the last one was not taken. */
  last_problem?: string;
}

export interface WantedAlert {
  trigger: AlertTrigger;
  email?: string;
  destination?: string;
  quiet?: QuietTime;
}

/** Devices that are told by Web Push that something waits for their person. */
export interface PushDevices {
  /** Left out where whoever runs the server has turned it off. */
  public_key?: string;
  devices: { id: string; name: string; created_at: number; last_told_at?: number }[];
}

export type DestinationKind = "webhook" | "slack" | "discord" | "pagerduty" | "syslog";

/** Where alerts and the audit log may go besides mailboxes. */
export interface Destination {
  id: string;
  kind: DestinationKind;
  name: string;
  /** Of its address; the rest is not told. */
  host: string;
  /** It gets the audit log as it happens. */
  stream: boolean;
  /** The log was not taken for so long that it is no longer sent. */
  stream_stands?: boolean;
  waiting: number;
  given_up: number;
  last_sent_at?: number;
  last_failed_at?: number;
  last_problem?: string;
}

/** What an API key is for. */
export type Scope = "profile" | "people:read" | "people:manage" | "audit:read" | "groups:read" | "groups:manage" | "cell:read" | "cell:wake";

export interface ApiKey {
  id: string;
  name: string;
  /** Its first characters. */
  hint: string;
  scopes: Scope[];
  created_at: number;
  expires_at: number;
  status: "active" | "replaced" | "expired";
  last_used_at?: number;
  last_used_from?: string;
}

/** A new key, in clear this once. */
export interface MadeKey extends ApiKey {
  key: string;
}

export interface WantedKey {
  name: string;
  scopes: Scope[];
  days: number;
}

export interface ServiceAccount {
  id: string;
  name: string;
  role: Role;
  created_at: number;
  keys: ApiKey[];
}

/** What somebody loses who is suspended or removed, or has lost. */
export interface Losses {
  sessions: number;
  sign_in_links: number;
  invitations: number;
  /** Of who is removed; who is suspended keeps them. */
  second_factors: number;
  /** At other services, that they sign in with; of who is removed, too. */
  linked_accounts: number;
  /** That are told what waits for them. */
  push_devices: number;
  api_keys: number;
  groups: number;
  /** That are mailed to them. */
  alerts: number;
  /** Keys of service accounts that they made, and destinations that they added: these stay. */
  service_keys_left: number;
  destinations_left: number;
  /** How their agent is: as a cell is, or `stopping`, `removed`, `removing`. */
  cell: string;
  /** Of these the first: devices, the last used first, keys, the newest first, and groups by name. */
  named: { sessions: string[]; api_keys: { name: string; hint: string }[]; groups: string[] };
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
  /** Something from another vault waits until this one is unlocked. */
  something_waits?: boolean;
}

export type ProviderKind = "google" | "microsoft" | "github" | "oidc";

/** Another site that the organisation's people sign in with. */
export interface ProviderButton {
  id: string;
  kind: ProviderKind;
  name: string;
}

/** The same, for those who manage the organisation. */
export interface Provider extends ProviderButton {
  issuer: string;
  client_id: string;
  has_secret: boolean;
  on: boolean;
  /** What the provider wants to know as the address to send people back to. */
  way_back: string;
}

/** One's own account at another site. */
export interface LinkedAccount {
  id: string;
  /** What the organisation calls the site, while people sign in with it. */
  provider?: string;
  issuer: string;
  label: string;
  linked_at: number;
  last_used_at?: number;
}

/** A domain whose addresses may join. */
export interface JoinDomain {
  id: string;
  domain: string;
  /** Whether somebody who manages the organisation has to agree. */
  approval: boolean;
}

/** Somebody who waits to be let in. */
export interface WaitingPerson {
  id: string;
  name: string;
  email: string;
  issuer?: string;
  asked_at: number;
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
  /** Requests in this person's name that they have stopped lately. */
  stopped: string[];
  asked: { id: string; user: { id: string; name: string }; request: string; at: number; released: boolean }[];
}

const { call, end } = caller({ base: "/api/v1", csrfCookie: "holdfast_csrf", read: "/instance" });

/**
 * What is begun here ends in this browser alone, by a cookie that the first such request brings. They go one after another: of two that are on
 * the way at once each would bring its own cookie, and what was begun with the one that is lost would count as another browser's.
 */
function begin<T>(work: () => Promise<T>): Promise<T> {
  return navigator.locks.request("holdfast.begin", work);
}

export const api = {
  instance: () => call<Instance>("GET", "/instance"),
  setup: (body: { token: string; organisation: string; name: string; email: string }) => call<Me | Pending>("POST", "/setup", body),
  signIn: (email: string) => begin(() => call<void>("POST", "/sign-in", { email })),
  completeSignIn: (token: string) => call<Me | Pending>("POST", "/sign-in/complete", { token }),
  signInProviders: (organisation: string) => call<{ providers: ProviderButton[] }>("GET", `/sign-in/providers${organisation === "" ? "" : `?organisation=${encodeURIComponent(organisation)}`}`),
  beginWithProvider: (provider: string, again = false) => begin(() => call<{ url: string }>("POST", "/sign-in/provider", { provider, again })),
  accounts: () => call<{ accounts: LinkedAccount[]; providers: ProviderButton[] }>("GET", "/accounts"),
  linkAccount: (provider: string) => begin(() => call<{ url: string }>("POST", "/accounts", { provider })),
  unlinkAccount: (id: string) => call<void>("DELETE", `/accounts/${encodeURIComponent(id)}`),
  providers: () => call<{ providers: Provider[]; sign_in_page: string }>("GET", "/providers"),
  addProvider: (body: { kind: ProviderKind; name: string; issuer: string }) => call<Provider>("POST", "/providers", body, true),
  changeProvider: (id: string, body: { name: string; client_id: string; client_secret?: string; on: boolean }) => call<Provider>("PUT", `/providers/${encodeURIComponent(id)}`, body),
  testProvider: (id: string) => call<{ result: "works" | "client_refused" | "reached" | "failed"; problem?: string }>("POST", `/providers/${encodeURIComponent(id)}/test`),
  removeProvider: (id: string) => call<void>("DELETE", `/providers/${encodeURIComponent(id)}`),
  joinDomains: () => call<{ domains: JoinDomain[] }>("GET", "/join-domains"),
  putJoinDomain: (body: { domain: string; approval: boolean }) => call<JoinDomain>("PUT", "/join-domains", body),
  removeJoinDomain: (id: string) => call<void>("DELETE", `/join-domains/${encodeURIComponent(id)}`),
  waitingPeople: () => call<{ waiting: WaitingPerson[] }>("GET", "/join-requests"),
  answerWaiting: (id: string, answer: "approve" | "refuse") => call<void>("POST", `/join-requests/${encodeURIComponent(id)}/${answer}`),
  previewJoining: (token: string) => call<{ organisation: string; email: string; approval: boolean }>("POST", "/joining/preview", { token }),
  acceptJoining: (body: { token: string; name: string }) => call<Me | Pending | { waiting: true }>("POST", "/joining/accept", body),
  pending: () => call<Pending>("GET", "/sign-in/pending"),
  showFactor: (code: string) => call<Me>("POST", "/sign-in/factor", { code }),
  passkeyChallenge: () => begin(() => call<PasskeyChallenge>("POST", "/passkeys/challenge")),
  signInWithPasskey: (shown: ShownPasskey) => call<Me>("POST", "/sign-in/passkey", shown),
  stepUpWithPasskey: (shown: ShownPasskey) => call<void>("POST", "/step-up/passkey", shown),
  beginPasskey: () => call<NewPasskey>("POST", "/factors/passkeys/begin"),
  addPasskey: (made: MadePasskey & { name: string }) => call<{ id: string; backup_codes: string[] }>("POST", "/factors/passkeys", made),
  renamePasskey: (id: string, name: string) => call<void>("PUT", `/factors/passkeys/${encodeURIComponent(id)}`, { name }),
  removePasskey: (id: string) => call<void>("DELETE", `/factors/passkeys/${encodeURIComponent(id)}`),
  /** Ends the session, also where it is over already. */
  signOut: () =>
    end("/sign-out").catch((error: unknown) => {
      if (!(error instanceof Problem && error.status === 401)) throw error;
    }),
  stepUp: (code: string) => call<void>("POST", "/step-up", { code }),
  sessions: () => call<{ sessions: Session[]; idle_ms: number; life_ms: number }>("GET", "/sessions"),
  endSession: (id: string) => call<void>("DELETE", `/sessions/${encodeURIComponent(id)}`),
  endOtherSessions: () => call<{ ended: number }>("DELETE", "/sessions"),
  factors: () => call<Factors>("GET", "/factors"),
  beginAuthenticator: () => call<NewAuthenticator>("POST", "/factors/authenticator"),
  confirmAuthenticator: (code: string) => call<{ backup_codes: string[] }>("POST", "/factors/authenticator/confirm", { code }),
  removeAuthenticator: () => call<void>("DELETE", "/factors/authenticator"),
  newBackupCodes: () => call<{ backup_codes: string[] }>("POST", "/factors/backup-codes"),
  audit: (search: Record<string, string>) => call<{ events: AuditEvent[]; more: boolean }>("GET", `/audit?${new URLSearchParams(Object.entries(search).filter(([, value]) => value !== "")).toString()}`),
  policy: () => call<Policy>("GET", "/policy"),
  setPolicy: (policy: Partial<Policy>) => call<Policy>("PUT", "/policy", policy),
  me: () => call<Me>("GET", "/me"),
  rename: (name: string) => call<Me>("PUT", "/me", { name }),
  people: () => call<{ people: Person[]; more: boolean }>("GET", "/people"),
  identities: () => call<{ identities: { user: string; bundle: string }[] }>("GET", "/identities"),
  publishIdentity: (bundle: string) => call<void>("PUT", "/identity", { bundle }),
  letters: () => call<{ letters: { id: string; from: string; from_name: string; body: string }[] }>("GET", "/letters"),
  sendLetter: (letter: { id: string; to: string; body: string }) => call<void>("POST", "/letters", letter),
  lettersReceived: (ids: string[]) => call<void>("POST", "/letters/received", { ids }),
  recovery: () => call<RecoveryHints>("GET", "/recovery"),
  recoveryContacts: (body: { slot: string; made: number; contacts: string[]; threshold: number; wait_ms: number; signature: string }) => call<void>("PUT", "/recovery/contacts", body),
  askRecovery: (request: string) => call<{ id: string }>("POST", "/recovery/request", { request }),
  releaseShare: (request: string, sealed: string) => call<void>("POST", "/recovery/release", { request, sealed }),
  /** `done`: the vault was opened with it; otherwise it was not this person who asked. */
  stopRecovery: (done: boolean) => call<void>("POST", "/recovery/stop", { done }),
  cascade: (id: string) => call<Losses>("GET", `/people/${encodeURIComponent(id)}/cascade`),
  suspend: (id: string) => call<Losses>("POST", `/people/${encodeURIComponent(id)}/suspend`),
  resetFactors: (id: string) => call<void>("POST", `/people/${encodeURIComponent(id)}/reset-factors`),
  restore: (id: string) => call<void>("POST", `/people/${encodeURIComponent(id)}/restore`),
  removePerson: (id: string) => call<Losses>("DELETE", `/people/${encodeURIComponent(id)}`),
  push: () => call<PushDevices>("GET", "/push"),
  addPushDevice: (endpoint: string) => call<{ id: string }>("POST", "/push/devices", { endpoint }),
  renewPushDevice: (id: string, endpoint: string) => call<void>("PUT", `/push/devices/${encodeURIComponent(id)}`, { endpoint }),
  removePushDevice: (id: string) => call<void>("DELETE", `/push/devices/${encodeURIComponent(id)}`),
  alerts: () => call<{ alerts: AlertRule[] }>("GET", "/alerts"),
  destinations: () => call<{ destinations: Destination[] }>("GET", "/destinations"),
  addDestination: (body: { kind: DestinationKind; name: string; url: string; key?: string }) => call<{ id: string; name: string; secret?: string }>("POST", "/destinations", body),
  testDestination: (id: string) => call<{ delivered: boolean; problem?: string }>("POST", `/destinations/${encodeURIComponent(id)}/test`),
  streamTo: (id: string, on: boolean) => call<void>("PUT", `/destinations/${encodeURIComponent(id)}/stream`, { on }),
  removeDestination: (id: string) => call<void>("DELETE", `/destinations/${encodeURIComponent(id)}`),
  makeAlert: (body: WantedAlert) => call<AlertRule>("POST", "/alerts", body),
  testAlert: (id: string) => call<void>("POST", `/alerts/${encodeURIComponent(id)}/test`),
  removeAlert: (id: string) => call<void>("DELETE", `/alerts/${encodeURIComponent(id)}`),
  groups: () => call<{ groups: Group[]; more: boolean }>("GET", "/groups"),
  makeGroup: (name: string) => call<{ id: string }>("POST", "/groups", { name }),
  group: (id: string) => call<WholeGroup>("GET", `/groups/${encodeURIComponent(id)}`),
  changeGroup: (id: string, body: { name: string; archived: boolean }) => call<void>("PUT", `/groups/${encodeURIComponent(id)}`, body),
  changeGroupRole: (id: string, user: string, role: GroupRole) => call<void>("PUT", `/groups/${encodeURIComponent(id)}/members`, { user, role }),
  removeMember: (id: string, user: string) => call<void>("POST", `/groups/${encodeURIComponent(id)}/members/remove`, { user }),
  inviteToGroup: (id: string, body: { email: string; role: GroupRole }) => call<void>("POST", `/groups/${encodeURIComponent(id)}/invitations`, body),
  withdrawFromGroup: (id: string, invitation: string) => call<void>("POST", `/groups/${encodeURIComponent(id)}/invitations/withdraw`, { invitation }),
  groupInvitations: () => call<{ invitations: GroupInvitation[] }>("GET", "/group-invitations"),
  answerGroup: (id: string, answer: "accept" | "decline") => call<void>("POST", `/group-invitations/${encodeURIComponent(id)}/${answer}`),
  changeRole: (id: string, role: Role) => call<void>("PUT", `/people/${encodeURIComponent(id)}/role`, { role }),
  keys: () => call<{ keys: ApiKey[] }>("GET", "/keys"),
  makeKey: (body: WantedKey) => call<MadeKey>("POST", "/keys", body),
  rotateKey: (id: string, overlap_hours: number) => call<MadeKey>("POST", `/keys/${encodeURIComponent(id)}/rotate`, { overlap_hours }),
  revokeKey: (id: string) => call<void>("DELETE", `/keys/${encodeURIComponent(id)}`),
  serviceAccounts: () => call<{ service_accounts: ServiceAccount[] }>("GET", "/service-accounts"),
  makeServiceAccount: (body: { name: string; role: Role }) => call<ServiceAccount>("POST", "/service-accounts", body),
  removeServiceAccount: (id: string) => call<void>("DELETE", `/service-accounts/${encodeURIComponent(id)}`),
  makeServiceKey: (id: string, body: WantedKey) => call<MadeKey>("POST", `/service-accounts/${encodeURIComponent(id)}/keys`, body),
  invitations: () => call<{ invitations: Invitation[] }>("GET", "/invitations"),
  invite: (body: { email: string; role: Role }) => call<Invitation>("POST", "/invitations", body),
  resend: (id: string) => call<Invitation>("POST", `/invitations/${encodeURIComponent(id)}/resend`),
  withdraw: (id: string) => call<void>("DELETE", `/invitations/${encodeURIComponent(id)}`),
  previewInvitation: (token: string) => call<{ organisation: string; invited_by: string; email: string }>("POST", "/invitations/preview", { token }),
  acceptInvitation: (body: { token: string; name: string }) => call<Me | Pending>("POST", "/invitations/accept", body),
  cell: () => call<Cell>("GET", "/cell"),
  wake: () => call<void>("POST", "/cell/wake"),
  gatewayToken: () => call<{ token: string; expires_at: number }>("POST", "/cell/token"),
};
