/** Who had to sign in comes back to where they were, and nowhere else than to a page of ours. */
import { beforeEach, describe, expect, it, vi } from "vitest";

const kept = new Map<string, string>();
vi.stubGlobal("localStorage", {
  getItem: (name: string) => kept.get(name) ?? null,
  setItem: (name: string, value: string) => void kept.set(name, value),
  removeItem: (name: string) => void kept.delete(name),
});

const { KEPT_MS, keepWayBack, signInFrom, takeWayBack } = await import("../src/app/way-back");

const CONVERSATION = "/c/7f9c24e5-9d1d-4c5e-a2a3-0b6e1f6f2d11";
const GROUP = "/groups/0190a5d2-7c41-7b1e-8f00-5a4d3c2b1a00";

/** The page stands at this address. */
function at(address: string): void {
  const { pathname, search } = new URL(address, "https://holdfast.example");
  vi.stubGlobal("location", { pathname, search });
}

beforeEach(() => {
  vi.useFakeTimers();
  kept.clear();
  at("/sign-in");
});

describe("the way back", () => {
  it.each([CONVERSATION, GROUP, "/me", "/people/waiting", "/secrets/import"])("leads to %s, in the same tab and in another", (path) => {
    at(signInFrom(path));
    keepWayBack();
    expect(takeWayBack(), "with a passkey").toBe(path);
    keepWayBack();
    at("/sign-in");
    expect(takeWayBack(), "by a link in a mail, or from another site").toBe(path);
    expect(takeWayBack(), "once").toBe("/");
  });

  it("leads to the first page for who came to sign in", () => {
    expect(signInFrom("/")).toBe("/sign-in");
    expect(signInFrom("/", "t-1")).toBe("/sign-in?organisation=t-1");
    expect(signInFrom("/me", "t-1")).toBe("/sign-in?next=%2Fme&organisation=t-1");
    keepWayBack();
    expect(kept.size).toBe(0);
    expect(takeWayBack()).toBe("/");
  });

  it("leads back from another site to the page that was left for it", () => {
    at("/me");
    keepWayBack();
    at("/");
    expect(takeWayBack()).toBe("/me");
  });

  it("is in the address before it is in the browser, where another tab may have left it", () => {
    at(signInFrom("/me"));
    keepWayBack();
    at(signInFrom(CONVERSATION));
    expect(takeWayBack()).toBe(CONVERSATION);
    expect(kept.size).toBe(0);
  });

  it("stays in the browser when signing in began anew on a page that does not say it", () => {
    at(signInFrom(CONVERSATION));
    keepWayBack();
    at("/sign-in");
    keepWayBack();
    expect(takeWayBack()).toBe(CONVERSATION);
  });

  it.each([
    [KEPT_MS - 1, CONVERSATION],
    [KEPT_MS, "/"],
    [-1, "/"],
  ])("is kept for a while: after %s ms it leads to %s", (passed, path) => {
    at(signInFrom(CONVERSATION));
    keepWayBack();
    at("/sign-in");
    vi.setSystemTime(Date.now() + passed);
    expect(takeWayBack()).toBe(path);
  });

  it.each([
    "https://evil.example/",
    "//evil.example/me",
    "/\\evil.example",
    "javascript:alert(1)",
    " /me",
    "/me/",
    "/me?x",
    "/me#x",
    "me",
    "/sign-in",
    "/join",
    "/setup",
    "/admin",
    "/api/v1/sign-out",
    "/nothing-here",
    "/c/",
    "/c/%E0%A4%A",
    "/c/../me",
    `${CONVERSATION}/x`,
    `${CONVERSATION}\n`,
    `/x${CONVERSATION}`,
    "/groups/",
    "constructor",
    "__proto__",
    "",
  ])("leads nowhere but to our pages: not to %j", (elsewhere) => {
    expect(signInFrom(elsewhere)).toBe("/sign-in");
    at(`/sign-in?next=${encodeURIComponent(elsewhere)}`);
    keepWayBack();
    expect(kept.size).toBe(0);
    expect(takeWayBack()).toBe("/");
    at("/sign-in");
    kept.set("holdfast.way-back", JSON.stringify({ path: elsewhere, at: Date.now() }));
    expect(takeWayBack()).toBe("/");
  });

  it.each(["", "null", "[]", "{", '{"path":7}', `{"path":"${CONVERSATION}"}`, `{"path":"${CONVERSATION}","at":"soon"}`])("takes nothing else for one: %j", (text) => {
    kept.set("holdfast.way-back", text);
    expect(takeWayBack()).toBe("/");
    expect(kept.size).toBe(0);
  });
});
