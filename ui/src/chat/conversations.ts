/** The conversations of the unlocked vault: the list, the threads that were opened, and which one is looked at. */
import { type Signal, signal } from "@preact/signals-core";
import { announce, alertNow } from "../app/announcer";
import { readsWhole } from "../app/appearance";
import { onEvent, onOpen, online, request, unlocked } from "../app/link";
import { whenWatched } from "../app/presence";
import { go, path } from "../app/router";
import { type CellEvent, ChannelError, type ChatEvent, type Conversation, type Message, type OpenedConversation } from "../channel/messages";
import { moveDraft } from "./drafts";
import type { Outgoing } from "./outbox";
import { apply, cutAt, emptyThread, firstSentence, older, opened, spoken, textOf, type ThreadState, withUserMessage } from "./thread";

export interface Thread {
  readonly id: string;
  readonly state: Signal<ThreadState>;
  readonly loading: Signal<"no" | "loading" | "loaded" | { error: string }>;
}

export const conversations = signal<readonly Conversation[] | undefined>(undefined);
export const listProblem = signal<string | undefined>(undefined);

const threads = new Map<string, Thread>();
const held = new Map<string, ChatEvent[]>();
/** Those that are read anew, because something of what happened was missed. */
const mending = new Set<string>();
/** Those of which something may be missing that could not be read: tried again when the agent is ready. */
const behind = new Set<string>();

const NEW = "new-";

/** A conversation that the keeper does not know yet: it is made when its first message goes out. */
export function newConversationId(): string {
  return `${NEW}${crypto.randomUUID()}`;
}

export function isNew(conversation: string): boolean {
  return conversation.startsWith(NEW);
}

export const draftConversation = signal(newConversationId());

/** Takes up a conversation again that was begun and never sent, so that what was typed in it is seen. */
export function takeUp(ids: readonly string[]): void {
  const begun = ids.find(isNew);
  if (begun !== undefined) draftConversation.value = begun;
}

/** The conversation in the address; without one, the one that is about to begin. */
export function currentId(): string {
  const match = /^\/c\/([^/]+)$/.exec(path.value);
  return match?.[1] ? decodeURIComponent(match[1]) : draftConversation.value;
}

export function show(conversation: string): void {
  go(isNew(conversation) ? "/" : `/c/${encodeURIComponent(conversation)}`);
}

export function threadFor(id: string): Thread {
  let thread = threads.get(id);
  if (!thread) {
    thread = { id, state: signal(emptyThread), loading: signal(isNew(id) ? "loaded" : "no") };
    threads.set(id, thread);
  }
  return thread;
}

export async function loadList(): Promise<void> {
  try {
    const answer = await request<{ conversations: Conversation[] }>("chat.list");
    conversations.value = answer.conversations.toSorted((a, b) => b.updated - a.updated);
    listProblem.value = undefined;
  } catch (error) {
    if (error instanceof ChannelError && error.code === "closed") return;
    listProblem.value = error instanceof Error ? error.message : String(error);
    if (error instanceof ChannelError && error.retryAfterMs !== undefined) setTimeout(() => void loadList(), error.retryAfterMs);
  }
}

/** History is read from the agent, so what needs it waits until it has started. */
export const HISTORY_MS = 600_000;

/** Loads a conversation, or what was missed since it was last heard. */
export async function load(id: string, options: { whole?: boolean } = {}): Promise<void> {
  const thread = threadFor(id);
  if (isNew(id) || thread.loading.peek() === "loading" || !online.peek()) return;
  const missedOnly = thread.loading.peek() === "loaded" && !options.whole;
  if (!missedOnly && thread.loading.peek() === "loaded") {
    // What happens meanwhile is held, and one answer has it all.
    if (mending.has(id)) return;
    mending.add(id);
  } else if (!missedOnly) thread.loading.value = "loading";
  try {
    const { seq } = thread.state.peek();
    const answer = await request<OpenedConversation>("chat.open", { conversation: id, ...(missedOnly ? { after_seq: seq } : {}) }, { answerMs: HISTORY_MS });
    const now = thread.state.peek();
    // Of before what was heard while it was on its way: all that is in it is shown already, and what has ended since would run again.
    const stale = now.seq > seq && answer.seq < now.seq;
    if (!stale) thread.state.value = opened(now, answer);
    thread.loading.value = "loaded";
    behind.delete(id);
  } catch (error) {
    if (thread.loading.peek() === "loading") thread.loading.value = { error: error instanceof Error ? error.message : String(error) };
    else {
      behind.add(id);
      // What was missed may be how the turn ended: then nothing follows that would have it read again.
      if (error instanceof ChannelError && error.retryAfterMs !== undefined) setTimeout(() => behind.has(id) && void load(id, { whole: true }), error.retryAfterMs);
    }
  }
  if (!missedOnly) release(id);
}

/** What was held while a conversation was read. */
function release(id: string): void {
  mending.delete(id);
  if (threads.get(id)?.loading.peek() !== "loaded") return;
  const waiting = held.get(id) ?? [];
  held.delete(id);
  // Of one that could not be read it is what comes after the gap.
  if (!behind.has(id)) for (const event of waiting) receive(event);
}

