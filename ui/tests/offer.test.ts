/** What somebody shares in a group waits for a yes, which waits for what the agent would be told. */
import { describe, expect, it } from "vitest";
import { canAccept, isShownByItself } from "../src/shared/offer";
import type { Received } from "../src/shared/shared";

const group = { resource: "r1", group: "g1", group_name: "Sales", name: "Customer list", about: "Who they are" };
const offer = (over: Partial<Received> = {}) => ({ state: "offered" as const, group, ...over });

describe("a yes to what is shared in a group", () => {
  it("waits until what the agent would be told is there, be it nothing", () => {
    expect(canAccept(offer(), undefined, false, true)).toBe(false);
    expect(canAccept(offer(), "Look at /models first.", false, true)).toBe(true);
    expect(canAccept(offer(), "", false, true)).toBe(true);
  });

  it("is not given twice, nor without a way to the vault, nor to what was answered", () => {
    expect(canAccept(offer(), "", true, true)).toBe(false);
    expect(canAccept(offer(), "", false, false)).toBe(false);
    for (const state of ["given", "stopped", "left", "over", "unknown_owner"] as const) expect(canAccept(offer({ state }), "", false, true)).toBe(false);
  });

  it("is shown what it is to without being asked, once, and by hand where that failed", () => {
    expect(isShownByItself(offer(), undefined, false, "")).toBe(true);
    expect(isShownByItself(offer(), undefined, true, "")).toBe(false);
    expect(isShownByItself(offer(), "", false, "")).toBe(false);
    expect(isShownByItself(offer(), undefined, false, "The vault did not answer.")).toBe(false);
    expect(isShownByItself(offer({ state: "given" }), undefined, false, "")).toBe(false);
    expect(isShownByItself(offer({ group: null }), undefined, false, "")).toBe(false);
  });
});
