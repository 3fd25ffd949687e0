import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import "./fake-page";

vi.mock("../src/storage/database", () => import("./memory-database"));

const { cell, link, unlocked } = await import("../src/app/link");
const { threadFor } = await import("../src/chat/conversations");
const { clearOutbox, outbox, waitsFor } = await import("../src/chat/outbox");
type Outgoing = (typeof outbox.value)[number];

function queue(...entries: Partial<Outgoing>[]): void {
  outbox.value = entries.map((each, at) => ({ key: String(at), conversation: "c", op: "send", text: "words", at, state: "waiting", ...each }));
}

/** What the last one in the queue waits for. */
function lastWaitsFor(): string {
  return waitsFor(outbox.value.at(-1) as Outgoing);
}

function online(is: boolean): void {
  unlocked.value = true;
  link.value = is ? { at: "open" } : { at: "waiting", retryAt: 0, reason: "" };
}

beforeEach(() => {
  online(true);
  cell.value = { phase: "ready", since: 0 };
});

afterEach(() => {
  clearOutbox();
  const { state } = threadFor("c");
  state.value = { ...state.value, running: null };
});

describe("a message that waits says what for", () => {
  it("for the agent only while the agent is not ready", () => {
    queue({});
    expect(lastWaitsFor()).toBe("nothing");
    cell.value = { phase: "warming_up", since: 0 };
    expect(lastWaitsFor()).toBe("agent");
  });

  it("for the person, behind one that is stuck, whatever the agent does", () => {
    for (const state of ["unconfirmed", "not_sent"] as const) {
      queue({ state }, {}, {});
      expect(lastWaitsFor(), state).toBe("person");
    }
  });

  it("for the connection, with which what is unconfirmed is asked about by itself; what was refused is not", () => {
    online(false);
    queue({});
    expect(lastWaitsFor()).toBe("connection");
    queue({ state: "unconfirmed" }, {});
    expect(lastWaitsFor()).toBe("connection");
    queue({ state: "not_sent" }, {});
    expect(lastWaitsFor()).toBe("person");
  });

  it("for the one before it, in its own conversation", () => {
    queue({ state: "sending" }, {});
    expect(lastWaitsFor()).toBe("one_before");
    queue({ problem: "Your agent is starting." }, {});
    expect(lastWaitsFor()).toBe("one_before");
    queue({ state: "not_sent", conversation: "other" }, {});
    expect(lastWaitsFor(), "another conversation's is no hindrance").toBe("nothing");
    queue({ state: "sending", conversation: "other" }, {});
    expect(lastWaitsFor(), "but while it is sent").toBe("one_elsewhere");
  });

  it("for what the keeper said, and for the answer that runs", () => {
    queue({ problem: "Your agent is starting." });
    expect(lastWaitsFor()).toBe("passing");
    queue({});
    const { state } = threadFor("c");
    state.value = { ...state.value, running: { turn: "t", started: 0 } };
    expect(lastWaitsFor()).toBe("answer");
  });
});
