/** A keeper that is not the one that was registered with, and a platform that changes what it passes on, against the page's own client. */
import { ready, server } from "@serenity-kit/opaque";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { fromBase64Url, randomBytes, toBase64Url } from "../src/channel/bytes";
import { FrameSealer, JSON_KIND } from "../src/channel/frames";
import { directionKeys, sealResumeSecret } from "../src/channel/keys";
import { normalisedPassword } from "../src/channel/opaque-names";
import { FakeSocket } from "./keeper-side";
import { CELL, KEEPER_KEY, OpaqueKeeper, PASSWORD, type Said, SLOT } from "./opaque-keeper";

vi.mock("../src/channel/trusted-urls", () => import("./worker-here"));

const { Handshake } = await import("../src/channel/handshake");

const secret = normalisedPassword(PASSWORD);
/** Each log-in stretches the password as a page does, which takes as long as it takes on a busy machine. */
vi.setConfig({ testTimeout: 60_000 });

beforeAll(() => ready);

beforeEach(() => {
  vi.stubGlobal("WebSocket", FakeSocket);
  FakeSocket.opened = [];
});

afterEach(() => {
  FakeSocket.onopen = undefined;
  vi.unstubAllGlobals();
});

function open(keeper: OpaqueKeeper) {
  FakeSocket.onopen = keeper.serve;
  return Handshake.open("wss://holdfast.example/api/v1/channel", "token", () => undefined);
}

async function login(keeper: OpaqueKeeper, known?: string) {
  return (await open(keeper)).login(SLOT, secret, known);
}

/** Why it was refused, and that the other end learned nothing after its answer. */
async function refusal(keeper: OpaqueKeeper, known?: string): Promise<string> {
  const error: unknown = await login(keeper, known).then(
    () => "it was not refused",
    (error: unknown) => error,
  );
  expect(error).toMatchObject({ name: "ChannelError" });
  expect(keeper.types, "nothing is sent to who has not proved itself").toEqual(["hello", "login_start"]);
  return (error as { code: string }).code;
}

/** The recorded keeper, behind a platform that changes its answers of one type. */
function meddled(type: string, change: (said: Said) => (Said | string | Uint8Array)[]): OpaqueKeeper {
  const keeper = OpaqueKeeper.recorded();
  keeper.tell = (said) => (said.type === type ? change(said) : [said]);
  return keeper;
}

function withBytes(said: Said, change: (response: Uint8Array<ArrayBuffer>) => Uint8Array): Said {
  return { ...said, response: toBase64Url(change(fromBase64Url(said.response as string))) };
}

describe("promise_02: the page's client logs in to", () => {
  it("the keeper that wrote down the registration, and learns its public key", async () => {
    const { channel, keeper } = await login(OpaqueKeeper.recorded());
    expect(keeper).toBe(KEEPER_KEY);
    expect(channel.ready.vault).toBe("locked");
  });
});

