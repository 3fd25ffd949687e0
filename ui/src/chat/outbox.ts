/**
 * Messages on their way. Each is written down (sealed) before it is tried and carries its idempotency key, so that trying
 * again is safe: the keeper makes one turn of one key.
 */
import { computed, effect, signal, untracked } from "@preact/signals-core";
import { announce, alertNow } from "../app/announcer";
import { cell, onOpen, online, request } from "../app/link";
import { ChannelError } from "../channel/messages";
import { allSealed, putSealed, removeSealed } from "../storage/sealed";
import { acceptedLocally, createFor, isNew, takeUp, threadFor } from "./conversations";

export type OutboxState = "waiting" | "sending" | "unconfirmed" | "not_sent";

export interface Outgoing {
  key: string;
  conversation: string;
  op: "send" | "edit" | "regenerate";
  /** What is edited or answered again. */
  message?: string;
  text: string;
  at: number;
  state: OutboxState;
  problem?: string;
}

export const outbox = signal<readonly Outgoing[]>([]);
export const unsentCount = computed(() => outbox.value.length);

/** Codes after which the same message may be tried again by itself. */
const PASSING = new Set(["vault_locked", "busy", "not_ready", "agent_starting", "agent_not_ready", "turn_running", "overloaded"]);
const RETRY_MS = 2_000;

export function inConversation(conversation: string): readonly Outgoing[] {
  return outbox.value.filter((each) => each.conversation === conversation);
}

function update(key: string, change: Partial<Outgoing>): void {
  outbox.value = outbox.peek().map((each) => (each.key === key ? { ...each, ...change } : each));
  const entry = find(key);
  if (entry) void putSealed("outbox", key, entry);
}

function find(key: string): Outgoing | undefined {
  return outbox.peek().find((each) => each.key === key);
}

function drop(key: string): void {
  outbox.value = outbox.peek().filter((each) => each.key !== key);
  void removeSealed("outbox", key);
}

export async function enqueue(what: Pick<Outgoing, "conversation" | "op" | "text"> & { message?: string }): Promise<void> {
  const entry: Outgoing = { ...what, key: crypto.randomUUID(), at: Date.now(), state: "waiting" };
  outbox.value = [...outbox.peek(), entry];
  await putSealed("outbox", entry.key, entry);
  void flush();
}

export function retry(key: string): void {
  update(key, { state: "waiting", problem: undefined });
  void flush();
}

export function discard(key: string): Outgoing | undefined {
  const entry = find(key);
  drop(key);
  return entry;
}

export function dropConversation(conversation: string): void {
  for (const entry of outbox.peek()) if (entry.conversation === conversation) drop(entry.key);
}

let flushing = false;
let again = false;

/** Sends what waits, in order, one conversation's messages one after the other. */
export async function flush(): Promise<void> {
  if (flushing) {
    again = true;
    return;
  }
  flushing = true;
  try {
    do {
      again = false;
      const tried = new Set<string>();
      for (;;) {
        const next = online.peek() ? nextToSend(tried) : undefined;
        if (!next) break;
        tried.add(next.key);
        await send(next.key);
      }
    } while (again);
  } finally {
    flushing = false;
  }
}

function nextToSend(tried: ReadonlySet<string>): Outgoing | undefined {
  const blocked = new Set<string>();
  for (const entry of outbox.peek()) {
    const free = !blocked.has(entry.conversation) && !tried.has(entry.key) && !threadFor(entry.conversation).state.peek().running;
    if (entry.state === "waiting" && free) return entry;
    blocked.add(entry.conversation);
  }
  return undefined;
}

export type WaitsFor =
  /** One before it needs the person: a word to try it again, or to let it go. */
  | "person"
  | "connection"
  /** One before it in this conversation, or one that is being sent in another. */
  | "one_before"
  | "one_elsewhere"
  /** What the keeper said when it was tried. */
  | "passing"
  | "answer"
  | "agent"
  | "nothing";

