/** What a group shares: who may do what, as its admin reads it. */
import { describe, expect, it } from "vitest";
import { grantOf, kindOf, standingWords, untilFor, usersWords } from "../src/shared/group-words";
import type { Given, GroupResource } from "../src/shared/shared";

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
    expect(kindOf(["read", "list", "share"])).toBeUndefined();
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
    expect(standingWords(given({ calls: 2 }), true)).toContain("Used 2 times");
  });
});
