import { signal } from "@preact/signals-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import "./fake-page";
import type { ChatEvent, Message, OpenedConversation } from "../src/channel/messages";

/** A `chat.open` that the keeper has not answered yet. */
interface Asked {
  after_seq?: number;
  answer: (answer: Partial<OpenedConversation>) => Promise<void>;
  refuse: () => Promise<void>;
}

const listeners: ((event: string, data: unknown) => void)[] = [];
const openListeners: (() => void)[] = [];
let asked: Asked[] = [];
/** With which conversations were asked to be made. */
let made: unknown[] = [];
let lost = false;

/** Everybody has heard it. */
const heard = (): Promise<void> => new Promise((done) => setTimeout(done));

function request(method: string, params: { after_seq?: number }): Promise<unknown> {
  if (method === "chat.create") {
    made.push(params);
    return lost ? Promise.reject(new Error("Nothing came back.")) : Promise.resolve({ conversation: "c" });
  }
  if (method !== "chat.open") return Promise.resolve({ conversations: [] });
  return new Promise((resolve, reject) => {
    asked.push({
      ...params,
      answer: (answer) => {
        resolve({ messages: [], running: null, seq: 0, ...answer });
        return heard();
      },
      refuse: () => {
        reject(new Error("The agent could not be started."));
        return heard();
      },
    });
  });
}

vi.mock("../src/app/link", () => ({
  request,
  online: signal(true),
  onEvent: (listener: (event: string, data: unknown) => void) => listeners.push(listener),
  onOpen: (listener: () => void) => openListeners.push(listener),
}));
vi.mock("../src/storage/database", () => import("./memory-database"));

const { path } = await import("../src/app/router");
const { clearConversations, createFor, load, newConversationId, startConversations, threadFor } = await import("../src/chat/conversations");

startConversations();

function tell(event: string, data: unknown): void {
  for (const listener of listeners) listener(event, data);
}

type Kind = ChatEvent extends infer E ? (E extends ChatEvent ? Omit<E, "conversation" | "seq" | "turn"> : never) : never;

function happens(seq: number, kind: Kind): void {
  tell("chat", { conversation: "c", seq, turn: "t", ...kind });
}

const question: Message = { id: "u-t", role: "user", at: 1, status: "done", key: "t", parts: [{ type: "text", text: "Hello" }] };
const whole: Message = { id: "a-t", role: "assistant", at: 2, status: "done", key: "t", parts: [{ type: "text", text: "Hello, Anna." }] };

function shown(): string[] {
  return threadFor("c").state.peek().messages.map((message) => `${message.role} ${message.status}: ${message.parts.map((part) => (part.type === "text" ? part.text : "")).join("")}`);
}

/** The newest `chat.open`. */
function last(): Asked {
  const newest = asked.at(-1);
  if (!newest) throw new Error("nothing was asked");
  return newest;
}

beforeEach(() => {
  clearConversations();
  asked = [];
  made = [];
});

describe("a new conversation", () => {
  it("is made under one id, however often it is asked for", async () => {
    const temporary = newConversationId();
    lost = true;
    await expect(createFor(temporary, "Hello")).rejects.toThrow();
    lost = false;
    await createFor(temporary, "Hello");
    expect(made[0]).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string, title: "Hello" });
    expect(made[1]).toEqual(made[0]);
  });

  it("hears its first turn while it is opened still, and asks no more than once", async () => {
    await createFor(newConversationId(), "Hello");
    happens(1_000, { kind: "accepted", message: question });
    happens(1_001, { kind: "phase", phase: "starting" });
    happens(1_002, { kind: "text", delta: "Hel" });
    expect(shown()).toEqual(["user done: Hello", "assistant running: Hel"]);
    expect(asked).toHaveLength(1);
    await last().answer({ messages: [question], running: { turn: "t", started: 1 }, seq: 1_002 });
    happens(1_003, { kind: "answered", message: whole });
    expect(threadFor("c").state.peek().running).toBeNull();
    expect(asked).toHaveLength(1);
  });

  it("hears that its agent does not start, and is read again when it has", async () => {
    await createFor(newConversationId(), "Hello");
    happens(1_000, { kind: "accepted", message: question });
    await last().refuse();
    happens(1_001, { kind: "failed", code: "agent_failed", message: "It did not start." });
    expect(threadFor("c").state.peek().running).toBeNull();
    expect(shown()).toEqual(["user done: Hello", "assistant failed: "]);
    tell("cell", { phase: "ready", since: 0 });
    expect(asked).toHaveLength(2);
  });
});

describe("an opened conversation", () => {
  beforeEach(async () => {
    void load("c");
    await last().answer({ messages: [question], running: { turn: "t", started: 1 }, seq: 10 });
    asked = [];
  });

  it("is read once where events were missed, however many follow, and those count", async () => {
    for (const seq of [13, 14, 15]) happens(seq, { kind: "text", delta: String(seq) });
    expect(asked).toHaveLength(1);
    expect(last().after_seq).toBeUndefined();
    const parts: Message["parts"] = [{ type: "text", text: "11 12 13 " }];
    await last().answer({ messages: [question, { ...whole, status: "running", parts }], running: { turn: "t", started: 1 }, seq: 13 });
    expect(shown()).toEqual(["user done: Hello", "assistant running: 11 12 13 1415"]);
    expect(asked).toHaveLength(1);
  });

  it("is not set back by an answer of before what was heard meanwhile", async () => {
    void load("c");
    expect(last().after_seq).toBe(10);
    happens(11, { kind: "answered", message: whole });
    await last().answer({ messages: undefined, running: { turn: "t", started: 1 }, seq: 10 });
    expect(threadFor("c").state.peek().running).toBeNull();
    expect(shown()).toEqual(["user done: Hello", "assistant done: Hello, Anna."]);
  });

  it("is asked for once when the connection is back, also where somebody looks at it", () => {
    path.value = "/c/c";
    for (const listener of openListeners) listener();
    expect(asked.map(({ after_seq }) => after_seq)).toEqual([10]);
    path.value = "/";
  });
});
