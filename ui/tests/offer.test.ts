/** What somebody shares in a group, and what they change of it, waits for a yes, which waits for what the agent would be told. */
import { describe, expect, it } from "vitest";
import { canAccept, isShownByItself, waitingWords, wordsToAccept } from "../src/shared/offer";
import type { Received, Told } from "../src/shared/shared";

const group = { resource: "r1", group: "g1", group_name: "Sales", name: "Customer list", about: "Who they are" };
const offer = (over: Partial<Received> = {}) => ({ state: "offered" as const, group, ...over });
const told = (skill = "", revision = 0): Told => ({ skill, revision });
const changed = (revision = 1) => offer({ state: "given", newer: { ...group, revision } });
const toldOfBoth = (revision = 1): Told => ({ ...told("Look at /models first."), newer: { ...group, revision, skill: "Look at /all first." } });

describe("a yes to what is shared in a group", () => {
  it("waits until what the agent would be told is there, be it nothing", () => {
    expect(canAccept(offer(), undefined, false, true)).toBe(false);
    expect(canAccept(offer(), told("Look at /models first."), false, true)).toBe(true);
    expect(canAccept(offer(), told(), false, true)).toBe(true);
  });

  it("is not given twice, nor without a way to the vault, nor to what was answered", () => {
    expect(canAccept(offer(), told(), true, true)).toBe(false);
    expect(canAccept(offer(), told(), false, false)).toBe(false);
    for (const state of ["given", "stopped", "left", "over", "unknown_owner"] as const) expect(canAccept(offer({ state }), told(), false, true)).toBe(false);
  });

  it("is shown what it is to without being asked, once, and by hand where that failed", () => {
    expect(isShownByItself(offer(), undefined, false, "")).toBe(true);
    expect(isShownByItself(offer(), undefined, true, "")).toBe(false);
    expect(isShownByItself(offer(), told(), false, "")).toBe(false);
    expect(isShownByItself(offer(), undefined, false, "The vault did not answer.")).toBe(false);
    expect(isShownByItself(offer({ state: "given" }), undefined, false, "")).toBe(false);
    expect(isShownByItself(offer({ group: null }), undefined, false, "")).toBe(false);
  });
});

describe("a yes to words that were changed", () => {
  it("is to the new ones, which stand there, and not to those that the agent is told", () => {
    expect(waitingWords(changed(3))).toBe(3);
    expect(wordsToAccept(changed(), toldOfBoth())).toBe("Look at /all first.");
    expect(canAccept(changed(), told("Look at /models first."), false, true)).toBe(false);
    expect(isShownByItself(changed(), told("Look at /models first."), false, "")).toBe(true);
  });

  it("waits again when they are changed while they are read, before and after the first yes", () => {
    expect(canAccept(changed(2), toldOfBoth(1), false, true)).toBe(false);
    expect(isShownByItself(changed(2), toldOfBoth(1), false, "")).toBe(true);
    expect(canAccept(offer({ group: { ...group, revision: 1 } }), told("As it was.", 0), false, true)).toBe(false);
  });

  it("is asked of nobody whose use has ended", () => {
    for (const state of ["stopped", "left", "over", "unknown_owner"] as const) expect(waitingWords(offer({ state, newer: { ...group, revision: 1 } }))).toBeUndefined();
  });
});
