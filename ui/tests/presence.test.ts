/** Nobody is at a page that is only left open. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { isPresent, PRESENT_MS, watchPresence } from "../src/app/presence";

const acts = new Map<string, () => void>();

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("addEventListener", (kind: string, seen: () => void) => acts.set(kind, seen));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("somebody who does nothing has left, and is back with their first act", () => {
  const back = vi.fn();
  watchPresence(back);
  acts.get("keydown")?.();
  expect(isPresent()).toBe(true);
  back.mockClear();
  vi.advanceTimersByTime(PRESENT_MS);
  expect(isPresent()).toBe(false);
  acts.get("pointermove")?.();
  expect(isPresent()).toBe(true);
  acts.get("keydown")?.();
  expect(back, "it is said once").toHaveBeenCalledTimes(1);
});
