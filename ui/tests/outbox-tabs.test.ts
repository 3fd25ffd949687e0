/** Two tabs of one browser have one outbox: what is written in one goes out once, from whichever is first, or not at all. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { randomBytes } from "../src/channel/bytes";
import "./fake-page";

const database = await vi.hoisted(() => import("./memory-database"));
vi.mock("../src/storage/database", () => database);

/** The keeper at the other end of each tab's connection. */
const keeper = await vi.hoisted(async () => {
  const { signal } = await import("@preact/signals-core");
  const listeners = new Set<() => void>();
  const hears = new Set<(event: string, data: unknown) => void>();
  const online = signal(false);
  return {
    cell: signal({ phase: "ready", since: 0 }),
    online,
    unlocked: signal(true),
    listeners,
    hears,
    onEvent: (listener: (event: string, data: unknown) => void) => void hears.add(listener),
    onOpen: (listener: () => void) => void listeners.add(listener),
    request: vi.fn<(method: string, params?: Record<string, unknown>, options?: { answerMs?: number }) => Promise<unknown>>(),
  };
});
vi.mock("../src/app/link", () => keeper);

/** What tabs tell each other; a tab that is frozen hears nothing. */
class Told {
  static open = new Set<Told>();
  static frozen = false;
  onmessage: ((event: { data: unknown }) => void) | undefined;

  constructor() {
    Told.open.add(this);
  }

  postMessage(data: unknown): void {
    for (const each of Told.open) if (each !== this && !Told.frozen) queueMicrotask(() => each.onmessage?.({ data }));
  }
}
vi.stubGlobal("BroadcastChannel", Told);

const address = vi.fn<(state: unknown, unused: string, to: string) => void>();
vi.stubGlobal("history", { replaceState: address, pushState: address });

const localKey = randomBytes(32);
let sent: Record<string, unknown>[] = [];
let made = 0;

async function tab() {
  vi.resetModules();
  const sealed = await import("../src/storage/sealed");
  const drafts = await import("../src/chat/drafts");
  const conversations = await import("../src/chat/conversations");
  const outbox = await import("../src/chat/outbox");
  const { politeText } = await import("../src/app/announcer");
  await sealed.adoptLocalKey("u", localKey.slice());
  outbox.startOutbox();
  return { ...drafts, ...conversations, ...outbox, politeText };
}
type Tab = Awaited<ReturnType<typeof tab>>;

let one: Tab;
let two: Tab;

const texts = ({ outbox }: Tab) => outbox.value.map(({ text }) => text);
const calls = (method: string) => keeper.request.mock.calls.filter(([called]) => called === method).length;

/** Both tabs are connected at the same time. */
function connect(): void {
  keeper.online.value = true;
  for (const listener of keeper.listeners) listener();
}

/** Nothing is on its way in any of these; answers have ended meanwhile. */
async function drained(...tabs: Tab[]): Promise<void> {
  await vi.waitFor(() => {
    for (const { state } of tabs.map((each) => each.threadFor("c1"))) if (state.value.running) state.value = { ...state.value, running: null };
    expect(tabs.flatMap(texts)).toEqual([]);
  });
  await Promise.all(tabs.map((each) => each.flush()));
}

beforeEach(async () => {
  database.stored.clear();
  database.full.clear();
  Told.open.clear();
  Told.frozen = false;
  keeper.listeners.clear();
  keeper.hears.clear();
  keeper.online.value = false;
  sent = [];
  made = 0;
  keeper.request.mockReset().mockImplementation(async (method, params) => {
    // An answer takes its time: the other tab goes on meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (method === "chat.create") return { conversation: `c${++made}` };
    if (method === "chat.list") return { conversations: [] };
    if (method === "chat.open") return { messages: [], running: null, seq: 0 };
    sent.push(params ?? {});
    return { turn: params?.key, at: 1 };
  });
  [one, two] = [await tab(), await tab()];
});

afterEach(() => address.mockReset());

describe("a message that was typed offline into a new conversation", () => {
  it.each([false, true])("is sent once, into one conversation, by two tabs that are connected at the same time (frozen meanwhile: %s)", async (frozen) => {
    const conversation = one.newConversationId();
    await one.enqueue({ conversation, op: "send", text: "hello" });
    await vi.waitFor(() => expect(texts(two)).toEqual(["hello"]));
    Told.frozen = frozen;
    connect();
    await drained(one, two);
    expect(calls("chat.create")).toBe(1);
    expect(sent).toEqual([expect.objectContaining({ conversation: "c1", text: "hello" })]);
  });

  it("takes along what was typed for it in the other tab, and whoever looks at it there", async () => {
    const conversation = one.draftConversation.value;
    await one.enqueue({ conversation, op: "send", text: "first" });
    await vi.waitFor(() => expect(texts(two)).toEqual(["first"]));
    two.draftConversation.value = conversation;
    two.setDraft(conversation, "half a thought");
    await two.enqueue({ conversation, op: "send", text: "second" });
    connect();
    await drained(one, two);
    expect(calls("chat.create")).toBe(1);
    expect(sent).toMatchObject([{ conversation: "c1", text: "first" }, { conversation: "c1", text: "second" }]);
    await vi.waitFor(() => expect(two.draftConversation.value).not.toBe(conversation));
    expect(two.draftOf("c1")).toBe("half a thought");
    expect(address.mock.calls.map(([, , to]) => to), "both look at it").toEqual(["/c/c1", "/c/c1"]);
  });
});

