/** That the relay lies is said in plain words, for a week. */
import { describe, expect, it } from "vitest";
import type { ActivityEntry } from "../src/channel/messages";
import { activityWords, relayWrongs } from "../src/secrets/activity-words";
import { arrivalWords } from "../src/shared/words";

const DAY_MS = 24 * 60 * 60 * 1000;

function entry(what: string, last: number, to?: string): ActivityEntry {
  return { what, first: last, last, count: 1, ...(to ? { to } : {}) };
}

describe("what the relay did wrong", () => {
  it("is said with the name of whom it is about, and without one", () => {
    expect(activityWords(entry("relay_wrong", 0, "Anna"))).toContain("something between you and Anna was left out, repeated or made up");
    expect(activityWords(entry("relay_wrong", 0))).toContain("between you and somebody");
    expect(activityWords(entry("relay_odd", 0, "Anna"))).toMatch(/^Something between you and Anna does not fit: .*The relay may have done that, or they/);
    expect(activityWords(entry("revocations_unknown", 0, "Anna"))).toContain("What Anna has stopped sharing is not known for certain");
    expect(activityWords(entry("revocations_wait", 0))).toMatch(/^What you stopped sharing is refused here at once; .* hear of it later/);
  });

  it("is told from what was not delivered, of which it is said why and what becomes of it", () => {
    expect(activityWords({ ...entry("not_delivered", 0, "Anna"), why: "mailbox_full" })).toBe(
      "Something that you or your agent sent to Anna did not reach their vault: too much waits for them already. What you share is offered again when you next unlock; what you asked for in words is not sent again",
    );
    expect(activityWords({ ...entry("not_delivered", 0), why: "of a later version" })).toContain("the relay did not take it");
    expect(arrivalWords({ name: "Bob", arrived: null, lost: true })).toBe(". It did not reach Bob’s vault: it is offered again when you next unlock yours");
    expect(arrivalWords({ name: "Bob", arrived: null })).toContain("On its way to Bob’s vault");
    expect(arrivalWords({ name: "Bob", arrived: 1 })).toBe("");
  });

  it("is above what is shared for a week, and nothing else is", () => {
    const now = 30 * DAY_MS;
    const all = [entry("relay_wrong", now - DAY_MS), entry("revocations_unknown", now), entry("relay_odd", now), entry("not_delivered", now), entry("revocations_wait", now), entry("relay_wrong", now - 8 * DAY_MS), entry("shared", now)];
    expect(relayWrongs(all, now)).toEqual(all.slice(0, 5));
  });
});
