/**
 * Messages on their way. Each is written down (sealed) before it is tried and carries its idempotency key, so that trying
 * again is safe: the keeper makes one turn of one key in one conversation. What is written down is one outbox for all tabs; whoever
 * sends a message, or takes it back, is alone with it among them, and has read it again first.
 */
import { batch, computed, effect, signal, untracked } from "@preact/signals-core";
import { announce, alertNow } from "../app/announcer";
import { cell, onEvent, onOpen, online, request, unlocked } from "../app/link";
import { ChannelError, type ChatEvent } from "../channel/messages";
import { allSealed, putSealed, removeSealed } from "../storage/sealed";
import { acceptedLocally, begun, createFor, HISTORY_MS, isNew, takeUp, threadFor } from "./conversations";

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
  /** While it waits: it is not tried before this. */
  after?: number;
}

export const outbox = signal<readonly Outgoing[]>([]);
export const unsentCount = computed(() => outbox.value.length);

/** Codes after which the same message may be tried again by itself. */
const PASSING = new Set(["vault_locked", "busy", "not_ready", "agent_starting", "agent_not_ready", "turn_running", "overloaded"]);
const RETRY_MS = 2_000;

export function inConversation(conversation: string): readonly Outgoing[] {
  return outbox.value.filter((each) => each.conversation === conversation);
}

function find(key: string): Outgoing | undefined {
  return outbox.peek().find((each) => each.key === key);
}

/** What a tab tells the others, besides that they are to read again: a conversation that has its real id now, or a message that was sent. */
interface Told {
  begun?: { from: string; to: string };
  sent?: { key: string; conversation: string; turn: string; at: number };
}

const tabs = new BroadcastChannel("holdfast.outbox");

function tell(told: Told = {}): void {
  tabs.postMessage(told);
}

/** Keys of what storage does not have as this page has it: not yet, or not at all where it takes nothing more. */
const unwritten = new Set<string>();
/** Keys of messages that storage did not take: a reload would lose them. */
export const onlyHere = signal<ReadonlySet<string>>(new Set());

function notTaken(key: string, isSo: boolean): void {
  if (onlyHere.peek().has(key) === isSo) return;
  const next = new Set(onlyHere.peek());
  if (isSo) next.add(key);
  else next.delete(key);
  onlyHere.value = next;
}

let storage: Promise<unknown> = Promise.resolve();

/** Storage does one thing after the other: nothing is read that is half written, and nothing comes back that was removed. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const done = storage.then(work);
  storage = done.catch(() => undefined);
  return done;
}

/** Changes what this page has, and has storage hold the same of this message; the other tabs read it then. */
function write(key: string, entries: readonly Outgoing[], told?: Told): Promise<void> {
  return batch(() => {
    outbox.value = entries;
    const entry = find(key);
    unwritten.add(key);
    const done = inTurn(async () => {
      if (!entry) await removeSealed("outbox", key);
      else if (!(await putSealed("outbox", key, entry))) return;
      notTaken(key, false);
      if (find(key) === entry) unwritten.delete(key);
      tell(told);
    });
    // What storage does not take is this page's alone, and goes out all the same.
    return done.catch(() => notTaken(key, find(key) !== undefined));
  });
}

function update(key: string, change: Partial<Outgoing>): Promise<void> {
  if (!find(key)) return Promise.resolve();
  return write(key, outbox.peek().map((each) => (each.key === key ? { ...each, ...change } : each)));
}

function drop(key: string, told?: Told): Promise<void> {
  return write(key, outbox.peek().filter((each) => each.key !== key), told);
}

/** Things stand as storage has them, but for what this page has changed since. */
function readAgain(): Promise<void> {
  return inTurn(async () => {
    const all = (await allSealed<Outgoing>("outbox")).map(({ value }) => value);
    // Locked meanwhile: nothing readable comes back.
    if (!unlocked.peek()) return;
    const kept = [...all.filter(({ key }) => !unwritten.has(key)), ...outbox.peek().filter(({ key }) => unwritten.has(key))];
    outbox.value = kept.sort((a, b) => a.at - b.at);
  });
}

