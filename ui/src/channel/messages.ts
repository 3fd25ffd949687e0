/** What travels on the channel (docs/protocol.md, sections 1 and 2), as types. */

export type VaultState = "new" | "locked" | "unlocked";
export type SlotKind = "password" | "recovery_phrase" | "passkey" | "backup_key" | "social";

/** What an authenticator is asked for a passkey slot's secret with. */
export interface PasskeyRequest {
  credential_id: string;
  prf_salt: string;
  rp_id: string;
}

export interface SlotInfo {
  id: string;
  kind: SlotKind;
  name: string;
  created?: number;
  passkey?: PasskeyRequest;
  /** Told only inside the channel. */
  last_used?: number;
}

export interface Hello {
  type: "hello";
  version: number;
  cell: string;
  vault: VaultState;
  slots: SlotInfo[];
}

export type KeeperHandshake =
  | Hello
  | { type: "register_response"; slot: string; response: string }
  | { type: "registered"; slot: string }
  | { type: "login_response"; response: string; retry_after_ms?: number }
  | { type: "resumed"; nonce: string }
  | { type: "error"; code: string; message: string; retry_after_ms?: number }
  | { type: "platform"; phase: "starting_keeper" | "connected"; at: number }
  | { type: "platform_error"; code: string; message: string };

export interface WireError {
  code: string;
  message: string;
  retry_after_ms?: number;
}

export type KeeperMessage =
  | { id: number; result: unknown }
  | { id: number; error: WireError }
  | { event: string; data: unknown };

/** An error that the other end, or the way to it, gave: a stable code, a sentence, and when to try again. */
export class ChannelError extends Error {
  override name = "ChannelError";
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  static from(wire: WireError): ChannelError {
    return new ChannelError(wire.code, wire.message, wire.retry_after_ms);
  }
}

export interface ReadyEvent {
  ticket: string;
  secret: string;
  vault: VaultState;
}

export interface VaultStatus {
  vault: VaultState;
  /** By the keeper's clock, as all times that it tells. Absent from an older keeper. */
  now?: number;
  slots: SlotInfo[];
  locks_at?: number | null;
  phrase_confirmed: boolean;
  epoch: number;
  /** Until when this channel may do what needs a fresh proof. */
  proof_until?: number | null;
  /** Until when the vault stays open without use. */
  granted_until?: number | null;
  rotation?: { at: number | null; unfinished: boolean } | null;
}

export interface VaultPolicy {
  lock_after_minutes: number | null;
  /** 0: only when its owner asks. */
  rotate_after_days: number;
  usual_lock_after_minutes: number;
  lock_after_shortest: number;
  lock_after_longest: number;
  grant_longest: number;
}

export type ModelKind = "openai" | "anthropic";

export interface ModelInfo {
  configured: boolean;
  kind?: ModelKind;
  base_url?: string;
  model?: string;
}

export interface Conversation {
  id: string;
  title: string;
  updated: number;
  running: boolean;
  unread: boolean;
}

export type Part =
  | { type: "text"; text: string }
  | { type: "tool"; id: string; name: string; input: string; output: string; state: "running" | "ok" | "failed" };

export type MessageStatus = "running" | "done" | "aborted" | "failed" | "interrupted";

export interface Message {
  id: string;
  role: "user" | "assistant";
  at: number;
  status: MessageStatus;
  key?: string;
  error?: WireError;
  parts: Part[];
}

export type ChatEvent = { conversation: string; seq: number; turn: string } & (
  | { kind: "accepted"; message: Message; replaces?: string | null }
  | { kind: "phase"; phase: string }
  | { kind: "text"; delta: string }
  | { kind: "tool"; id: string; name: string; phase: "start" | "update" | "result"; input?: string; output?: string; is_error?: boolean }
  | { kind: "answered"; message: Message }
  | { kind: "saved" }
  | { kind: "not_saved"; message: string }
  | { kind: "failed"; code: string; message: string; saving?: boolean }
  | { kind: "aborted"; message?: Message | null; saving?: boolean }
  | { kind: "interrupted"; message?: Message | null }
);

export type CellPhase = "opening_vault" | "restoring_home" | "starting_agent" | "warming_up" | "ready" | "paused" | "asleep" | "failed";

export interface CellEvent {
  phase: CellPhase;
  since: number;
  usual_ms?: number;
  message?: string;
}

export interface OpenedConversation {
  messages?: Message[];
  running: { turn: string; started: number } | null;
  /** Turns that are answered, and could still be lost. Absent where there are none. */
  saving?: string[];
  /** Why those could not be saved so far. */
  not_saved?: string;
  seq: number;
  /** There are older messages than these. */
  more?: boolean;
}

export type SecretKind = "api_key" | "oauth_token" | "login" | "text";
/** What the owner lets the agent do with a secret. */
export type AgentMay = "nothing" | "use" | "see";

export interface Secret {
  id: string;
  name: string;
  kind: SecretKind;
  agent: AgentMay;
  username: string;
  url: string;
  changed: number;
  last_use?: { at: number; to: string };
}

/** What is sent to store one; without `value` the one that is stored stays. */
export interface SecretInput {
  id?: string;
  name: string;
  kind: SecretKind;
  agent: AgentMay;
  username: string;
  url: string;
  value?: string;
}

export type ActivityClass = "person" | "agent" | "refused";

export interface ActivityEntry {
  what: string;
  first: number;
  last: number;
  count: number;
  secret?: string;
  name?: string;
  to?: string;
  why?: string;
  /** What the agent asked for, or what was shared; keepers of before this say nothing of it. */
  asked?: { kind: string; service?: string; scope?: readonly string[]; until?: number };
}

export type Inject = { as: "header"; name: string; prefix: string } | { as: "query"; name: string } | { as: "basic" };

