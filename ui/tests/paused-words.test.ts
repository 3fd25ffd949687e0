/** What is said of calls that were paused, and of a week. */
import { describe, expect, it } from "vitest";
import { type Paused, pausedKey, pausedWords } from "../src/approvals/paused";
import { weekWords } from "../src/secrets/week-words";

const one: Paused = { user: "u-1", name: "Bob", service: "calendar", at: 0, changes: false, calls: 200, usual: 20 };

describe("calls that were paused", () => {
  it("are said with whose they were, how many, and what is usual", () => {
    expect(pausedWords(one)).toBe("Bob’s agent asked calendar more than 200 times in an hour; usual are 20 in a busy one. Paused.");
    expect(pausedWords({ ...one, user: null, name: "", changes: true, calls: 50, usual: 0 })).toBe(
      "Your agent changed something in calendar more than 50 times in an hour; what is usual is not known yet. Paused.",
    );
    expect(pausedWords({ ...one, own_agent: true })).toBe("Your agent asked Bob’s calendar more than 200 times in an hour; usual are 20 in a busy one. Paused.");
    // Three callers of one name of a service.
    const keys = [one, { ...one, own_agent: true }, { ...one, user: null }].map(pausedKey);
    expect(new Set(keys).size).toBe(3);
  });
});

describe("a week of one caller and one service", () => {
  it("is said in numbers", () => {
    const row = { user: null, name: "", service: "notes", reads: 0, changes: 0, pauses: 0 };
    expect(weekWords({ ...row, reads: 12, changes: 1, pauses: 2 })).toBe("asked notes 12 times and changed something in it once; paused 2 times");
    expect(weekWords({ ...row, changes: 3 })).toBe("changed something in notes 3 times");
    expect(weekWords({ ...row, user: "u-1", name: "Bob", own_agent: true, reads: 1 })).toBe("asked Bob’s notes once");
    expect(weekWords({ ...row, pauses: 1 })).toBe("did nothing with notes; paused once");
  });
});