/** What a message that waits is waiting for, as `nextToSend` has it. */
export function waitsFor(entry: Outgoing): WaitsFor {
  const all = outbox.value;
  const before = all.slice(0, all.findIndex((each) => each.key === entry.key)).filter((each) => each.conversation === entry.conversation);
  if (before.some((each) => each.state === "not_sent")) return "person";
  // With the connection, what is unconfirmed is asked about by itself.
  if (!online.value) return "connection";
  if (before.some((each) => each.state === "unconfirmed")) return "person";
  if (before.length > 0) return "one_before";
  if (entry.problem !== undefined) return "passing";
  if (threadFor(entry.conversation).state.value.running) return "answer";
  if (all.some((each) => each.state === "sending")) return "one_elsewhere";
  return cell.value?.phase === "ready" ? "nothing" : "agent";
}

async function send(key: string): Promise<void> {
  // Two tabs hold the same outbox: whoever has the lock sends, the other finds it gone.
  await navigator.locks.request(`holdfast.outbox.${key}`, async () => {
    let entry = find(key);
    if (!entry) return;
    update(key, { state: "sending", problem: undefined });
    try {
      if (isNew(entry.conversation)) {
        const conversation = await createFor(entry.conversation, entry.text);
        for (const each of outbox.peek()) if (each.conversation === entry.conversation) update(each.key, { conversation });
        entry = { ...entry, conversation };
      }
      const { conversation, text, message, op } = entry;
      const params = op === "send" ? { conversation, text, key } : op === "edit" ? { conversation, message, text, key } : { conversation, message, key };
      const { turn, at } = await request<{ turn: string; at: number }>(`chat.${op}`, params);
      acceptedLocally(entry, turn, at);
      drop(key);
      announce("Sent");
    } catch (error) {
      notSent(key, error);
    }
  });
}

/** What the keeper says is for whoever looks at the conversation as it was; here it is shown as it is now. */
const CHANGED = "What you wanted to change was changed elsewhere meanwhile. “Edit” puts your text where you write.";

function notSent(key: string, error: unknown): void {
  const { code, message, retryAfterMs } = error instanceof ChannelError ? error : new ChannelError("failed", error instanceof Error ? error.message : String(error));
  if (code === "closed" || code === "no_answer" || code === "tampered") {
    update(key, { state: "unconfirmed", problem: code === "no_answer" ? "There was no answer in time. It may have arrived." : "The connection was lost while it was sent. It may have arrived." });
  } else if (PASSING.has(code) || retryAfterMs !== undefined) {
    update(key, { state: "waiting", problem: message });
    setTimeout(() => void flush(), retryAfterMs ?? RETRY_MS);
  } else {
    const problem = code === "unknown_message" && find(key)?.op === "edit" ? CHANGED : message;
    update(key, { state: "not_sent", problem });
    alertNow(`Not sent. ${problem}`);
  }
}

/** Reads what an earlier page left, and sends it. What was on its way is tried again with its key: that cannot make it twice. */
async function recover(): Promise<void> {
  const known = new Set(outbox.peek().map((each) => each.key));
  const left = (await allSealed<Outgoing>("outbox")).map(({ value }) => value).filter((each) => !known.has(each.key));
  const all = [...outbox.peek(), ...left].sort((a, b) => a.at - b.at);
  outbox.value = all.map((each) => (each.state === "sending" || each.state === "unconfirmed" ? { ...each, state: "waiting" as const } : each));
  takeUp(left.map((each) => each.conversation));
  await flush();
}

export function clearOutbox(): void {
  outbox.value = [];
}

export function startOutbox(): void {
  onOpen(() => void recover());
  // A turn that ended lets the next message go.
  effect(() => {
    for (const conversation of new Set(outbox.value.map((each) => each.conversation))) void threadFor(conversation).state.value.running;
    untracked(() => void flush());
  });
}
