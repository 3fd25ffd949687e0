/** What the browser carries of recoveries: a stop to the keeper once the vault is open, and the contacts to a platform that missed them. */
import { signal } from "@preact/signals-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { OwnRequest, RecoveryHints } from "../src/api/http";
import { toBase64Url } from "../src/channel/bytes";
import { requestId } from "../src/channel/shares";
import type { OwnRecovery, Recovery } from "../src/trust/recovery";
import { stored } from "./memory-database";

const unlocked = signal(false);
/** What the keeper was told to stop. */
const stops: string[] = [];
/** What the keeper says instead of stopping. */
let refusal: Error | undefined;
let own: OwnRecovery | null = null;
let ended: OwnRecovery | null = null;

async function keeper(method: string, params?: { id?: string }): Promise<unknown> {
  await Promise.resolve();
  if (method === "post.outbox") return { letters: [] };
  if (method === "recovery.get") return { own, ended, held: [], asked: [] } satisfies Recovery;
  if (method !== "recovery.stop") throw new Error(`${method} is not expected`);
  if (refusal) throw refusal;
  stops.push(params?.id ?? "");
  return {};
}

const nobody: RecoveryHints = { contacts: [], threshold: 0, wait_ms: 0, request: null, stopped: [], asked: [] };
const platform = {
  hints: nobody,
  /** Requests that ended: whether because they were done. */
  ended: [] as boolean[],
  /** A list that was made at this moment is known to it. */
  newest: 0,
  asked: 0,
  /** Whom it was told of, each time. */
  told: [] as string[][],
  /** People who have left: it takes their ids, and names them to nobody. */
  left: new Set<string>(),
  reached: true,
  /** The keys of this vault are known to it. */
  known: true,
};

class Problem extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

vi.mock("../src/storage/database", () => import("./memory-database"));
vi.mock("../src/app/account", () => ({ me: () => ({ user: { id: "anna" } }) }));
vi.mock("../src/app/proof", () => ({}));
vi.mock("../src/trust/identities", () => ({
  publish: () => {
    platform.known = true;
    return Promise.resolve();
  },
}));
vi.mock("../src/app/link", () => ({ unlocked, request: keeper, slots: signal([]), online: signal(true) }));
vi.mock("../src/api/http", () => ({
  Problem,
  api: {
    recovery: () => Promise.resolve(platform.hints),
    letters: () => Promise.resolve({ letters: [] }),
    stopRecovery: (done: boolean) => {
      platform.ended.push(done);
      if (!done) platform.hints = { ...platform.hints, stopped: [asked.request] };
      return Promise.resolve();
    },
    recoveryContacts: ({ made, contacts, threshold, wait_ms, signature }: { made: number; contacts: string[]; threshold: number; wait_ms: number; signature: string }) => {
      if (!platform.reached) return Promise.reject(new TypeError("no connection"));
      if (!platform.known) return Promise.reject(new Problem("identity_unknown"));
      if (signature !== "signed by the vault") return Promise.reject(new Problem("not_signed"));
      platform.asked += 1;
      if (made < platform.newest) return Promise.reject(new Problem("contacts_older"));
      platform.told.push(contacts);
      const shown = contacts.filter((id) => !platform.left.has(id));
      platform.hints = { ...platform.hints, contacts: shown.map((id) => ({ id, name: id })), threshold, wait_ms };
      return Promise.resolve();
    },
  },
}));

/** Another page each time: what one page remembers is not what is tried here. */
async function page(): Promise<typeof import("../src/trust/recovery")> {
  vi.resetModules();
  return import("../src/trust/recovery");
}

let { done, laterKnown, lookAround, stopRequest } = await page();
let { ChannelError } = await import("../src/channel/messages");

const bytes = Uint8Array.of(1, 2, 3);
const asked: OwnRequest = { id: "r", request: toBase64Url(bytes), at: 0, releases: [] };

beforeEach(async () => {
  ({ done, laterKnown, lookAround, stopRequest } = await page());
  ({ ChannelError } = await import("../src/channel/messages"));
  stored.clear();
  stops.length = 0;
  refusal = undefined;
  own = null;
  ended = null;
  unlocked.value = false;
  Object.assign(platform, { hints: nobody, ended: [], newest: 0, asked: 0, told: [], left: new Set(), reached: true, known: true });
});

