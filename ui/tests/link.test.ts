import { effect } from "@preact/signals-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fromBase64Url, randomBytes, toBase64Url } from "../src/channel/bytes";
import { ANSWER_MS, PROBE_MS } from "../src/channel/channel";
import { directionKeys, resumedSessionKey, sealResumeSecret } from "../src/channel/keys";
import { fakeDocument, fakeWindow } from "./fake-page";
import { ChannelError } from "../src/channel/messages";
import { type Call, FakeSocket, KeeperSide } from "./keeper-side";
import { stored } from "./memory-database";

vi.mock("../src/storage/database", () => import("./memory-database"));

const { account } = await import("../src/app/account");
const link = await import("../src/app/link");
const { startConversations } = await import("../src/chat/conversations");
const { enqueue, outbox, startOutbox } = await import("../src/chat/outbox");
const { tellConnection, LOST_MS } = await import("../src/app/tell-connection");
const { alertText, politeText } = await import("../src/app/announcer");
type Outgoing = (typeof outbox.value)[number];

const ticketSecret = randomBytes(32);
const keepers: KeeperSide[] = [];
/** What the keeper of a new connection answers. */
let answers: (call: Call) => unknown;

function living({ method }: Call): unknown {
  if (method === "vault.status") return { vault: "unlocked", slots: [], phrase_confirmed: true, epoch: 1 };
  if (method === "chat.list") return { conversations: [] };
  if (method === "chat.open") return { messages: [], running: null, seq: 0 };
  if (method === "chat.send") return { turn: "t", at: 1 };
  return {};
}

const ready = (): object => ({ ticket: toBase64Url(randomBytes(16)), secret: toBase64Url(ticketSecret.slice()), vault: "unlocked" });

/** Plays a keeper whose vault is open, to a browser that has a ticket. */
function keep(socket: FakeSocket): void {
  socket.onsend = (message) => {
    const said = JSON.parse(message as string) as { type: string; nonce?: string };
    if (said.type === "hello") socket.deliver(JSON.stringify({ type: "hello", version: 1, cell: "cell", vault: "unlocked", slots: [] }));
    else if (said.type === "resume") void resume(socket, fromBase64Url(said.nonce ?? ""));
  };
}

async function resume(socket: FakeSocket, theirs: Uint8Array<ArrayBuffer>): Promise<void> {
  const mine = randomBytes(32);
  const session = await resumedSessionKey(await sealResumeSecret(ticketSecret.slice()), theirs, mine);
  const keeper = new KeeperSide(socket, directionKeys(session));
  keeper.answer = (call) => answers(call);
  keepers.push(keeper);
  socket.deliver(JSON.stringify({ type: "resumed", nonce: toBase64Url(mine) }));
  socket.deliver(keeper.seal({ event: "ready", data: ready() }));
}

/** Resolves when the link is so, now or later. */
function until(at: string, sockets: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      if (link.link.value.at === at && FakeSocket.opened.length === sockets) queueMicrotask(() => (stop(), resolve()));
    });
  });
}

/** Resolves when the outbox is so, now or later. */
function untilOutbox(is: (entries: readonly Outgoing[]) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      if (is(outbox.value)) queueMicrotask(() => (stop(), resolve()));
    });
  });
}

const inState = (state: string) => untilOutbox((entries) => entries.length === 1 && entries[0]?.state === state);
const allSent = () => untilOutbox((entries) => entries.length === 0);

/** Sealing takes time of its own, which timers that are not real do not give it. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 100; turns++) await crypto.subtle.digest("SHA-256", new Uint8Array(1));
}

/** How often each keeper was asked to send something. */
const sends = () => keepers.map(({ methods }) => methods.filter((method) => method === "chat.send").length);

/** Somebody who has a ticket signs in, and is connected by itself. */
async function signedIn(): Promise<void> {
  const { adoptLocalKey } = await import("../src/storage/sealed");
  const { keepTicket } = await import("../src/storage/resume");
  account.value = { at: "in", me: { user: { id: "u", name: "Anna", email: "anna@example.org", role: "owner" }, tenant: { id: "t", name: "T" }, cell: { id: "cell" } } };
  await adoptLocalKey("u", randomBytes(32));
  await keepTicket("u", ready() as never);
  void link.connect();
}

beforeEach(async () => {
  vi.useFakeTimers();
  stored.clear();
  keepers.length = 0;
  answers = living;
  FakeSocket.opened = [];
  FakeSocket.onopen = keep;
  await signedIn();
  await until("open", 1);
});