describe("what is typed in two tabs for one new conversation", () => {
  it("goes into one, the first of it first, also where neither has heard of the other", async () => {
    const conversation = one.draftConversation.value;
    Told.frozen = true;
    await one.enqueue({ conversation, op: "send", text: "first" });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await two.enqueue({ conversation, op: "send", text: "second" });
    keeper.online.value = true;
    await two.flush();
    await drained(two);
    expect(calls("chat.create")).toBe(1);
    expect(sent).toMatchObject([{ conversation: "c1", text: "first" }, { conversation: "c1", text: "second" }]);
  });
});

describe("a message that waits", () => {
  it("is seen and heard of in all tabs, also by one that has no connection of its own", async () => {
    await one.enqueue({ conversation: "c", op: "send", text: "hello" });
    await vi.waitFor(() => expect(texts(two)).toEqual(["hello"]));
    keeper.online.value = true;
    await one.flush();
    await vi.waitFor(() => expect(texts(two)).toEqual([]));
    expect(two.threadFor("c").state.value.messages).toMatchObject([{ role: "user", parts: [{ text: "hello" }] }]);
    expect(two.politeText.value).toBe("Sent");
    expect(sent).toHaveLength(1);
  });

  it("and was taken back in one tab is not sent by another that has not heard of it", async () => {
    await one.enqueue({ conversation: "c", op: "send", text: "hello" });
    await vi.waitFor(() => expect(texts(two)).toEqual(["hello"]));
    Told.frozen = true;
    expect(await two.discard(two.outbox.value[0]?.key ?? "")).toMatchObject({ text: "hello" });
    expect(texts(one), "it has not heard of it").toEqual(["hello"]);
    keeper.online.value = true;
    await one.flush();
    expect(sent).toEqual([]);
    expect(texts(one)).toEqual([]);
  });

  it("and was taken back in one tab is gone from the others", async () => {
    await one.enqueue({ conversation: "c", op: "send", text: "hello" });
    await vi.waitFor(() => expect(texts(two)).toEqual(["hello"]));
    await two.discard(two.outbox.value[0]?.key ?? "");
    await vi.waitFor(() => expect(texts(one)).toEqual([]));
    expect([...database.stored.keys()].filter((key) => key.startsWith("outbox/"))).toEqual([]);
  });

  it("cannot be taken back once the other tab has sent it", async () => {
    await one.enqueue({ conversation: "c", op: "send", text: "hello" });
    await vi.waitFor(() => expect(texts(two)).toEqual(["hello"]));
    Told.frozen = true;
    keeper.online.value = true;
    const sending = one.flush();
    await vi.waitFor(() => expect(calls("chat.send")).toBe(1));
    expect(await two.discard(two.outbox.value[0]?.key ?? "")).toBeUndefined();
    await sending;
    expect(sent).toHaveLength(1);
  });

  it("is sent when the tab that was sending it is gone", async () => {
    await one.enqueue({ conversation: "c", op: "send", text: "hello" });
    const { key, ...entry } = one.outbox.value[0] as Tab["outbox"]["value"][number];
    const { putSealed } = await import("../src/storage/sealed");
    await putSealed("outbox", key, { ...entry, key, state: "sending" });
    connect();
    await drained(one, two);
    expect(sent).toMatchObject([{ key }]);
  });

  it("goes out also where the browser's storage takes nothing more, and is said to be only in this page until then", async () => {
    database.full.add("outbox");
    await one.enqueue({ conversation: "c", op: "send", text: "hello" });
    await one.enqueue({ conversation: "c", op: "send", text: "and more" });
    expect(one.onlyHere.value).toEqual(new Set(one.outbox.value.map(({ key }) => key)));
    database.full.clear();
    await one.enqueue({ conversation: "c", op: "send", text: "there is room" });
    expect(one.onlyHere.value.size).toBe(2);
    connect();
    await drained(one, two);
    expect(sent).toHaveLength(3);
    expect(one.onlyHere.value.size).toBe(0);
  });
});

describe("a message whose answer comes late", () => {
  it("is sent once the keeper tells that it has accepted it", async () => {
    // The module as the tab that was opened last has it.
    const { ChannelError } = await import("../src/channel/messages");
    keeper.request.mockRejectedValueOnce(new ChannelError("no_answer", "There was no answer in time."));
    await two.enqueue({ conversation: "c", op: "send", text: "hello" });
    keeper.online.value = true;
    await two.flush();
    const [entry] = two.outbox.value;
    expect(entry).toMatchObject({ state: "unconfirmed" });
    for (const hear of keeper.hears) hear("chat", { conversation: "c", seq: 1, turn: "another", kind: "accepted" });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(texts(two)).toEqual(["hello"]);
    for (const hear of keeper.hears) hear("chat", { conversation: "c", seq: 2, turn: entry?.key, kind: "accepted" });
    await vi.waitFor(() => expect([texts(one), texts(two)]).toEqual([[], []]));
    expect(sent, "nothing was sent a second time").toEqual([]);
  });

  it("has the time that the agent needs to start, where only the agent has what stands before it", async () => {
    keeper.online.value = true;
    await one.enqueue({ conversation: "c", op: "regenerate", message: "a-1", text: "" });
    await drained(one, two);
    await one.enqueue({ conversation: "c", op: "send", text: "hello" });
    await drained(one, two);
    const asked = keeper.request.mock.calls.filter(([method]) => method === "chat.regenerate" || method === "chat.send");
    expect(asked.map(([method, , options]) => [method, options?.answerMs])).toEqual([["chat.regenerate", one.HISTORY_MS], ["chat.send", undefined]]);
  });
});
