/** What is passed on, in sentences: never more than somebody has, and said before it is done. */
import { describe, expect, it } from "vitest";
import { kindsWithin, mayWords, readBack, scopeOf, wholeNumber, whoWords } from "../src/shared/words";

const FRIDAY = new Date("2026-12-04T23:59:59").getTime();

describe("the right to pass something on", () => {
  it("is signed and read back only where it was given", () => {
    expect(scopeOf("read")).toEqual(["read", "list"]);
    expect(scopeOf("write", { passOn: true })).toEqual(["read", "list", "write", "share"]);
    expect(readBack("Bob", "read", "calendar", "", FRIDAY, undefined)).not.toContain("pass");
    expect(readBack("Bob", "read", "calendar", "/work", FRIDAY, 3, { passOn: true })).toMatch(/^Bob and their agent may look at what is below \/work of calendar until .*, 3 times at most, and Bob may pass it on\.$/);
  });

  it("stands beside what somebody may do", () => {
    expect(mayWords(["read", "list"])).toBe("only look at it");
    expect(mayWords(["read", "list", "share"])).toBe("only look at it, and pass it on");
    expect(mayWords(["read", "list", "admin"])).toBe("only look at it, and manage it");
    expect(mayWords(["read", "list", "admin", "share"])).toBe("only look at it, pass it on, and manage it");
    expect(mayWords(["read", "share"])).toBe("read it and pass it on");
  });

  it("reaches no further than what is held", () => {
    expect(kindsWithin(["read", "list", "share"])).toEqual(["read"]);
    expect(kindsWithin(["read", "write", "share"])).toEqual(["read", "write"]);
    expect(kindsWithin(["read", "list", "write", "delete"])).toEqual(["read", "write", "delete"]);
    expect(kindsWithin(["write"])).toEqual([]);
  });

  it("names those who are known, and nobody else", () => {
    expect(whoWords({ name: "Carol" })).toBe("Carol");
    expect(whoWords({ name: null })).toBe("somebody you do not know");
    expect([wholeNumber("12"), wholeNumber("0"), wholeNumber("1e3")]).toEqual([12, undefined, undefined]);
  });
});
