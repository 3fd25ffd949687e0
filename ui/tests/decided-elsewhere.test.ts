/** What ran without its person's word is said at once, and stands in the inbox for a week, or until they dismiss it. */
import { signal } from "@preact/signals-core";
import { beforeEach, expect, it, vi } from "vitest";

// As much of a page as these modules ask for when they are loaded.
vi.stubGlobal("document", { title: "Holdfast", createTreeWalker: () => ({}) });
const request = vi.fn<(method: string, params?: object) => Promise<unknown>>();
vi.mock("../src/app/link", () => ({ request, unlocked: signal(true), online: signal(true), onEvent: vi.fn(), onOpen: vi.fn() }));
const alertNow = vi.fn<(words: string) => void>();
vi.mock("../src/app/announcer", () => ({ alertNow, announce: vi.fn() }));

const { approvals, decidedElsewhere, inboxCount, loadApprovals, seenElsewhere } = await import("../src/approvals/approvals");
const { activityWords } = await import("../src/secrets/activity-words");

const DAY_MS = 24 * 60 * 60 * 1000;
const decided = (id: string, more: object) => ({ id, at: Date.now(), action: { kind: "run_command", command: "ls", folder: "/" }, state: "expired", ...more });
const load = async (...all: object[]) => {
  request.mockResolvedValue({ waiting: [], decided: all, rules: [] });
  await loadApprovals();
};

beforeEach(() => {
  approvals.value = undefined;
  alertNow.mockClear();
});

it("is said in plain words once, and not of what was there already", async () => {
  const old = decided("old", { elsewhere: true });
  await load(old);
  expect(alertNow).not.toHaveBeenCalled();
  const fresh = decided("fresh", { elsewhere: true });
  await load(fresh, old);
  await load(fresh, old);
  expect(alertNow.mock.calls).toEqual([["A command ran that you had not yet decided about: something inside your agent’s cell allowed it."]]);
  // It is listed while it waits still, and then among what is over.
  request.mockResolvedValue({ waiting: [{ ...decided("asked", { elsewhere: true, state: "waiting" }), expires_at: Date.now() + DAY_MS }], decided: [fresh, old], rules: [] });
  await loadApprovals();
  expect(alertNow).toHaveBeenCalledTimes(2);
  await load(decided("asked", { elsewhere: true }), fresh, old);
  expect(alertNow).toHaveBeenCalledTimes(2);
  const late = decided("late", { elsewhere: true, state: "denied" });
  await load(late, fresh, old);
  expect(alertNow.mock.lastCall).toEqual(["A command ran that you had refused: something inside your agent’s cell allowed it."]);
});

it("stands in the inbox for a week, and nothing else does", async () => {
  await load(decided("now", { elsewhere: true }), decided("plain", {}), decided("before", { elsewhere: true, at: Date.now() - 8 * DAY_MS }));
  expect(decidedElsewhere.value.map(({ id }) => id)).toEqual(["now"]);
});

it("leaves the inbox and its count when it was dismissed, and comes back when it is done again", async () => {
  await load(decided("one", { elsewhere: true }), decided("two", { elsewhere: true }));
  expect(inboxCount.value).toBe(2);
  request.mockClear();
  request.mockResolvedValue({ waiting: [], decided: [decided("one", { elsewhere: true, seen: true }), decided("two", { elsewhere: true })], rules: [] });
  await seenElsewhere("one");
  expect(request.mock.calls).toEqual([["approval.seen", { id: "one" }], ["approval.list"]]);
  expect([decidedElsewhere.value.map(({ id }) => id), inboxCount.value]).toEqual([["two"], 1]);
  expect(approvals.value?.decided.length).toBe(2);
  expect(alertNow).not.toHaveBeenCalled();
  await load(decided("one", { elsewhere: true }), decided("two", { elsewhere: true }));
  expect(inboxCount.value).toBe(2);
  expect(alertNow).toHaveBeenCalledTimes(1);
});

it("has words of its own in the activity", () => {
  expect(activityWords({ what: "command_decided_elsewhere", first: 0, last: 0, count: 1, to: "command" })).toContain("said yes in your place");
  expect(activityWords({ what: "commands_unseen", first: 0, last: 0, count: 1, to: "command" })).toContain("without your word is not known");
});
