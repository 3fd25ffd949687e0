import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ANSWER_MS, Channel, PROBE_MS } from "../src/channel/channel";
import { Handshake } from "../src/channel/handshake";
import { directionKeys } from "../src/channel/keys";
import type { ChannelError } from "../src/channel/messages";
import { CONNECT_MS, Wire } from "../src/channel/wire";
import { FakeSocket, KeeperSide } from "./keeper-side";

const keys = directionKeys(new Uint8Array(64).fill(7));

async function established(): Promise<{ channel: Channel; keeper: KeeperSide; socket: FakeSocket; closed: () => ChannelError | undefined }> {
  const wire = await Wire.open("wss://holdfast.example/api/v1/channel", []);
  const socket = FakeSocket.opened.at(-1) as FakeSocket;
  const keeper = new KeeperSide(socket, keys);
  const channel = Channel.establish(wire, keys, keeper.seal({ event: "ready", data: { ticket: "", secret: "", vault: "unlocked" } }) as Uint8Array<ArrayBuffer>);
  let why: ChannelError | undefined;
  channel.onclose = (error) => (why = error);
  channel.listen(() => undefined);
  return { channel, keeper, socket, closed: () => why };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  FakeSocket.opened = [];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a channel that goes silent", () => {
  it("is closed when a call stays unanswered and nothing else came, and says so to every other call", async () => {
    const { channel, socket, closed } = await established();
    const other = channel.request("chat.open", {}, { answerMs: 600_000 }).catch((error: unknown) => error);
    const call = channel.request("chat.send").catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(ANSWER_MS);
    expect(await call).toMatchObject({ code: "no_answer" });
    expect(await other).toMatchObject({ code: "closed" });
    expect(closed()).toMatchObject({ code: "closed" });
    expect(socket.closed).toBe(true);
    await expect(channel.request("vault.status")).rejects.toMatchObject({ code: "closed" });
  });

  it("is asked once more when something else came meanwhile, and stays when it answers", async () => {
    const { channel, keeper, closed } = await established();
    keeper.answer = ({ method }) => (method === "vault.status" ? {} : undefined);
    const call = channel.request("share.use").catch((error: unknown) => error);
    keeper.say("cell", { phase: "ready", since: 0 });
    await vi.advanceTimersByTimeAsync(ANSWER_MS);
    expect(await call).toMatchObject({ code: "no_answer" });
    expect(keeper.methods).toEqual(["share.use", "vault.status"]);
    await vi.advanceTimersByTimeAsync(10 * PROBE_MS);
    expect(closed()).toBeUndefined();
    expect(channel.closed).toBe(false);
  });

  it("is closed when it does not answer that question either", async () => {
    const { channel, keeper, closed } = await established();
    const call = channel.request("share.use").catch((error: unknown) => error);
    keeper.say("cell", { phase: "ready", since: 0 });
    await vi.advanceTimersByTimeAsync(ANSWER_MS);
    expect(await call).toMatchObject({ code: "no_answer" });
    expect(closed()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(PROBE_MS);
    expect(closed()).toMatchObject({ code: "closed" });
  });

  it("is probed by one call that does not keep the vault from locking, however often somebody comes back", async () => {
    const { channel, keeper, closed } = await established();
    channel.probe();
    channel.probe();
    expect(keeper.methods).toEqual(["vault.status"]);
    await vi.advanceTimersByTimeAsync(PROBE_MS);
    expect(closed()).toMatchObject({ code: "closed" });
  });

  it("takes whatever comes as a sign of life", async () => {
    const { channel, keeper, closed } = await established();
    channel.probe();
    keeper.say("cell", { phase: "ready", since: 0 });
    await vi.advanceTimersByTimeAsync(PROBE_MS);
    expect(closed()).toBeUndefined();
    channel.probe();
    expect(keeper.methods, "the next look asks again").toHaveLength(2);
  });

  it("is given time while something large still goes out, and no longer", async () => {
    const { channel, socket, closed } = await established();
    socket.bufferedAmount = 700_000;
    channel.probe();
    socket.bufferedAmount = 400_000;
    await vi.advanceTimersByTimeAsync(PROBE_MS);
    expect(closed(), "it goes out").toBeUndefined();
    await vi.advanceTimersByTimeAsync(PROBE_MS);
    expect(closed(), "it is stuck").toMatchObject({ code: "closed" });
  });
});

describe("a connection that comes to nothing", () => {
  it("is given up when it does not stand in time", async () => {
    class DeadEnd extends FakeSocket {
      override dispatchEvent(event: Event): boolean {
        return event.type === "open" ? true : super.dispatchEvent(event);
      }
    }
    vi.stubGlobal("WebSocket", DeadEnd);
    const opening = Wire.open("wss://holdfast.example/api/v1/channel", []).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(CONNECT_MS);
    expect(await opening).toMatchObject({ code: "unreachable" });
    expect(FakeSocket.opened[0]?.closed).toBe(true);
  });

  it("ends a handshake whose next step nobody answers, so that the password can be tried over another one", async () => {
    FakeSocket.onopen = (socket) => {
      socket.onsend = (message) => {
        if (typeof message === "string" && message.includes('"hello"')) socket.deliver(JSON.stringify({ type: "hello", version: 1, cell: "c", vault: "unlocked", slots: [] }));
      };
    };
    try {
      const handshake = await Handshake.open("wss://holdfast.example/api/v1/channel", "token", () => undefined);
      const resumed = handshake.resume(new Uint8Array(16), {} as CryptoKey).catch((error: unknown) => error);
      await vi.advanceTimersToNextTimerAsync();
      expect(await resumed).toMatchObject({ code: "closed" });
      expect(handshake.closed).toBe(true);
    } finally {
      FakeSocket.onopen = undefined;
    }
  });
});
