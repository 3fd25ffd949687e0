/** A request cannot be allowed by a press that was meant for the one that stood there before. */
import { signal } from "@preact/signals-core";
import { beforeEach, expect, it, vi } from "vitest";

// As much of a page as these modules ask for when they are loaded.
vi.stubGlobal("document", { title: "Holdfast", createTreeWalker: () => ({}) });
vi.mock("../src/app/link", () => ({ request: vi.fn(), unlocked: signal(true), online: signal(true), onEvent: vi.fn(), onOpen: vi.fn() }));
vi.useFakeTimers();

const { approvalClock, approvals } = await import("../src/approvals/approvals");
const { STANDS_MS, stands } = await import("../src/approvals/standing");

const asked = (id: string) => ({ id, expires_at: approvalClock.value + 60_000, action: { kind: "run_command", command: "ls", folder: "/" } });
const list = (...ids: string[]) => (approvals.value = { waiting: ids.map(asked), asked: [], decided: [], rules: [] } as never);

beforeEach(() => {
  list("one", "two");
  vi.advanceTimersByTime(STANDS_MS);
});

it("stands again a while after one has gone or come", () => {
  expect(stands.value).toBe(true);
  list("two");
  expect(stands.value).toBe(false);
  vi.advanceTimersByTime(STANDS_MS - 1);
  expect(stands.value).toBe(false);
  list("two", "three");
  vi.advanceTimersByTime(STANDS_MS - 1);
  expect(stands.value).toBe(false);
  vi.advanceTimersByTime(1);
  expect(stands.value).toBe(true);
});

it("stands where only their time goes on, and moves where one has run out", () => {
  approvalClock.value += 1_000;
  list("one", "two");
  expect(stands.value).toBe(true);
  approvalClock.value += 120_000;
  expect(stands.value).toBe(false);
});
