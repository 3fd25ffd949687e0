/** One conversation as events make it: pure functions, so that a replay after a reconnect gives the same picture. */
import type { ChatEvent, Message, OpenedConversation, Part } from "../channel/messages";

export interface ThreadState {
  messages: readonly Message[];
  running: { turn: string; started: number } | null;
  seq: number;
  /** There are older messages, not loaded yet. */
  more: boolean;
  /** What the agent does before it speaks. */
  phase: string | undefined;
  /** Turns that are answered and not yet sealed. */
  saving: ReadonlySet<string>;
  /** Why those could not be sealed so far. */
  notSaved: string | undefined;
}

export const emptyThread: ThreadState = { messages: [], running: null, seq: 0, more: false, phase: undefined, saving: new Set(), notSaved: undefined };

export function opened(state: ThreadState, answer: OpenedConversation): ThreadState {
  if (!answer.messages) return { ...state, running: answer.running };
  // What is older than this page, and was loaded, stays: nothing but the end of a conversation is ever replaced.
  const first = answer.messages[0]?.id;
  const at = answer.more ? state.messages.findIndex(({ id }) => id === first) : -1;
  const [before, more] = at > 0 ? [state.messages.slice(0, at), state.more] : [[], answer.more ?? false];
  return { ...state, messages: [...before, ...answer.messages], running: answer.running, seq: answer.seq, more, phase: undefined, saving: new Set(answer.saving), notSaved: answer.not_saved };
}

/** A page of older messages before those that are there. */
export function older(state: ThreadState, page: OpenedConversation): ThreadState {
  const known = new Set(state.messages.map((message) => message.id));
  const before = (page.messages ?? []).filter((message) => !known.has(message.id));
  return { ...state, messages: [...before, ...state.messages], more: page.more ?? false };
}

/** What is left when everything from a message on is replaced. */
export function cutAt(messages: readonly Message[], id: string | null | undefined): readonly Message[] {
  const at = messages.findIndex((message) => message.id === id);
  return at < 0 ? messages : messages.slice(0, at);
}

/** Whether what a turn came to is in no sealed home yet. */
function counted(saving: ReadonlySet<string>, turn: string, counts: boolean | undefined): ReadonlySet<string> {
  const next = new Set(saving);
  if (counts) next.add(turn);
  else next.delete(turn);
  return next;
}

function isAnswerTo(turn: string): (message: Message) => boolean {
  return (message) => message.role === "assistant" && (message.key === turn || message.id === `a-${turn}`);
}

/** Puts the message in the place of the one that it replaces, or at the end. */
function place(messages: readonly Message[], message: Message, replaces: (message: Message) => boolean): readonly Message[] {
  const at = messages.findLastIndex(replaces);
  return at < 0 ? [...messages, message] : messages.with(at, message);
}

/** The user's message, as soon as it is known: written by this page, or told by the keeper. */
export function withUserMessage(messages: readonly Message[], message: Message): readonly Message[] {
  return place(messages, message, (each) => each.role === "user" && (each.id === message.id || (each.key !== undefined && each.key === message.key)));
}

function changeAnswer(state: ThreadState, turn: string, change: (message: Message) => Message): readonly Message[] {
  const is = isAnswerTo(turn);
  const current = state.messages.findLast(is) ?? { id: `a-${turn}`, role: "assistant", at: Date.now(), status: "running", key: turn, parts: [] };
  return place(state.messages, change(current), is);
}

function appendText(parts: readonly Part[], delta: string): Part[] {
  const last = parts.at(-1);
  return last?.type === "text" ? [...parts.slice(0, -1), { type: "text", text: last.text + delta }] : [...parts, { type: "text", text: delta }];
}

type ToolEvent = Extract<ChatEvent, { kind: "tool" }>;

function applyTool(parts: readonly Part[], event: ToolEvent): Part[] {
  const at = parts.findIndex((part) => part.type === "tool" && part.id === event.id);
  const before = at < 0 ? undefined : (parts[at] as Extract<Part, { type: "tool" }>);
  const next: Part = {
    type: "tool",
    id: event.id,
    name: event.name || before?.name || "",
    input: event.input ?? before?.input ?? "",
    output: event.output ?? before?.output ?? "",
    state: event.phase !== "result" ? "running" : event.is_error ? "failed" : "ok",
  };
  return at < 0 ? [...parts, next] : parts.with(at, next);
}

/** Calls that were running when the turn ended did not end well. */
function settled(message: Message): Message {
  return { ...message, parts: message.parts.map((part) => (part.type === "tool" && part.state === "running" ? { ...part, state: "failed" as const } : part)) };
}

/** The state after an event. An event that was seen is ignored; one that leaves a gap gives null: open the conversation again. The first
 * message of a conversation that was made here is where its numbers begin. */
export function apply(state: ThreadState, event: ChatEvent): ThreadState | null {
  if (event.seq <= state.seq) return state;
  const begins = state.seq === 0 && event.kind === "accepted";
  if (event.seq !== state.seq + 1 && !begins) return null;
  const next = { ...state, seq: event.seq };
  const { turn } = event;
  const ended = { running: state.running?.turn === turn ? null : state.running, phase: undefined };
  switch (event.kind) {
    case "accepted":
      return { ...next, messages: withUserMessage(cutAt(state.messages, event.replaces), { ...event.message, key: event.message.key ?? turn }), running: { turn, started: event.message.at }, phase: undefined };
    case "phase":
      return { ...next, phase: event.phase };
    case "text":
      return { ...next, phase: undefined, messages: changeAnswer(state, turn, (message) => ({ ...message, parts: appendText(message.parts, event.delta) })) };
    case "tool":
      return { ...next, phase: undefined, messages: changeAnswer(state, turn, (message) => ({ ...message, parts: applyTool(message.parts, event) })) };
    case "answered":
      return { ...next, ...ended, messages: changeAnswer(state, turn, () => ({ ...event.message, key: event.message.key ?? turn })), saving: counted(state.saving, turn, true) };
    case "saved":
      return { ...next, saving: counted(state.saving, turn, false), notSaved: undefined };
    case "not_saved":
      return { ...next, notSaved: event.message };
    case "failed":
      return {
        ...next,
        ...ended,
        saving: counted(state.saving, turn, event.saving),
        messages: changeAnswer(state, turn, (message) => ({ ...settled(message), status: "failed", error: { code: event.code, message: event.message } })),
      };
    case "aborted":
    case "interrupted": {
      const { message: whole, kind } = event;
      const saving = counted(state.saving, turn, event.kind === "aborted" && event.saving);
      return { ...next, ...ended, saving, messages: changeAnswer(state, turn, (message) => settled(whole ? { ...whole, key: whole.key ?? turn } : { ...message, status: kind })) };
    }
    default:
      // A kind that a newer keeper knows and this page does not: it still counts.
      return next;
  }
}

export function textOf(message: Message): string {
  return message.parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}

export function ranTools(message: Message): boolean {
  return message.parts.some((part) => part.type === "tool");
}

function withoutMarks(text: string): string {
  return text.replace(/[*_`#>|]/g, "").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").trim();
}

/** For a screen reader: the first sentence, without Markdown's marks. */
export function firstSentence(text: string): string {
  const plain = withoutMarks(text.replace(/```[\s\S]*?(```|$)/g, " code "));
  const end = plain.search(/[.!?](\s|$)|\n/);
  return (end < 0 ? plain : plain.slice(0, end + 1)).slice(0, 240).trim();
}

/** For a screen reader: all of it, code too, without Markdown's marks. */
export function spoken(text: string): string {
  return withoutMarks(text.replace(/^ *```.*$/gm, ""));
}
