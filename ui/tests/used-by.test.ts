/** At a secret, and before it is deleted: the services that use it. */
import { describe, expect, it } from "vitest";
import type { Inject, Route } from "../src/channel/messages";
import { losesOnDelete, usedBy } from "../src/secrets/used-by";

function route(name: string, secret: string, inject: Inject): Route {
  return { name, base_url: "https://api.example", secret, inject, read_only: false, about: "" };
}

const routes = [
  route("lunch", "a", { as: "header", name: "authorization", prefix: "Bearer " }),
  route("maps", "a", { as: "query", name: "key" }),
  route("wiki", "b", { as: "basic" }),
];

describe("the services that use a secret", () => {
  it("are named with the places where it is put in", () => {
    expect(usedBy("a", routes)).toBe("Used by “lunch” (header “authorization”) and “maps” (parameter “key”)");
    expect(usedBy("b", routes)).toBe("Used by “wiki” (user name and password)");
    expect(usedBy("c", routes)).toBe("No service uses it");
  });

  it("are named before it is deleted", () => {
    expect(losesOnDelete("a", routes)).toBe("The services “lunch” and “maps” use it and stop working for your agent.");
    expect(losesOnDelete("b", routes)).toBe("The service “wiki” uses it and stops working for your agent.");
    expect(losesOnDelete("c", routes)).toBe("No service uses it.");
  });

  it("are not said to be none while they are not known", () => {
    expect(usedBy("c", undefined)).toBe("");
    expect(losesOnDelete("c", undefined)).toContain("Services that use it stop working");
  });
});
