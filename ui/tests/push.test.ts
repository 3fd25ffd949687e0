/** What is told on a device is told to whoever is signed in there, and the browser and the server agree on it. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import "./fake-page";
import { stored } from "./memory-database";

vi.mock("../src/storage/database", () => import("./memory-database"));

/** The browser's subscription, and what was asked of the server. */
let endpoint: string | undefined;
let asked: string[] = [];
let answers: Record<string, number> = {};

const subscription = () => (endpoint === undefined ? null : { endpoint, unsubscribe: () => ((endpoint = undefined), Promise.resolve(true)) });
const pushManager = {
  getSubscription: () => Promise.resolve(subscription()),
  subscribe: () => ((endpoint = "https://push.example/new"), Promise.resolve(subscription())),
};
const registration = { pushManager };

vi.stubGlobal("navigator", {
  onLine: true,
  userAgent: "",
  serviceWorker: { getRegistration: () => Promise.resolve(registration), register: () => Promise.resolve(registration), ready: Promise.resolve(registration) },
});
const notification = { permission: "granted" };
vi.stubGlobal("Notification", notification);
vi.stubGlobal("fetch", (path: string, { method, body }: { method: string; body?: string }) => {
  const sent = body === undefined ? "" : ` ${(JSON.parse(body) as { endpoint: string }).endpoint}`;
  asked.push(`${method} ${path.replace("/api/v1/push", "")}${sent}`);
  const status = answers[method] ?? 200;
  return Promise.resolve(Response.json(status === 200 ? { id: "new", public_key: "AAAA", devices: [] } : { code: "x", detail: "no" }, { status }));
});

const { deviceHere, keepUp, obstacle, turnOff } = await import("../src/push/push");

const OLD = "https://push.example/old";
const kept = () => stored.get("resume/push");

beforeEach(() => {
  stored.clear();
  stored.set("resume/push", { user: "anna", id: "device", endpoint: OLD });
  endpoint = OLD;
  asked = [];
  answers = {};
  notification.permission = "granted";
});

describe("somebody signs in on a device that is told something", () => {
  it("it goes on in their new session", async () => {
    await keepUp("anna");
    expect(asked).toEqual([`PUT /devices/device ${OLD}`]);
    expect(await deviceHere("anna")).toBe("device");
  });

  it("somebody else, who is told nothing that is not for them", async () => {
    expect(await deviceHere("bob")).toBeUndefined();
    await keepUp("bob");
    expect(asked).toEqual([]);
    expect([endpoint, kept()]).toEqual([undefined, undefined]);
  });

  it("and had it taken away meanwhile: it stays so", async () => {
    answers = { PUT: 404 };
    await keepUp("anna");
    expect(asked).toHaveLength(1);
    expect([endpoint, kept()]).toEqual([undefined, undefined]);
  });

  it("that the browser has moved: the server hears where to, also where it has given up the old place", async () => {
    endpoint = "https://push.example/moved";
    await keepUp("anna");
    expect(asked).toEqual([`PUT /devices/device ${endpoint}`]);
    expect(kept()).toEqual({ user: "anna", id: "device", endpoint });
    endpoint = "https://push.example/again";
    answers = { PUT: 404 };
    await keepUp("anna");
    expect(asked.at(-1)).toBe(`POST /devices ${endpoint}`);
    expect(kept()).toEqual({ user: "anna", id: "new", endpoint });
  });

  it("where the browser has dropped it: it is made again, unless the person forbids it", async () => {
    endpoint = undefined;
    await keepUp("anna");
    expect(asked).toEqual(["GET ", "PUT /devices/device https://push.example/new"]);
    endpoint = undefined;
    notification.permission = "denied";
    await keepUp("anna");
    expect(asked.at(-1)).toBe("DELETE /devices/device");
    expect(kept()).toBeUndefined();
  });

  it("and the server does not answer: nothing changes", async () => {
    answers = { PUT: 503 };
    await expect(keepUp("anna")).rejects.toThrow();
    expect(endpoint).toBe(OLD);
    expect(await deviceHere("anna")).toBe("device");
  });
});

it("turning it off ends it at the server and in the browser", async () => {
  answers = { DELETE: 404 };
  await turnOff();
  expect(asked).toEqual(["DELETE /devices/device"]);
  expect([endpoint, kept()]).toEqual([undefined, undefined]);
});

it("a phone of Apple's has it on the home screen alone, and other browsers without it have it nowhere", () => {
  expect(obstacle()).toBe("unsupported");
  Object.assign(navigator, { userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)" });
  expect(obstacle()).toBe("home_screen");
  vi.stubGlobal("PushManager", {});
  expect(obstacle()).toBeUndefined();
  notification.permission = "denied";
  expect(obstacle()).toBe("blocked");
});