/** Alone with a message among all tabs, and with it as they have left it: nothing, where it was sent or taken back there. */
function alone<T>(key: string, work: (entry: Outgoing | undefined) => Promise<T>): Promise<T> {
  return navigator.locks.request(`holdfast.outbox.${key}`, async () => {
    await readAgain();
    return work(find(key));
  });
}

export async function enqueue(what: Pick<Outgoing, "conversation" | "op" | "text"> & { message?: string }): Promise<void> {
  const before = outbox.peek();
  // Their order is by time, also when two come in the same millisecond.
  const at = Math.max(Date.now(), (before.at(-1)?.at ?? 0) + 1);
  const entry: Outgoing = { ...what, key: crypto.randomUUID(), at, state: "waiting" };
  await write(entry.key, [...before, entry]);
  void flush();
}

/** Tries again what is stuck. */
export async function retry(key: string): Promise<void> {
  await alone(key, (entry) => (entry && isStuck(entry) ? update(key, { state: "waiting", problem: undefined }) : Promise.resolve()));
  void flush();
}

/** Takes a message back, in all tabs; gives it, or nothing when it was sent meanwhile. */
export function discard(key: string): Promise<Outgoing | undefined> {
  return alone(key, async (entry) => {
    if (entry) await drop(key);
    return entry;
  });
}

export function dropConversation(conversation: string): void {
  for (const { key } of inConversation(conversation)) void discard(key);
}

