/** The operator's part of the HTTP API (docs/protocol.md, section 5). Every failure is a {@link Problem} with a sentence. */
import { signal } from "@preact/signals-core";
import type { Losses, Role } from "../api/http";
import { caller, Problem } from "../api/request";

export interface OperatorSession {
  name: string;
  version: string;
  signed_in_at: number;
  expires_at: number;
  fresh_until: number;
  idle_ms: number;
}

export type CellState = "asleep" | "starting" | "awake" | "paused" | "failed";
export type CheckState = "good" | "weak" | "bad";
export type CellAct = "wake" | "pause" | "sleep" | "restart";

export interface Named {
  id: string;
  name: string;
}

export interface Tenant extends Named {
  created_at: number;
  suspended_at?: number;
  second_factor_required: boolean;
  people: number;
  suspended_people: number;
  signed_in_people: number;
  service_accounts: number;
  groups: number;
  alert_rules: number;
}

export interface Person extends Named {
  tenant: Named;
  email: string;
  service: boolean;
  role: Role;
  created_at: number;
  suspended: boolean;
  second_factor: boolean;
  sessions: number;
  last_seen_at?: number;
  cell?: string;
}

/** Somebody who waits to be let in. */
export interface Waiting extends Named {
  tenant: Named;
  email: string;
  issuer?: string;
  asked_at: number;
}

export interface CellLimits {
  capacity: number;
  agent_memory_bytes: number;
  agent_processors: number;
  keeper_memory_bytes: number;
  home_bytes: number;
  sealed_bytes: number;
  pause_after_ms: number;
  sleep_after_ms: number;
}

/** Who is to own an organisation in which nobody is yet. */
export interface OwnerInvited {
  email: string;
  expires_at: number;
  expired: boolean;
  delivery?: "sent" | "failed";
}

export interface WholeTenant {
  tenant: Tenant;
  people: Person[];
  owner_invited?: OwnerInvited;
  limits: { service_accounts: number; groups: number; group_members: number; alert_rules: number; invitations: number; invitations_minutes: number };
  cell_limits: CellLimits;
}

/** What goes with an organisation. */
export interface TenantLosses {
  people: number;
  service_accounts: number;
  cells: number;
  groups: number;
  api_keys: number;
  second_factors: number;
  sign_in_providers: number;
  destinations: number;
  audit_events: number;
}

export interface Host {
  memory_bytes: number;
  memory_used_bytes: number;
  processors: number;
  cpu_percent: number | null;
  disk_bytes: number;
  disk_free_bytes: number;
}

export interface CellFacts {
  state: CellState;
  since: number;
  used_at: number;
  vault: string | null;
  agent: string | null;
  busy: boolean;
  channels: number;
  memory_bytes: number | null;
  cpu_percent: number | null;
  processes: number | null;
  version: string | null;
  newest: boolean | null;
  problem: string | null;
}

export interface Cell {
  id: string;
  tenant: Named;
  owner: { id: string; name: string; email: string; suspended: boolean };
  state: CellState;
  created_at: number;
  facts?: CellFacts;
}

/** What was seen of the machine, and why not since. */
export interface Seen {
  seen_at: number;
  problem?: string;
}

export interface Cells extends Seen {
  host: Host;
  limits: CellLimits;
  cells: Cell[];
}

export interface WholeCell extends Seen {
  cell: Cell;
  events: { at: number; state: CellState; problem: string | null }[];
  limits: CellLimits;
  log: string[];
  log_problem?: string;
}

export interface Overview extends Seen {
  tenants: { all: number; suspended: number; active: number };
  people: { all: number; suspended: number; active: number };
  cells: { all: number; awake: number; paused: number; starting: number; failed: number; asleep: number; capacity: number; memory_bytes: number; cpu_percent: number };
  host: Host;
  alerts: { state: CheckState; words: string; fix: string; page: string }[];
}

export interface Health {
  checked_at: number;
  checks: { name: string; state: CheckState; found: string; fix: string | null }[];
}

export interface OperatorEvent {
  seq: number;
  at: number;
  action: string;
  outcome: "done" | "refused";
  actor: { name: string; kind: string };
  target?: { kind: string; id: string; name: string };
  tenant?: string;
  address: string;
  device: string;
  details: Record<string, string>;
}

/** Who is signed in: not known yet, nobody, or the operator. */
export const session = signal<OperatorSession | "none" | undefined>(undefined);

const { call: ask, end } = caller({ base: "/api/v1/operator", csrfCookie: "holdfast_operator_csrf", read: "/session" });

const call = <T>(method: string, path: string, body?: object): Promise<T> => signedIn(ask<T>(method, path, body));

/** An answer in a session, or the news that there is none any more. */
async function signedIn<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) session.value = "none";
    throw error;
  }
}

const id = encodeURIComponent;

export const operator = {
  session: () => call<OperatorSession>("GET", "/session"),
  signIn: (token: string) => call<OperatorSession>("POST", "/sign-in", { token }),
  stepUp: (token: string) => call<void>("POST", "/step-up", { token }),
  signOut: () => signedIn(end("/sign-out")),
  overview: () => call<Overview>("GET", "/overview"),
  tenants: () => call<{ tenants: Tenant[] }>("GET", "/tenants"),
  tenant: (tenant: string) => call<WholeTenant>("GET", `/tenants/${id(tenant)}`),
  makeTenant: (name: string, email: string) => call<Named & { owner: OwnerInvited }>("POST", "/tenants", { name, email }),
  inviteOwner: (tenant: string, email: string) => call<OwnerInvited>("POST", `/tenants/${id(tenant)}/owner`, { email }),
  suspendTenant: (tenant: string) => call<{ cells: number; stopping: number }>("POST", `/tenants/${id(tenant)}/suspend`),
  restoreTenant: (tenant: string) => call<void>("POST", `/tenants/${id(tenant)}/restore`),
  tenantLosses: (tenant: string) => call<TenantLosses>("GET", `/tenants/${id(tenant)}/losses`),
  removeTenant: (tenant: string) => call<TenantLosses>("DELETE", `/tenants/${id(tenant)}`),
  people: () => call<{ people: Person[]; more: boolean }>("GET", "/people"),
  signPersonOut: (person: string) => call<{ ended: number }>("POST", `/people/${id(person)}/sign-out`),
  personLosses: (person: string) => call<Losses>("GET", `/people/${id(person)}/cascade`),
  suspendPerson: (person: string) => call<Losses>("POST", `/people/${id(person)}/suspend`),
  restorePerson: (person: string) => call<void>("POST", `/people/${id(person)}/restore`),
  waiting: () => call<{ waiting: Waiting[]; more: boolean }>("GET", "/join-requests"),
  answerWaiting: (request: string, answer: "approve" | "refuse") => call<void>("POST", `/join-requests/${id(request)}/${answer}`),
  cells: () => call<Cells>("GET", "/cells"),
  cell: (cell: string) => call<WholeCell>("GET", `/cells/${id(cell)}`),
  act: (cell: string, act: CellAct) => call<{ outcome: "done" | "under_way" }>("POST", `/cells/${id(cell)}/act`, { act }),
  health: () => call<Health>("GET", "/health"),
  audit: (search: Record<string, string>) => call<{ events: OperatorEvent[]; more: boolean }>("GET", `/audit?${new URLSearchParams(Object.entries(search).filter(([, value]) => value !== "")).toString()}`),
};