describe("a stop", () => {
  it("that was pressed while the vault was locked reaches the keeper after the next unlock, in whichever browser", async () => {
    await stopRequest(asked);
    await lookAround();
    expect([platform.ended, stops]).toEqual([[false], []]);
    stored.clear();
    const other = await page();
    unlocked.value = true;
    await other.lookAround();
    await other.lookAround();
    expect(stops).toEqual([requestId(bytes)]);
  });

  it("that was pressed while the vault is open reaches the keeper at once", async () => {
    unlocked.value = true;
    await stopRequest(asked);
    expect(stops).toEqual([requestId(bytes)]);
  });

  it("is not what ends a request that is done", async () => {
    unlocked.value = true;
    await done();
    await lookAround();
    expect([platform.ended, stops]).toEqual([[true], []]);
  });

  it("that the keeper could not take is told again", async () => {
    await stopRequest(asked);
    unlocked.value = true;
    refusal = new ChannelError("closed", "The connection was lost.");
    await expect(lookAround()).rejects.toBe(refusal);
    refusal = undefined;
    await lookAround();
    await lookAround();
    expect(stops).toEqual([requestId(bytes)]);
  });

  it("is forgotten where there are no contacts any more", async () => {
    await stopRequest(asked);
    unlocked.value = true;
    refusal = new ChannelError("not_set_up", "No recovery by contacts is set up.");
    await lookAround();
    refusal = undefined;
    await lookAround();
    expect(stops).toEqual([]);
  });
});

describe("the contacts that the keeper has", () => {
  const chosen: OwnRecovery = { slot: "s", version: 1, threshold: 2, wait_ms: 5, made: 1, contacts: ["ben", "cleo", "dora"].map((user) => ({ user, name: user })), signature: "signed by the vault" };

  beforeEach(() => {
    unlocked.value = true;
    own = chosen;
  });

  it("are told to a platform that missed them, until it was reached, and then no more", async () => {
    platform.reached = false;
    await expect(lookAround()).rejects.toThrow("no connection");
    platform.reached = true;
    for (let look = 0; look < 3; look++) await lookAround();
    expect(platform.told).toEqual([["ben", "cleo", "dora"]]);
  });

  it("are not told again and again when one of them has left", async () => {
    platform.left.add("dora");
    for (let look = 0; look < 5; look++) await lookAround();
    expect(platform.told).toHaveLength(1);
    platform.hints = { ...platform.hints, contacts: [] };
    await lookAround();
    expect(platform.told, "it has lost the others, too").toHaveLength(2);
    own = { ...chosen, version: 2, made: 2 };
    await lookAround();
    expect(platform.told, "others may have been chosen").toHaveLength(3);
  });

  it("are told to a platform that did not know the vault's keys yet", async () => {
    platform.known = false;
    await lookAround();
    expect(platform.told).toHaveLength(1);
  });

  it("are not told again and again to a platform that knows later ones, which every page knows until others are chosen", async () => {
    await lookAround();
    expect(laterKnown.value).toBe(false);
    platform.newest = 3;
    own = { ...chosen, version: 2, made: 2, threshold: 3 };
    for (let look = 0; look < 3; look++) await lookAround();
    expect([platform.asked, platform.told.length, laterKnown.value]).toEqual([2, 1, true]);
    const reloaded = await page();
    await reloaded.lookAround();
    expect([platform.asked, reloaded.laterKnown.value]).toEqual([2, true]);
    own = { ...chosen, version: 3, made: 4, threshold: 3 };
    await reloaded.lookAround();
    expect([platform.hints.threshold, reloaded.laterKnown.value]).toEqual([3, false]);
  });

  it("are missed where the vault is from before anybody was chosen", async () => {
    await lookAround();
    own = null;
    await lookAround();
    expect(laterKnown.value).toBe(true);
  });

  it("are nobody any more, for the platform too, once the recovery was ended", async () => {
    await lookAround();
    own = null;
    ended = { ...chosen, made: 9, threshold: 0, wait_ms: 0, contacts: [] };
    for (let look = 0; look < 2; look++) await lookAround();
    expect([platform.told.at(-1), platform.told.length, platform.hints.contacts, laterKnown.value]).toEqual([[], 2, [], false]);
  });
});