/** A service that the agent calls through its keeper, which puts the secret in. */
export interface Route {
  name: string;
  base_url: string;
  secret: string;
  inject: Inject;
  read_only: boolean;
  /** The owner is asked before something is changed there. */
  ask?: boolean;
  /** What it is for: the agent reads it. */
  about: string;
  /** It is a server of tools, of which these may be called. */
  tools?: Readonly<Record<string, { does: Does; seen: string }>> | null;
  agent_url?: string;
}

/** What a tool does, as its owner says. */
export type Does = "read" | "write" | "delete";

/** A tool as its server describes it now. */
export interface ServerTool {
  name: string;
  title?: string | null;
  description?: string | null;
  input_schema: unknown;
  hint?: Does | null;
  does?: Does | null;
  /** The server describes it otherwise than when it was allowed. */
  changed: boolean;
  /** Nothing where there are letters in its description that nobody sees: then none of it is told, and it cannot be allowed. */
  seen: string | null;
}

/** What a server of tools has now. */
export interface ServerTools {
  tools: readonly ServerTool[];
  /** Tools that are not shown: they have names by which they cannot be called. */
  unnamed: number;
  /** It has more than are looked at. */
  more: boolean;
}

/** Whose something is that was passed on; nameless to whom it was passed on, where they do not know them. */
export interface Whose {
  keys: string;
  name: string | null;
  fingerprint: string;
}

/** What the agent would do, with every parameter. */
export type ApprovalAction =
  | { kind: "call_service"; service: string; base_url: string; secret: string; method: string; path: string; query: string; headers: [string, string][]; body: string; body_is_text: boolean; tool?: string }
  | { kind: "run_command"; command: string; folder: string; host?: string; program?: string; variables?: readonly string[]; warning?: string }
  | { kind: "share"; with: string; name: string; holder: string; resource: string; scope: string[]; until: number; constraints: { max_calls?: number }; place?: string }
  | { kind: "call_shared"; share: string; owner: string; name: string; of?: Whose; service: string; method: string; path: string; query: string; content_type: string; body: string }
  | { kind: "ask_for_share"; of: string; name: string; words: string };

export interface Approval {
  id: string;
  asked_at: number;
  expires_at: number;
  conversation: string | null;
  action: ApprovalAction;
  /** What an answer is bound to. */
  hash: string;
  state: "waiting" | "awaits_second" | "allowed" | "used" | "denied" | "expired";
  at: number | null;
  reason: string;
  may: { always: boolean; conversation: boolean };
  /** A second person has to agree, too. */
  second: boolean;
  /** What they said. */
  seconded: { name: string; allowed: boolean; at: number } | null;
  /** This person had allowed it, and the second person could not be asked. */
  not_asked?: boolean;
  /** Something inside the agent's cell has allowed it, and not this person. A keeper of an older version does not say. */
  elsewhere?: boolean;
  /** This person has seen that. */
  seen?: boolean;
  /** Of whom it would be shared with, as this person knows them. */
  known?: KnownKeys;
}

/** Somebody's keys, as this person knows them. */
export interface KnownKeys {
  fingerprint: string;
  compared_at: number | null;
}

/** What somebody else's agent wants, of which this person is the second to be asked. */
export interface AskedAsSecond {
  id: string;
  user: string;
  name: string;
  asked_at: number;
  expires_at: number;
  action: ApprovalAction;
  hash: string;
  state: "waiting" | "allowed" | "denied" | "over" | "expired";
  at: number | null;
  reason: string;
  /** Whom it would be shared with, or whose it is, by the key: as this person knows them, else the digits. A keeper of an older version does not say. */
  receiver?: { me: boolean; name: string | null; fingerprint: string | null } | null;
  /** The answer has not reached whoever asked. */
  lost?: boolean;
}

export interface SecondChoice {
  on: boolean;
  /** The organisation wants it. */
  demanded: boolean;
  people: { user: string; name: string | null; good: boolean }[];
}

export type ApprovalPattern = { kind: "call_service"; service: string; base_url: string; secret?: string; method: string; path: string; tool?: string } | { kind: "run_command"; command: string; folder: string; host?: string; program?: string; variables?: readonly string[] };

export interface ApprovalRule {
  id: string;
  made_at: number;
  until: number;
  conversation: string | null;
  per_day: number;
  used_today: number;
  pattern: ApprovalPattern;
}

export interface ApprovalList {
  waiting: Approval[];
  decided: Approval[];
  rules: ApprovalRule[];
  ask_before_commands: boolean;
  tell_when_away: boolean;
  agent_waits: boolean;
  second: SecondChoice;
  asked: AskedAsSecond[];
}

export type ApprovalAnswer = { answer: "once" } | { answer: "conversation" } | { answer: "always"; per_day: number; until: number } | { answer: "deny"; reason: string };

export type EgressMode = "open" | "allow_list" | "none";

export interface EgressPolicy {
  mode: EgressMode;
  hosts: string[];
}

/** Millionths of a US dollar for a million tokens. */
export interface Price {
  input: number;
  output: number;
  cached?: number;
}

/** A model provider, in the order in which they are tried. */
export interface Provider {
  id: string;
  kind: ModelKind;
  base_url: string;
  model: string;
  price?: Price;
}

export interface UsageRow {
  day: string;
  provider: string;
  model: string;
  calls: number;
  failed: number;
  input: number;
  cached: number;
  written: number;
  output: number;
  cost: number;
  estimated: number;
  unpriced: number;
}

export interface SpendingOverview {
  /** Millionths of a US dollar. */
  limits: { day: number | null; month: number | null };
  spent: { day: number; month: number };
  month: string;
  usage: UsageRow[];
}