/** It needs the person: a word to try it again, or to let it go. */
export function isStuck({ state }: Outgoing): boolean {
  return state === "unconfirmed" || state === "not_sent";
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

function isDue({ state, after = 0 }: Outgoing): boolean {
  return state === "waiting" && after <= Date.now();
}

/** The first that may be tried; failing that, one that another tab is sending, to go on with should that tab be gone. */
function nextToSend(tried: ReadonlySet<string>): Outgoing | undefined {
  const blocked = new Set<string>();
  let elsewhere: Outgoing | undefined;
  for (const entry of outbox.peek()) {
    const free = !blocked.has(entry.conversation) && !tried.has(entry.key) && !threadFor(entry.conversation).state.peek().running;
    if (free && isDue(entry)) return entry;
    if (free && entry.state === "sending") elsewhere ??= entry;
    blocked.add(entry.conversation);
  }
  return elsewhere;
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
  await alone(key, async (entry) => {
    // What is being sent still was left so by a tab that is gone.
    if (!entry || !(isDue(entry) || entry.state === "sending") || inConversation(entry.conversation)[0] !== entry) return;
    try {
      void update(key, { state: "sending", problem: undefined, after: undefined });
      const { text, message, op } = entry;
      const conversation = isNew(entry.conversation) ? await begin(entry.conversation, text) : entry.conversation;
      const params = op === "send" ? { conversation, text, key } : op === "edit" ? { conversation, message, text, key } : { conversation, message, key };
      // What stands in the place of another message needs that one, which only the agent has.
      const patience = op === "send" ? {} : { answerMs: HISTORY_MS };
      const { turn, at } = await request<{ turn: string; at: number }>(`chat.${op}`, params, patience);
      acceptedLocally({ ...entry, conversation }, turn, at);
      const dropped = drop(key, { sent: { key, conversation, turn, at } });
      saySent();
      await dropped;
    } catch (error) {
      await notSent(key, error);
    }
  });
}

/** Makes the conversation that a first message was typed for. All that was typed for it is written down as its own before any of it is sent. */
async function begin(from: string, firstText: string): Promise<string> {
  const to = await createFor(from, firstText);
  await moveTo(from, to);
  tell({ begun: { from, to } });
  return to;
}

async function moveTo(from: string, to: string): Promise<void> {
  await Promise.all(inConversation(from).map(({ key }) => update(key, { conversation: to })));
}

/** What another tab tells. */
async function hear({ begun: named, sent }: Told): Promise<void> {
  if (!unlocked.peek()) return;
  const entry = sent && find(sent.key);
  // Also where there is no connection, over which the keeper would tell of it.
  if (entry) acceptedLocally({ ...entry, conversation: sent.conversation }, sent.turn, sent.at);
  await readAgain();
  if (named) {
    begun(named.from, named.to);
    await moveTo(named.from, named.to);
  }
  if (sent) saySent();
}

/** What had waited for the connection is going out: it is said of all together. */
let catchingUp = false;

function saySent(): void {
  if (catchingUp && outbox.peek().some((each) => !isStuck(each))) return;
  announce(catchingUp && outbox.peek().length === 0 ? "All sent" : "Sent");
  catchingUp = false;
}

/** What the keeper says is for whoever looks at the conversation as it was; here it is shown as it is now. */
const CHANGED = "What you wanted to change was changed elsewhere meanwhile. “Edit” puts your text where you write.";

async function notSent(key: string, error: unknown): Promise<void> {
  const { code, message, retryAfterMs } = error instanceof ChannelError ? error : new ChannelError("failed", error instanceof Error ? error.message : String(error));
  if (code === "closed" || code === "no_answer" || code === "tampered") {
    const problem = code === "no_answer" ? "There was no answer in time. It may have arrived." : "The connection was lost while it was sent. It may have arrived.";
    alertNow(`Delivery unconfirmed. ${problem}`);
    await update(key, { state: "unconfirmed", problem });
  } else if (PASSING.has(code) || retryAfterMs !== undefined) {
    await update(key, { state: "waiting", problem: message, after: Date.now() + (retryAfterMs ?? RETRY_MS) });
  } else {
    const problem = code === "unknown_message" && find(key)?.op === "edit" ? CHANGED : message;
    alertNow(`Not sent. ${problem}`);
    await update(key, { state: "not_sent", problem });
  }
}

/** Reads what an earlier page or another tab left, and sends it. What was on its way is tried again with its key: that cannot make it twice. */
async function recover(): Promise<void> {
  const known = new Set(outbox.peek().map((each) => each.key));
  await readAgain();
  takeUp(outbox.peek().filter((each) => !known.has(each.key)).map((each) => each.conversation));
  catchingUp = outbox.peek().length > 0;
  for (const { key, state } of outbox.peek()) if (state === "unconfirmed") void retry(key);
  await flush();
}

export function clearOutbox(): void {
  outbox.value = [];
  unwritten.clear();
  onlyHere.value = new Set();
}

let later: ReturnType<typeof setTimeout> | undefined;

/** Tries what may be tried now, and comes back when the next may be. */
function tryNowAndLater(): void {
  clearTimeout(later);
  const now = Date.now();
  const next = Math.min(...outbox.peek().map(({ after = 0 }) => (after > now ? after : Infinity)));
  if (next < Infinity) later = setTimeout(tryNowAndLater, next - now);
  void flush();
}

/** The keeper tells everybody of what it has accepted, also where its answer to who sent it came too late. */
function heard(event: string, data: unknown): void {
  const { kind, turn } = data as Partial<ChatEvent>;
  const entry = event === "chat" && kind === "accepted" && turn ? find(turn) : undefined;
  if (entry?.state === "unconfirmed") void drop(entry.key);
}

export function startOutbox(): void {
  onEvent(heard);
  tabs.onmessage = ({ data }: MessageEvent<Told>) => void hear(data);
  onOpen(() => void recover());
  // A turn that ended lets the next message go.
  effect(() => {
    for (const conversation of new Set(outbox.value.map((each) => each.conversation))) void threadFor(conversation).state.value.running;
    untracked(tryNowAndLater);
  });
}
