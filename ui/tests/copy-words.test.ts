/** Copies of what is shared, in sentences: said before anything is shared, and where they lie. */
import { describe, expect, it } from "vitest";
import type { Route } from "../src/channel/messages";
import { areArguments, type Beside, canBeCopied, copyReadBack, firstRequest, givenCopyWords, heldCopyWords, isOfCopy } from "../src/shared/copy-words";
import type { GivenCopy, Received } from "../src/shared/shared";

const FRIDAY = new Date("2026-12-04T10:00:00").getTime();
const plain = { name: "calendar" } as Route;
const tools = { name: "notes", tools: { search: { does: "read", seen: "" }, add: { does: "write", seen: "" } } } as unknown as Route;
const beside: Beside = { kind: "read", passOn: false, most: "", path: "", route: plain };
const none: GivenCopy = { as_of: null, bytes: null, on_its_way: false, problem: null };

describe("a copy", () => {
  it("can be made of what is read alone, uncounted and not passed on", () => {
    expect(canBeCopied(beside)).toBe(true);
    for (const other of [{ kind: "write" as const }, { passOn: true }, { most: "3" }, { route: undefined }]) expect(canBeCopied({ ...beside, ...other })).toBe(false);
    expect(["search", "add", ""].map((path) => canBeCopied({ ...beside, route: tools, path }))).toEqual([true, false, false]);
    expect(["", ' {"days": 7}', "[1]", "null", "7 days"].map(areArguments)).toEqual([true, true, false, false, false]);
  });

  it("is read back with what cannot be taken back", () => {
    expect(copyReadBack("Bob")).toBe("They may also read it while you are asleep: a copy lies in Bob’s vault. When you stop sharing, Bob’s agent is told to destroy it; a copy that somebody kept cannot be taken back.");
  });

  it("is seen by whoever shares it, with its age and size", () => {
    expect(givenCopyWords("Bob", none, "given")).toBe("No copy lies in Bob’s vault yet.");
    expect(givenCopyWords("Bob", { ...none, on_its_way: true }, "given")).toContain("on its way to Bob’s vault");
    const there = { ...none, as_of: FRIDAY, bytes: 2048 };
    expect(givenCopyWords("Bob", there, "given")).toMatch(/^A copy lies in Bob’s vault: 2\.0 KiB, as of .*10.*\.$/);
    expect(givenCopyWords("Bob", { ...there, on_its_way: true }, "given")).toMatch(/A newer one is on its way\.$/);
    expect(givenCopyWords("Bob", there, "stopped")).toContain("is told to destroy it; a copy that somebody kept cannot be taken back");
    expect(givenCopyWords("Bob", none, "over")).toBe("");
  });

  it("is seen by whom it lies with, and asked for in just these words", () => {
    expect(heldCopyWords("Anna", { as_of: FRIDAY, bytes: 5 })).toMatch(/^Copy, as of .* \(5 B\)\. It is read while Anna’s agent sleeps/);
    expect(heldCopyWords(null, null)).toBe("You may also read it while their agent sleeps. No copy has come yet.");
    const received = { cached: { path: "/work", query: "max=10", body: "" } } as Received;
    expect(firstRequest(received, "/")).toEqual({ path: "/work", query: "max=10" });
    expect(firstRequest({} as Received, "/")).toEqual({ path: "/", query: "" });
    expect([isOfCopy(received, "/work", "max=10"), isOfCopy(received, "/work", ""), isOfCopy({} as Received, "/", "")]).toEqual([true, false, false]);
  });
});
