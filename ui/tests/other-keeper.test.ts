/** The page knows its keeper again: what it remembers of it, and what a person is told when another one answers. */
import { ready } from "@serenity-kit/opaque";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { randomBytes, toBase64Url } from "../src/channel/bytes";
import "./fake-page";
import type { Call } from "./keeper-side";
import { FakeSocket } from "./keeper-side";
import { stored } from "./memory-database";
import { CELL, KEEPER_KEY, OpaqueKeeper, PASSWORD, SLOT } from "./opaque-keeper";

vi.mock("../src/channel/trusted-urls", () => import("./worker-here"));
vi.mock("../src/storage/database", () => import("./memory-database"));

const { account } = await import("../src/app/account");
const link = await import("../src/app/link");

vi.setConfig({ testTimeout: 60_000 });

const slot = { id: SLOT, kind: "password" as const, name: "" };

function answer({ method }: Call): unknown {
  if (method === "vault.unlock") return { vault: "unlocked", local_key: toBase64Url(randomBytes(32)), epoch: 7 };
  if (method === "vault.status") return { vault: "unlocked", slots: [slot], phrase_confirmed: true, epoch: 7 };
  return {};
}

function serve(keeper: OpaqueKeeper): OpaqueKeeper {
  keeper.answer = answer;
  FakeSocket.onopen = keeper.serve;
  return keeper;
}

/** Comes in and goes again, with the tab closed behind. */
async function visit(): Promise<void> {
  await link.unlockSlot(slot, PASSWORD);
  expect(link.link.value.at).toBe("open");
  await link.signOut();
}

beforeAll(() => ready);

beforeEach(() => {
  stored.clear();
  FakeSocket.opened = [];
  account.value = { at: "in", me: { user: { id: "u", name: "Anna", email: "anna@example.org", role: "owner" }, tenant: { id: "t", name: "T" }, cell: { id: CELL } } };
});

afterEach(() => {
  FakeSocket.onopen = undefined;
});

it("promise_02: a browser that was here refuses another keeper, though it has the cell's name and the password, and lets its own in again", async () => {
  const me = account.value;
  serve(OpaqueKeeper.recorded());
  await visit();
  expect(stored.get("pins/u")).toEqual({ cell: CELL, epoch: 7, keeper: KEEPER_KEY });

  account.value = me;
  const another = serve(OpaqueKeeper.registered(PASSWORD));
  await expect(link.unlockSlot(slot, PASSWORD)).rejects.toThrow("another keeper");
  expect(link.link.value).toMatchObject({ at: "refused", problem: "other_keeper" });
  expect(another.types, "it is sent no proof, and no key").toEqual(["hello", "login_start"]);
  expect(stored.get("pins/u")).toEqual({ cell: CELL, epoch: 7, keeper: KEEPER_KEY });
  // Not tried again by itself: a person looks first, and then leaves or loads the page anew.
  await link.connect();
  expect(FakeSocket.opened.filter((socket) => !socket.closed)).toHaveLength(0);
  await link.signOut();

  account.value = me;
  serve(OpaqueKeeper.recorded());
  await visit();
});

it("a browser from before keepers were remembered learns its keeper at the next log-in", async () => {
  stored.set("pins/u", { cell: CELL, epoch: 5 });
  serve(OpaqueKeeper.recorded());
  await visit();
  expect(stored.get("pins/u")).toEqual({ cell: CELL, epoch: 7, keeper: KEEPER_KEY });
});