/** The page of messages before those that are shown. */
export async function loadOlder(id: string): Promise<void> {
  const thread = threadFor(id);
  const first = thread.state.peek().messages[0];
  if (!first) return;
  const page = await request<OpenedConversation>("chat.open", { conversation: id, before: first.id });
  thread.state.value = older(thread.state.peek(), page);
}

function receive(event: ChatEvent): void {
  const thread = threadFor(event.conversation);
  const next = thread.loading.peek() === "loaded" && !mending.has(event.conversation) ? apply(thread.state.peek(), event) : "held";
  if (next === null || next === "held") {
    held.set(event.conversation, [...(held.get(event.conversation) ?? []), event].slice(-2000));
    if (next === null) void load(event.conversation, { whole: true });
    return;
  }
  thread.state.value = next;
  if (event.conversation === currentId()) speak(event);
}

/** The turn whose first words were announced. */
let answering = "";

function speak(event: ChatEvent): void {
  if (event.kind === "text" && answering !== event.turn) {
    answering = event.turn;
    announce("Answering");
  } else if (event.kind === "answered") announce(`Answer finished. ${(readsWhole.peek() ? spoken : firstSentence)(textOf(event.message))}`);
  else if (event.kind === "aborted") announce("Stopped.");
  else if (event.kind === "failed") alertNow(`The answer failed. ${event.message}`);
  else if (event.kind === "not_saved") alertNow(event.message);
  else if (event.kind === "interrupted") alertNow("Your agent was interrupted while it answered.");
}

/** The keeper has written the message down: show it where it belongs, before its event comes. */
export function acceptedLocally(entry: Outgoing, turn: string, at: number): void {
  const thread = threadFor(entry.conversation);
  const state = thread.state.peek();
  if (entry.op === "regenerate" || state.messages.some((each) => each.key === entry.key)) return;
  const message: Message = { id: `u-${entry.key}`, role: "user", at, status: "done", key: entry.key, parts: [{ type: "text", text: entry.text }] };
  // Where the conversation is not open, nobody would hear the turn's end.
  const running = state.running ?? (thread.loading.peek() === "loaded" ? { turn, started: at } : null);
  thread.state.value = { ...state, messages: withUserMessage(cutAt(state.messages, entry.message), message), running };
}

/** Makes the conversation that a first message was typed for, and moves everything over to its real id. */
export async function createFor(temporary: string, firstText: string): Promise<string> {
  const title = firstText.trim().split("\n")[0]?.slice(0, 60) ?? "";
  // Its own id, so that it is made once, however often it is asked for.
  const params = { id: temporary.slice(NEW.length), ...(title ? { title } : {}) };
  const { conversation } = await request<{ conversation: Conversation | string }>("chat.create", params);
  const id = typeof conversation === "string" ? conversation : conversation.id;
  // Nothing has happened in it yet: it is heard from its first event on, and sending does not wait for the agent.
  threads.set(id, { id, state: signal(threadFor(temporary).state.peek()), loading: signal("loaded") });
  void load(id);
  begun(temporary, id);
  void loadList();
  return id;
}

/** A conversation that was new has its real id, from this tab or from another: what is typed in it, and whoever looks at it, goes along. */
export function begun(temporary: string, id: string): void {
  moveDraft(temporary, id);
  if (draftConversation.peek() !== temporary) return;
  draftConversation.value = newConversationId();
  if (path.peek() === "/") go(`/c/${encodeURIComponent(id)}`, { replace: true });
}

export async function rename(conversation: string, title: string): Promise<void> {
  const before = conversations.peek();
  conversations.value = before?.map((each) => (each.id === conversation ? { ...each, title } : each));
  try {
    await request("chat.rename", { conversation, title });
  } catch (error) {
    conversations.value = before;
    throw error;
  }
}

export async function remove(conversation: string): Promise<void> {
  await request("chat.delete", { conversation });
  threads.delete(conversation);
  conversations.value = conversations.peek()?.filter((each) => each.id !== conversation);
}

export async function abort(conversation: string): Promise<void> {
  const running = threadFor(conversation).state.peek().running;
  if (running) await request("chat.abort", { conversation, turn: running.turn });
}

/** Locked, or somebody else's turn: nothing readable stays. */
export function clearConversations(): void {
  threads.clear();
  held.clear();
  mending.clear();
  behind.clear();
  conversations.value = undefined;
  listProblem.value = undefined;
  draftConversation.value = newConversationId();
}

export function startConversations(): void {
  const list = () => unlocked.peek() && void loadList();
  const failed = () => {
    for (const thread of threads.values()) if (typeof thread.loading.peek() === "object" || behind.has(thread.id)) void load(thread.id, { whole: true });
  };
  onEvent((event, data) => {
    if (event === "chats") whenWatched(list);
    else if (event === "chat") receive(data as ChatEvent);
    else if (event === "cell" && (data as CellEvent).phase === "ready") whenWatched(failed);
  });
  onOpen(() => {
    void loadList();
    const shown = [...threads.values()].filter((thread) => thread.loading.peek() === "loaded").map((thread) => thread.id);
    for (const id of new Set([...shown, currentId()])) void load(id);
  });
}
