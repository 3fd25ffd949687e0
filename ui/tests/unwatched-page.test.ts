/** A page that nobody is at asks nothing by itself: the vault locks and the session ends in their time, whatever the agent does. */
import { signal } from "@preact/signals-core";
import { beforeEach, expect, it, vi } from "vitest";

const acts = new Map<string, () => void>();
vi.stubGlobal("addEventListener", (kind: string, seen: () => void) => acts.set(kind, seen));
vi.stubGlobal("document", { title: "Holdfast", createTreeWalker: () => ({}) });
vi.stubGlobal("location", { pathname: "/" });
vi.stubGlobal("localStorage", { getItem: () => null });
vi.stubGlobal("navigator", { onLine: true });
vi.useFakeTimers();

const hears: ((event: string, data?: unknown) => void)[] = [];
const request = vi.fn<(method: string) => Promise<unknown>>();
const online = signal(true);
vi.mock("../src/app/link", () => ({
  request,
  online,
  unlocked: signal(true),
  slots: signal([{ id: "s", kind: "social" }]),
  onEvent: (hear: (typeof hears)[number]) => hears.push(hear),
  onOpen: vi.fn(),
}));
vi.mock("../src/app/account", () => ({ me: () => ({ user: { id: "u" } }) }));
const recovery = vi.fn<() => Promise<unknown>>();
vi.mock("../src/api/http", () => ({ api: { recovery }, Problem: class extends Error {} }));

const { AWAY_MS, PRESENT_MS, watchPresence } = await import("../src/app/presence");
const { startApprovals } = await import("../src/approvals/approvals");
const { startPaused } = await import("../src/approvals/paused");
const { startConversations } = await import("../src/chat/conversations");
const { startRecovery } = await import("../src/trust/recovery");

watchPresence();
startApprovals();
startPaused();
startConversations();
startRecovery();

const EVENTS = ["approvals", "rates", "chats"];
const say = (...events: string[]) => events.forEach((event) => hears.forEach((hear) => hear(event)));
const methods = () => request.mock.calls.map(([method]) => method).toSorted();

beforeEach(() => {
  acts.get("keydown")?.();
  request.mockReset().mockImplementation((method) => Promise.resolve(method === "chat.list" ? { conversations: [] } : { waiting: [], decided: [], rules: [], paused: [] }));
  recovery.mockReset().mockRejectedValue(new Error("The server does not answer."));
});

it("loads what the agent changes while somebody may look on", () => {
  say(...EVENTS);
  expect(methods()).toEqual(["approval.list", "chat.list", "rate.paused"]);
});

it("loads it once they are back, and says in its title that there is something", async () => {
  await vi.advanceTimersByTimeAsync(AWAY_MS);
  say(...EVENTS, ...EVENTS);
  await vi.advanceTimersByTimeAsync(AWAY_MS);
  expect(methods()).toEqual([]);
  expect(document.title).toBe("(!) Holdfast");
  acts.get("pointermove")?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(methods()).toEqual(["approval.list", "chat.list", "rate.paused"]);
  expect(document.title).toBe("Holdfast");
});

it.each([true, false])("looks after the recovery of whoever is there alone (connected to their vault: %s)", async (connected) => {
  online.value = connected;
  await vi.advanceTimersByTimeAsync(PRESENT_MS);
  recovery.mockClear();
  await vi.advanceTimersByTimeAsync(60 * 60_000);
  expect(recovery).not.toHaveBeenCalled();
  acts.get("keydown")?.();
  await vi.advanceTimersByTimeAsync(PRESENT_MS - 1);
  expect(recovery).toHaveBeenCalled();
  online.value = true;
});
