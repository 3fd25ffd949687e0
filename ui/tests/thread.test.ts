import { describe, expect, it } from "vitest";
import type { ChatEvent, Message } from "../src/channel/messages";
import { apply, emptyThread, firstSentence, older, opened, ranTools, spoken, textOf, type ThreadState } from "../src/chat/thread";

const conversation = "c";
const turn = "t1";

function user(key: string, text = "hello"): Message {
  return { id: `u-${key}`, role: "user", at: 1, status: "done", key, parts: [{ type: "text", text }] };
}

function answer(key: string, text: string): Message {
  return { id: `a-${key}`, role: "assistant", at: 2, status: "done", key, parts: [{ type: "text", text }] };
}

type Kind = ChatEvent extends infer E ? (E extends ChatEvent ? Omit<E, "conversation" | "seq" | "turn"> : never) : never;

function play(state: ThreadState, ...kinds: Kind[]): ThreadState {
  return kinds.reduce<ThreadState>((before, kind) => {
    const after = apply(before, { conversation, turn, seq: before.seq + 1, ...kind } as ChatEvent);
    if (!after) throw new Error("a gap");
    return after;
  }, state);
}

describe("a thread", () => {
  it("grows by text and ends with the whole answer", () => {
    const running = play(emptyThread, { kind: "accepted", message: user(turn) }, { kind: "text", delta: "Hel" }, { kind: "text", delta: "lo" });
    expect(running.running?.turn).toBe(turn);
    expect(textOf(running.messages[1] as Message)).toBe("Hello");
    const done = play(running, { kind: "answered", message: answer(turn, "Hello.") });
    expect(done.running).toBeNull();
    expect(done.messages.map((message) => message.id)).toEqual(["u-t1", "a-t1"]);
    expect(done.saving.has(turn)).toBe(true);
    expect(play(done, { kind: "saved" }).saving.size).toBe(0);
  });

  it("ignores an event that it has seen and asks for more after a gap", () => {
    const state = play(emptyThread, { kind: "accepted", message: user(turn) });
    expect(apply(state, { conversation, turn, seq: 1, kind: "text", delta: "twice" })).toBe(state);
    expect(apply(state, { conversation, turn, seq: 3, kind: "text", delta: "late" })).toBeNull();
  });

  it("is the same after a replay of the same events", () => {
    const kinds: Kind[] = [
      { kind: "accepted", message: user(turn) },
      { kind: "tool", id: "x", name: "exec", phase: "start", input: "{}" },
      { kind: "tool", id: "x", name: "exec", phase: "result", output: "done" },
      { kind: "text", delta: "ok" },
      { kind: "answered", message: answer(turn, "ok") },
    ];
    expect(play(emptyThread, ...kinds)).toEqual(play(emptyThread, ...kinds));
  });

  it("keeps text before and after a tool call apart", () => {
    const state = play(
      emptyThread,
      { kind: "accepted", message: user(turn) },
      { kind: "text", delta: "before" },
      { kind: "tool", id: "x", name: "exec", phase: "start", input: '{"command":"ls"}' },
      { kind: "tool", id: "x", name: "exec", phase: "update", output: "a" },
      { kind: "tool", id: "x", name: "exec", phase: "result", output: "a b", is_error: true },
      { kind: "text", delta: "after" },
    );
    expect(state.messages[1]?.parts).toEqual([
      { type: "text", text: "before" },
      { type: "tool", id: "x", name: "exec", input: '{"command":"ls"}', output: "a b", state: "failed" },
      { type: "text", text: "after" },
    ]);
    expect(ranTools(state.messages[1] as Message)).toBe(true);
  });

  it("drops everything from the message that an edit replaces", () => {
    const before: ThreadState = { ...emptyThread, messages: [user("a"), answer("a", "1"), user("b"), answer("b", "2")] };
    const after = play(before, { kind: "accepted", message: user(turn, "edited"), replaces: "u-b" });
    expect(after.messages.map((message) => message.id)).toEqual(["u-a", "a-a", "u-t1"]);
  });

  it("marks a tool that was cut off as failed when the turn is stopped, and keeps the partial text", () => {
    const state = play(
      emptyThread,
      { kind: "accepted", message: user(turn) },
      { kind: "text", delta: "part" },
      { kind: "tool", id: "x", name: "exec", phase: "start" },
      { kind: "aborted" },
    );
    expect(state.messages[1]).toMatchObject({ status: "aborted", parts: [{ text: "part" }, { state: "failed" }] });
  });

  it("shows the reason when a turn fails before a word was said", () => {
    const state = play(emptyThread, { kind: "accepted", message: user(turn) }, { kind: "failed", code: "provider_refused", message: "no" });
    expect(state.messages[1]).toMatchObject({ status: "failed", error: { code: "provider_refused", message: "no" } });
    expect(state.running).toBeNull();
  });

  it("takes the keeper's message in the place of its own copy", () => {
    const state = play({ ...emptyThread, messages: [user(turn)] }, { kind: "accepted", message: { ...user(turn), at: 99 } });
    expect(state.messages).toHaveLength(1);
    expect(state.messages[0]?.at).toBe(99);
  });

  it("keeps what it has when only missed events follow an opening", () => {
    const state: ThreadState = { ...emptyThread, seq: 7, messages: [user("a")] };
    expect(opened(state, { running: { turn, started: 1 }, seq: 9 })).toMatchObject({ seq: 7, messages: [{ id: "u-a" }], running: { turn } });
    expect(opened(state, { messages: [], running: null, seq: 9, more: true })).toMatchObject({ seq: 9, messages: [], more: true });
  });

  it("keeps the older messages that were loaded when it is read whole again", () => {
    const page = [user("c"), answer("c", "three")];
    const state: ThreadState = { ...emptyThread, messages: [user("a"), answer("a", "one"), user("b"), answer("b", "two"), user("c")], more: false };
    const again = opened(state, { messages: page, running: null, seq: 9, more: true });
    expect(again.messages.map(({ id }) => id)).toEqual(["u-a", "a-a", "u-b", "a-b", "u-c", "a-c"]);
    expect(again.more, "there are none before those").toBe(false);
    expect(opened(state, { messages: [user("z")], running: null, seq: 9, more: true }), "with a gap between").toMatchObject({ messages: [{ id: "u-z" }], more: true });
    expect(opened(state, { messages: page, running: null, seq: 9 }), "all there is").toMatchObject({ messages: [{ id: "u-c" }, { id: "a-c" }], more: false });
  });

  it("knows of what it opens what could still be lost, until that is saved", () => {
    const state = opened(emptyThread, { messages: [user(turn)], running: null, saving: [turn], seq: 9 });
    expect(state.saving.has(turn)).toBe(true);
    expect(apply(state, { kind: "saved", turn, seq: 10, conversation: "c" } as ChatEvent)?.saving.size).toBe(0);
  });

  it("counts what was stopped or failed as what could be lost only where it is whole", () => {
    const running = play(emptyThread, { kind: "accepted", message: user(turn) });
    for (const kind of ["aborted", "failed"] as const) {
      const end = { kind, code: "x", message: null };
      expect(play(running, end as Kind).saving.size).toBe(0);
      expect(play(running, { ...end, saving: true } as Kind).saving.has(turn)).toBe(true);
    }
  });

  it("says why it is not saved, until it is", () => {
    const full = play(emptyThread, { kind: "accepted", message: user(turn) }, { kind: "answered", message: answer(turn, "yes") }, { kind: "not_saved", message: "The disk is full." });
    expect(full).toMatchObject({ notSaved: "The disk is full.", saving: new Set([turn]) });
    expect(play(full, { kind: "saved" })).toMatchObject({ notSaved: undefined, saving: new Set() });
    const again = opened(full, { messages: [...full.messages], running: null, saving: [turn], not_saved: "Still full.", seq: full.seq });
    expect(again.notSaved).toBe("Still full.");
  });

  it("puts older messages first, each once", () => {
    const state: ThreadState = { ...emptyThread, messages: [user("b")], more: true };
    expect(older(state, { messages: [user("a"), user("b")], running: null, seq: 0, more: false })).toMatchObject({ more: false, messages: [{ id: "u-a" }, { id: "u-b" }] });
  });

  it("says the first sentence of an answer without its marks", () => {
    expect(firstSentence("**Yes.** And more.")).toBe("Yes.");
    expect(firstSentence("See [the docs](https://x.y) now! Then")).toBe("See the docs now!");
    expect(firstSentence("```js\nlet a\n```\nDone.")).toBe("code");
  });

  it("says all of an answer, its code too, without its marks", () => {
    expect(spoken("**Yes.** See [the docs](https://x.y).\n\n```js\nlet a\n```\n\n> Done.")).toBe("Yes. See the docs.\n\n\nlet a\n\n\n Done.");
  });
});
