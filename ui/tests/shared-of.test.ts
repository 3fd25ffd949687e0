/** Before a service is removed, or changed into another one: who loses it. */
import { describe, expect, it } from "vitest";
import type { Route } from "../src/channel/messages";
import { isAnother, losesShares } from "../src/secrets/shared-of";
import type { Given } from "../src/shared/shared";

const route: Route = { name: "crm", base_url: "https://crm.example/v1", secret: "a", inject: { as: "basic" }, read_only: false, about: "" };

function given(name: string, more: Partial<Given> = {}): Given {
  return { id: `${name}-1`, with: name, name, resource: "service/crm/customers", scope: ["read"], from: 0, until: 1, constraints: {}, state: "given", calls: 0, last_used: null, arrived: 1, ...more };
}

describe("a service that is changed", () => {
  it("is another one at another address, with another secret, or of another kind, and no other change makes it one", () => {
    for (const change of [{ base_url: "https://crm.example/v2" }, { secret: "b" }, { tools: {} }]) expect(isAnother(route, { ...route, ...change })).toBe(true);
    for (const change of [{ base_url: "https://crm.example/v1/" }, { about: "Customers" }, { read_only: true }, { tools: null }]) expect(isAnother(route, { ...route, ...change })).toBe(false);
  });
});

describe("who loses what is shared", () => {
  it("is said by name, each once, or as a number", () => {
    expect(losesShares("crm", [given("Bob"), given("Bob", { id: "2" })])).toBe("It is shared with Bob, who loses it until you share it anew.");
    expect(losesShares("crm", [given("Bob"), given("Carla")])).toBe("It is shared with Bob and Carla, who lose it until you share it anew.");
    expect(losesShares("crm", ["A", "B", "C", "D"].map((name) => given(name)))).toContain("with 4 people, who lose");
  });

  it("leaves out what has ended, what is of another service, and what is somebody else's", () => {
    expect(losesShares("crm", [given("A", { state: "stopped" }), given("B", { resource: "service/mail" }), given("C", { of: { user: null, name: null, fingerprint: null } }), given("D", { elsewhere: true })])).toBe("");
  });

  it("is not nobody while it is not known", () => {
    expect(losesShares("crm", undefined)).toContain("Whoever it is shared with loses it");
  });
});
