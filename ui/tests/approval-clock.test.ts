/** Requests run out by the keeper's clock, whatever this browser's shows. */
import { signal } from "@preact/signals-core";
import { afterEach, expect, it, vi } from "vitest";

// As much of a page as these modules ask for when they are loaded.
vi.stubGlobal("document", { title: "Holdfast", createTreeWalker: () => ({}) });
const request = vi.fn<() => Promise<unknown>>();
vi.mock("../src/app/link", () => ({ request, unlocked: signal(true), online: signal(true), onEvent: vi.fn(), onOpen: vi.fn() }));

const { setKeeperClock } = await import("../src/app/keeper-clock");
const { approvalClock, loadApprovals, waiting } = await import("../src/approvals/approvals");

afterEach(() => setKeeperClock(undefined));

it.each([
  ["an hour ahead", 3_600_000],
  ["an hour behind", -3_600_000],
])("also where that is %s", async (_how, by) => {
  const now = Date.now() + by;
  setKeeperClock(now);
  const action = { kind: "run_command", command: "ls", folder: "/" };
  const asked = (id: string, expires_at: number) => ({ id, expires_at, action });
  request.mockResolvedValue({ waiting: [asked("over", now - 60_000), asked("waits", now + 60_000)], decided: [], rules: [] });
  await loadApprovals();
  expect(waiting.value.map(({ id }) => id)).toEqual(["waits"]);
  expect(Math.abs(approvalClock.value - now)).toBeLessThan(5_000);
});