afterEach(async () => {
  await link.signOut();
  vi.useRealTimers();
});

link.watchNetwork();
startConversations();
startOutbox();
tellConnection();

const somebodyComesBack: [string, () => void][] = [
  ["the page is looked at again", () => fakeDocument.dispatchEvent(new Event("visibilitychange"))],
  ["the network comes back", () => fakeWindow.dispatchEvent(new Event("online"))],
];

describe("a link that stands", () => {
  it("knows what the keeper's clock shows, before anything else is told", async () => {
    const { byThisClock } = await import("../src/app/keeper-clock");
    const anHourBehind = Date.now() - 3_600_000;
    await link.signOut();
    answers = (call) => ({ ...(living(call) as object), ...(call.method === "vault.status" ? { now: anHourBehind } : {}) });
    let told = 0;
    const ear = () => (told ||= byThisClock(anHourBehind - 5_000));
    link.onOpen(ear);
    await signedIn();
    await until("open", 2);
    expect(told).toBe(Date.now() - 5_000);
  });

  it.each(["answer", "event"])("knows by the %s that not everything was saved before the lock, until it is unlocked", async (by) => {
    answers = (call) => (call.method !== "vault.lock" ? living(call) : by === "answer" ? { saved: false } : undefined);
    const locked = link.lockNow();
    if (by === "event") keepers[0]?.say("vault", { vault: "locked", reason: "asked", saved: false });
    await locked;
    expect(link.savedBeforeLock.value).toBe(false);
    await link.signOut();
    answers = living;
    await signedIn();
    await until("open", 2);
    expect(link.savedBeforeLock.value).toBe(true);
  });
});

describe("a link whose connection is half open", () => {
  it.each(somebodyComesBack)("is found when %s, and stands anew by itself", async (_name, comeBack) => {
    answers = () => undefined;
    const before = keepers[0]?.calls.length ?? 0;
    comeBack();
    expect(keepers[0]?.methods.slice(before)).toEqual(["vault.status"]);
    answers = living;
    await vi.advanceTimersByTimeAsync(PROBE_MS);
    expect(FakeSocket.opened[0]?.closed).toBe(true);
    expect(link.link.value.at, "it does not say that all is well").not.toBe("open");
    await vi.advanceTimersByTimeAsync(500);
    await until("open", 2);
  });

  it.each(somebodyComesBack)("stays when %s and its keeper answers", async (_name, comeBack) => {
    comeBack();
    await vi.advanceTimersByTimeAsync(10 * PROBE_MS);
    expect(link.link.value.at).toBe("open");
    expect(FakeSocket.opened).toHaveLength(1);
  });

  it("is not asked while nobody looks", () => {
    const before = keepers[0]?.calls.length;
    fakeDocument.visibilityState = "hidden";
    fakeDocument.dispatchEvent(new Event("visibilitychange"));
    fakeDocument.visibilityState = "visible";
    expect(keepers[0]?.calls).toHaveLength(before ?? -1);
  });

  it("is found by a message that nobody answers, which then goes over the next one with its key", async () => {
    answers = () => undefined;
    await enqueue({ conversation: "c", op: "send", text: "hello" });
    await inState("sending");
    answers = living;
    await vi.advanceTimersByTimeAsync(ANSWER_MS);
    await inState("unconfirmed");
    expect(alertText.value).toMatch(/^Delivery unconfirmed\. /);
    await vi.advanceTimersByTimeAsync(500);
    await until("open", 2);
    await allSent();
    const keys = keepers.map(({ calls }) => calls.filter(({ method }) => method === "chat.send").map(({ params }) => params.key));
    expect(keys.map((each) => each.length)).toEqual([1, 1]);
    expect(keys[0]).toEqual(keys[1]);
  });
});

