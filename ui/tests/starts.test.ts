import { beforeEach, describe, expect, it, vi } from "vitest";
import type { CellEvent, CellPhase } from "../src/channel/messages";
import "./fake-page";
import { stored } from "./memory-database";

vi.mock("../src/storage/database", () => import("./memory-database"));

const { setKeeperClock } = await import("../src/app/keeper-clock");
const { cell } = await import("../src/app/link");
const { currentStart, followStarts, startAfter, tookUntil, usualStart } = await import("../src/chat/starts");
type Start = NonNullable<typeof currentStart.value>;

/** Times of the keeper's clock are given; this browser's says something else. */
const event = (phase: CellPhase, since: number): CellEvent => ({ phase, since });

describe("a start of the agent", () => {
  it("goes on from when it began, through all its steps", () => {
    let start = startAfter(undefined, "asleep", event("restoring_home", 1_000), 1_200);
    start = startAfter(start, "restoring_home", event("starting_agent", 3_000), 3_200);
    start = startAfter(start, "starting_agent", event("warming_up", 9_000), 9_200);
    expect(start).toMatchObject({ began: 1_000, since: 1_000 });
    expect(tookUntil(start, event("ready", 13_000))).toBe(12_000);
    expect(startAfter(start, "warming_up", event("ready", 13_000), 13_200)).toBeUndefined();
  });

  it("that a page comes upon began when its keeper says, and is not taken for a whole one", () => {
    const start = startAfter(undefined, undefined, event("starting_agent", 5_000), 9_000);
    expect(start).toMatchObject({ began: 5_000, whole: false });
    expect(tookUntil(start, event("ready", 15_000))).toBeUndefined();
  });

  it("that a page comes upon began so long ago as the keeper's clock says", () => {
    const now = Date.now();
    setKeeperClock(now - 3_600_000);
    try {
      const start = startAfter(undefined, undefined, event("starting_agent", now - 3_605_000), now);
      expect(Math.abs((start?.began ?? 0) - (now - 5_000))).toBeLessThan(1_000);
    } finally {
      setKeeperClock(undefined);
    }
  });

  it("never began in the future, whatever the keeper's clock says", () => {
    const start = startAfter(undefined, "asleep", event("restoring_home", 50_000), 9_000);
    expect(start?.began).toBe(9_000);
    expect(tookUntil(start, event("ready", 58_000)), "how long it took is by one clock").toBe(8_000);
  });

  it("does not count how long the vault waited for its owner", () => {
    let start = startAfter(undefined, undefined, event("opening_vault", 1_000), 500_000);
    expect(start?.began).toBe(500_000);
    start = startAfter(start, "opening_vault", event("restoring_home", 500_100), 500_100);
    expect(tookUntil(start, event("ready", 510_100))).toBe(10_000);
  });

  it("that follows one whose end was not heard begins anew", () => {
    const start: Start = { phase: "warming_up", began: 1_000, since: 1_000, whole: true };
    expect(startAfter(start, "warming_up", event("restoring_home", 90_000), 90_000)).toMatchObject({ began: 90_000, since: 90_000 });
    expect(startAfter(start, "warming_up", event("starting_agent", 20_000), 20_000), "the agent alone again is the same wait").toMatchObject({ began: 1_000 });
  });

  it("that failed, or took no time, is none to remember", () => {
    const start: Start = { phase: "warming_up", began: 1_000, since: 1_000, whole: true };
    expect(tookUntil(start, event("failed", 9_000))).toBeUndefined();
    expect(tookUntil(start, event("ready", 1_500))).toBeUndefined();
    expect(tookUntil(undefined, event("ready", 9_000))).toBeUndefined();
  });
});

describe("how long a start usually takes", () => {
  beforeEach(() => stored.clear());

  it("is the median of those that were seen whole, on whatever page", async () => {
    const stop = followStarts();
    for (const took of [30_000, 10_000, 12_000]) {
      cell.value = event("asleep", 0);
      cell.value = event("restoring_home", 100_000);
      expect(currentStart.value).toMatchObject({ whole: true });
      cell.value = event("ready", 100_000 + took);
      expect(currentStart.value).toBeUndefined();
      await vi.waitFor(async () => expect((stored.get("timings/start") as number[]).at(-1)).toBe(took));
    }
    expect(await usualStart()).toBe(12_000);
    // Locked, and another page's look at a start that runs.
    cell.value = undefined;
    cell.value = event("warming_up", 100_000);
    cell.value = event("ready", 101_500);
    expect(stored.get("timings/start")).toHaveLength(3);
    stop();
  });
});
