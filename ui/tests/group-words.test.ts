/** What a group shares: who may do what, as its admin reads it. */
import { describe, expect, it } from "vitest";
import { activityWords } from "../src/secrets/activity-words";
import { grantOf, grantWords, standingWords, untilFor, usersWords } from "../src/shared/group-words";
import type { Given, GroupResource } from "../src/shared/shared";
import { kindOf, moreOf, scopeOf } from "../src/shared/words";

const crm: GroupResource = { id: "r1", group: "g1", group_name: "Sales", name: "Customer list", about: "Who they are", resource: "service/crm", skill: "", at: 0 };

function given(over: Partial<Given>): Given {
  const group = { resource: "r1", group: "g1", group_name: "Sales", name: "Customer list", about: "Who they are" };
  return { id: "c1", resource: "service/crm", scope: ["read", "list"], from: 0, until: 5_000, constraints: {}, with: "bob", name: "Bob", state: "given", calls: 0, last_used: null, arrived: 1, group, ...over };
}

describe("what a member may do with something of a group", () => {
  it("is what was granted of exactly this, to exactly them, and not what has ended", () => {
    const all = [given({ with: "carol" }), given({ id: "c2", state: "stopped" }), given({ id: "c3", group: null }), given({ id: "c4", state: "over" })];
    expect(grantOf(crm, "bob", all)).toBeUndefined();
    expect(grantOf({ ...crm, id: "r2" }, "carol", all)).toBeUndefined();
    expect(grantOf(crm, "bob", [...all, given({ id: "c5" })])?.id).toBe("c5");
  });

  it("is one of the choices, or none that a person is shown", () => {
    expect(kindOf(["list", "read"])).toBe("read");
    expect(kindOf(["read", "list", "write", "delete"])).toBe("delete");
    expect(kindOf(["read"])).toBeUndefined();
  });

  it("is the same choice with the right to pass it on, or to manage it", () => {
    for (const more of [{ passOn: true, manage: false }, { passOn: false, manage: true }, { passOn: true, manage: true }]) {
      const scope = scopeOf("write", more);
      expect([kindOf(scope), moreOf(scope)]).toEqual(["write", more]);
    }
    expect(scopeOf("read", { passOn: true, manage: true })).toEqual(["read", "list", "admin", "share"]);
    expect(kindOf(["admin", "share"])).toBeUndefined();
  });

  it("is read back in a sentence, with what they may do beside using it", () => {
    const until = new Date("2026-12-04T23:59:59").getTime();
    const plain = grantWords("Bob", "Customer list", scopeOf("read"), until);
    expect(plain).toMatch(/^Bob and their agent may look at Customer list until .*\.$/);
    expect(grantWords("Bob", "Customer list", scopeOf("read", { passOn: true }), until)).toBe(`${plain} Bob may pass it on to others in this group.`);
    expect(grantWords("Bob", "Customer list", scopeOf("read", { manage: true }), until)).toBe(`${plain} Bob may manage it for you: say what other members may do with it, never more than Bob may.`);
    expect(grantWords("Bob", "Customer list", scopeOf("read", { manage: true }), until, "Anna")).toContain("may manage it for Anna:");
    expect(grantWords("Bob", "Customer list", ["read"], until)).toMatch(/^Bob and their agent may read it until/);
  });

  it("lasts as long as what the others have, and three months for the first", () => {
    expect(untilFor(crm, [given({ until: 7_000 }), given({ until: 9_000 }), given({ until: 20_000, state: "stopped" })], 1_000)).toBe(9_000);
    expect(untilFor(crm, [given({ group: null })], 1_000)).toBe(1_000 + 90 * 24 * 60 * 60 * 1000);
  });

  it("is nobody's any more once it was taken from all, and still there", () => {
    expect(usersWords(crm, [given({ state: "stopped" }), given({ id: "c2", group: null })])).toBe("Nobody may use it");
    expect(usersWords(crm, [given({}), given({ id: "c2", state: "over" })])).toBe("One person may use it");
    expect(usersWords(crm, [given({}), given({ id: "c2", with: "carol" }), given({ id: "c3" })])).toBe("2 people may use it");
  });

  it("is said with how far it has come", () => {
    expect(standingWords(undefined, false)).toBe("Has not opened a vault yet");
    expect(standingWords(undefined, true)).toBe("May not use it");
    expect(standingWords(given({ arrived: null }), true)).toBe("On its way to their vault");
    expect(standingWords(given({ arrived: null, lost: true }), true)).toBe("It did not reach their vault and is offered again when you next unlock yours");
    expect(standingWords(given({ calls: 2 }), true)).toBe("Used 2 times");
    expect(standingWords(given({ by: "Eva" }), true)).toBe("Has it, and has not used it yet. Eva let them");
  });

  it("is told in the activity with whose doing it was", () => {
    const entry = { what: "shared", first: 0, last: 0, count: 1, to: "Carol" };
    expect(activityWords(entry)).toBe("You shared something with Carol");
    expect(activityWords({ ...entry, why: "by Bob" })).toBe("Bob, who manages it for you, shared something of yours with Carol");
    expect(activityWords({ ...entry, what: "share_stopped", why: "by Bob" })).toBe("Bob, who manages it for you, stopped sharing something of yours with Carol");
  });
});