describe("a session that is over", () => {
  const pageAnswers = fetch;
  const asked = vi.fn<(url: string) => Promise<Response>>();

  beforeEach(async () => {
    // Nothing asks for the session while the vault is locked.
    keepers[0]?.say("vault", { vault: "locked", reason: "idle" });
    await until("resting", 1);
    asked.mockReset().mockImplementation(() => Promise.resolve(Response.json({ code: "not_signed_in", detail: "Sign in." }, { status: 401 })));
    vi.stubGlobal("fetch", asked);
  });

  afterEach(async () => {
    vi.stubGlobal("fetch", pageAnswers);
    await signedIn();
    await until("open", 2);
  });

  it.each([
    ["the page is looked at again", () => fakeDocument.dispatchEvent(new Event("visibilitychange"))],
    ["its window is chosen again", () => fakeWindow.dispatchEvent(new Event("focus"))],
    ["the page that unlocks stands there", () => void link.stillSignedIn()],
  ])("is noticed when %s, before a password is typed", async (_name, comeBack) => {
    comeBack();
    await vi.waitFor(() => expect(account.value).toEqual({ at: "out", why: "over", organisation: "t" }));
    expect(asked).toHaveBeenCalledTimes(1);
    expect(asked.mock.calls[0]?.[0]).toBe("/api/v1/me");
  });

  it("is asked for once by all who want to know", async () => {
    fakeDocument.dispatchEvent(new Event("visibilitychange"));
    fakeWindow.dispatchEvent(new Event("focus"));
    await link.stillSignedIn();
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it("is signed out of as any", async () => {
    await link.signOut();
    expect(account.value).toEqual({ at: "out", why: "asked", organisation: "t" });
    expect(asked.mock.calls.map(([url]) => url)).toContain("/api/v1/sign-out");
  });

  it("is finished where a second factor is missing since", async () => {
    asked.mockImplementation(() => Promise.resolve(Response.json({ code: "factor_needed", detail: "Show it." }, { status: 403 })));
    await link.stillSignedIn();
    expect(account.value).toEqual({ at: "unknown" });
  });

  it.each([
    ["is there", () => Promise.resolve(Response.json({}))],
    ["is not known of, as the server does not answer", () => Promise.reject(new TypeError("no network"))],
  ])("is not what one is that %s", async (_name, answer) => {
    asked.mockImplementation(answer);
    const told = link.stillSignedIn();
    await vi.advanceTimersByTimeAsync(1_000);
    await told;
    expect(account.value.at).toBe("in");
  });
});

describe("a message that the keeper does not take yet", () => {
  it("is tried again when it said, and not before", async () => {
    answers = (call) => (call.method === "chat.send" ? new ChannelError("busy", "Your agent is being saved.", 5_000) : living(call));
    await enqueue({ conversation: "busy", op: "send", text: "hello" });
    await untilOutbox(([entry]) => entry?.problem !== undefined);
    await settled();
    await vi.advanceTimersByTimeAsync(4_900);
    await settled();
    expect(sends()).toEqual([1]);
    answers = living;
    await vi.advanceTimersByTimeAsync(200);
    await allSent();
    expect(sends()).toEqual([2]);
  });
});

describe("who cannot see it", () => {
  beforeEach(() => {
    alertText.value = "";
    politeText.value = "";
  });

  /** The line is dead, and each new one is, until it is mended. */
  function cut(): void {
    FakeSocket.onopen = (socket) => queueMicrotask(() => socket.dispatchEvent(new Event("close")));
    FakeSocket.opened.at(-1)?.dispatchEvent(new Event("close"));
  }

  async function mend(): Promise<void> {
    FakeSocket.onopen = keep;
    fakeWindow.dispatchEvent(new Event("online"));
    await vi.waitFor(() => expect(link.link.value.at).toBe("open"));
  }

  it("is told once that the connection is lost, that it is back, and when all is sent", async () => {
    cut();
    await enqueue({ conversation: "one", op: "send", text: "hello" });
    await enqueue({ conversation: "two", op: "send", text: "hello" });
    const alerts: string[] = [];
    const polite: string[] = [];
    const stop = [effect(() => void alerts.push(alertText.value)), effect(() => void polite.push(politeText.value))];
    await vi.advanceTimersByTimeAsync(10 * LOST_MS);
    expect(alerts).toEqual(["", expect.stringMatching(/^Connection lost\. /)]);
    await mend();
    await allSent();
    expect(alerts).toHaveLength(2);
    expect(polite).toEqual(["", "Connected again. 2 messages go out now", "All sent"]);
    for (const each of stop) each();
  });

  it("is not told of a moment without it", async () => {
    cut();
    await vi.advanceTimersByTimeAsync(300);
    await mend();
    await vi.advanceTimersByTimeAsync(10 * LOST_MS);
    expect([alertText.value, politeText.value]).toEqual(["", ""]);
  });

  it("is not told of it after a lock: the page that unlocks says how the connection is", async () => {
    cut();
    await vi.advanceTimersByTimeAsync(100);
    link.unlocked.value = false;
    await vi.advanceTimersByTimeAsync(10 * LOST_MS);
    expect(alertText.value).toBe("");
  });
});