describe("promise_02: the page's client refuses", () => {
  it("a keeper with a registration of its own, for a password that it made up", async () => {
    expect(await refusal(OpaqueKeeper.registered("made up"))).toBe("wrong_secret");
  });

  it("a keeper that has stolen the registration and not the keeper's keys", async () => {
    const thief = OpaqueKeeper.recorded();
    thief.setup = server.createSetup();
    expect(await refusal(thief)).toBe("wrong_secret");
  });

  it("another keeper that knows even the password, by its public key", async () => {
    const another = OpaqueKeeper.registered(PASSWORD);
    // Who has never been here cannot know it.
    expect(await refusal(another, KEEPER_KEY)).toBe("other_keeper");
  });

  it("another keeper's public key in the place of the registered one's, at the first log-in", async () => {
    const keeper = OpaqueKeeper.empty();
    const foreign = fromBase64Url(server.getPublicKey(server.createSetup()));
    // RegistrationResponse: evaluation 0..32, the keeper's public key 32..64.
    keeper.tell = (said) => [
      said.type === "register_response"
        ? withBytes(said, (response) => {
            expect(response).toHaveLength(64);
            response.set(foreign, 32);
            return response;
          })
        : said,
    ];
    const handshake = await open(keeper);
    expect(await handshake.register("claim", "password", secret)).toBe(SLOT);
    await expect(handshake.login(SLOT, secret)).rejects.toMatchObject({ code: "wrong_secret" });
    expect(keeper.types).toEqual(["hello", "register_start", "register_finish", "login_start"]);
  });

  // OPAQUE's KE2: evaluation 0..32, masking nonce 32..64, masked (public key, envelope) 64..192, key exchange 192..320, of it the MAC 256..320.
  it.each([
    ["the evaluation", 5, ["wrong_secret", "malformed"]],
    ["the masked public key", 70, ["wrong_secret"]],
    ["the envelope", 130, ["wrong_secret"]],
    ["the key exchange's public key", 240, ["wrong_secret", "malformed"]],
    ["the MAC", 300, ["wrong_secret"]],
  ])("an answer of which one bit was changed, in %s", async (_what, at, codes) => {
    const keeper = meddled("login_response", (said) => [
      withBytes(said, (response) => {
        expect(response).toHaveLength(320);
        response[at] = (response[at] ?? 0) ^ 1;
        return response;
      }),
    ]);
    expect(codes).toContain(await refusal(keeper));
  });

  it("an answer whose MAC was stripped, emptied or taken from another", async () => {
    const stripped = meddled("login_response", (said) => [withBytes(said, (response) => response.subarray(0, 256))]);
    expect(await refusal(stripped)).toBe("malformed");
    const emptied = meddled("login_response", (said) => [withBytes(said, (response) => response.fill(0, 256))]);
    expect(await refusal(emptied)).toBe("wrong_secret");
    let before: Uint8Array | undefined;
    const taken = meddled("login_response", (said) => [
      withBytes(said, (response) => {
        const mac = response.slice(256);
        if (before) response.set(before, 256);
        before = mac;
        return response;
      }),
    ]);
    await login(taken);
    taken.heard.length = 0;
    expect(await refusal(taken)).toBe("wrong_secret");
  });

  it("a cost of guessing that was lowered: what says so is ignored, and a registration that was made cheap does not fit", async () => {
    const cheap = { ksf: { memory: 8, iterations: 1, parallelism: 1 }, keyStretching: { "argon2id-custom": { memory: 8, iterations: 1, parallelism: 1 } } };
    const lowered = OpaqueKeeper.recorded();
    lowered.tell = (said) => [{ ...said, ...cheap }];
    await expect(login(lowered)).resolves.toMatchObject({ slot: SLOT });
    expect(await refusal(OpaqueKeeper.registered(PASSWORD, cheap.keyStretching as never))).toBe("wrong_secret");
  });

  it("a hello of another version, and one that is none", async () => {
    for (const version of [0, 2]) {
      const keeper = OpaqueKeeper.recorded();
      keeper.version = version;
      await expect(open(keeper), `${version}`).rejects.toMatchObject({ code: "version" });
      expect(keeper.types).toEqual(["hello"]);
    }
    for (const none of ["hello", "null", "[]", "{}", '{"type":1}'])
      await expect(open(meddled("hello", () => [none])), none).rejects.toMatchObject({ code: "malformed" });
    await expect(open(meddled("hello", () => [randomBytes(60)]))).rejects.toMatchObject({ code: "malformed" });
  });

  it("an answer of an earlier log-in", async () => {
    let recorded: Said | undefined;
    const replaying = meddled("login_response", (said) => [(recorded ??= said)]);
    await login(replaying);
    replaying.heard.length = 0;
    expect(await refusal(replaying)).toBe("wrong_secret");
  });

  it("the answer for another slot", async () => {
    const other = OpaqueKeeper.registered(PASSWORD, "memory-constrained", "0198a2c4-1b7e-7c3a-9d11-00000000ffff");
    expect(await refusal(other)).toBe("wrong_secret");
  });

  it("answers out of turn: another one first, the hello again, or one twice", async () => {
    const early = (said: Said): Said[] => [{ type: "registered", slot: SLOT }, said];
    expect(await refusal(meddled("login_response", early))).toBe("malformed");
    const again: Said = { type: "hello", version: 1, cell: CELL, vault: "locked", slots: [] };
    expect(await refusal(meddled("login_response", (said) => [again, said]))).toBe("malformed");
    const twice = meddled("login_response", (said) => [said, said]);
    await expect(login(twice)).rejects.toMatchObject({ code: "malformed" });
  });

  it("an end that cannot seal the first frame", async () => {
    const forged = directionKeys(randomBytes(64));
    const body = new TextEncoder().encode('{"event":"ready","data":{"ticket":"","secret":"","vault":"unlocked"}}');
    const forgeries: [string, (frames: Uint8Array[]) => (Uint8Array | string)[], string][] = [
      ["another key", () => [new FrameSealer(forged.keeperToClient).seal(JSON_KIND, body)], "tampered"],
      ["the second before the first", ([first, second]) => [second ?? "", first ?? ""], "tampered"],
      ["no frame at all", () => ['{"type":"registered"}'], "malformed"],
    ];
    for (const [what, frames, code] of forgeries) {
      const keeper = OpaqueKeeper.recorded();
      keeper.frames = frames;
      await expect(login(keeper), what).rejects.toMatchObject({ code });
    }
  });

  it("the first frame of an earlier channel, and its own frame sent back", async () => {
    const keeper = OpaqueKeeper.recorded();
    let recorded: Uint8Array | undefined;
    keeper.frames = (frames) => [(recorded ??= frames[0] as Uint8Array)];
    const { channel } = await login(keeper);
    const socket = FakeSocket.opened.at(-1) as FakeSocket;
    // Its number is the one that the keeper's next frame would have.
    socket.onsend = (frame) => {
      if ((frame as Uint8Array)[8] === 1) socket.deliver(frame);
    };
    const asked = [channel.request("vault.status"), channel.request("vault.status")];
    for (const each of asked) await expect(each).rejects.toMatchObject({ code: "tampered", message: "a frame was changed on its way" });
    await expect(login(keeper)).rejects.toMatchObject({ code: "tampered" });
  });

  it("a first frame that is repeated, or out of its order", async () => {
    const meddling: [string, (frames: Uint8Array[]) => Uint8Array[]][] = [
      ["repeated", ([first, second]) => [first, first, second] as Uint8Array[]],
      ["one left out", ([first]) => [first, first] as Uint8Array[]],
    ];
    for (const [what, frames] of meddling) {
      const keeper = OpaqueKeeper.recorded();
      keeper.frames = frames;
      const { channel } = await login(keeper);
      expect(channel.closed, what).toBe(true);
      await expect(channel.request("vault.unlock"), what).rejects.toMatchObject({ code: "tampered", message: "a frame was repeated, dropped or moved" });
    }
  });

  it("a keeper that does not know the secret of its ticket, or changes what the keys are made of", async () => {
    const resuming = OpaqueKeeper.recorded();
    FakeSocket.onopen = (socket) => {
      resuming.serve(socket);
      const served = socket.onsend;
      socket.onsend = (message) => {
        if (!(message as string).includes('"resume"')) return served?.(message);
        socket.deliver(JSON.stringify({ type: "resumed", nonce: toBase64Url(randomBytes(32)) }));
        socket.deliver(new FrameSealer(directionKeys(randomBytes(64)).keeperToClient).seal(JSON_KIND, new Uint8Array(40)));
      };
    };
    const handshake = await Handshake.open("wss://holdfast.example/api/v1/channel", "token", () => undefined);
    const resumed = handshake.resume(randomBytes(32), await sealResumeSecret(randomBytes(32)));
    await expect(resumed).rejects.toMatchObject({ code: "tampered" });
  });

  it("loses nothing by it: the next log-in to the keeper opens the vault", async () => {
    const thief = OpaqueKeeper.recorded();
    thief.setup = server.createSetup();
    await refusal(thief, KEEPER_KEY);
    await expect(login(OpaqueKeeper.recorded(), KEEPER_KEY)).resolves.toMatchObject({ slot: SLOT });
  });
});
