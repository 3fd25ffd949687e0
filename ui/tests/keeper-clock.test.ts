import { afterEach, describe, expect, it } from "vitest";
import { byThisClock, setKeeperClock } from "../src/app/keeper-clock";

afterEach(() => setKeeperClock(undefined));

describe("a time that the keeper tells", () => {
  it.each([
    ["an hour ahead", 3_600_000],
    ["an hour behind", -3_600_000],
  ])("is as long ago here as there, whose clock is %s", (_how, by) => {
    const now = Date.now();
    setKeeperClock(now + by);
    expect(Math.abs(now - 5_000 - byThisClock(now + by - 5_000))).toBeLessThan(1_000);
  });

  it("is never in the future, also where an older keeper does not say what its clock shows", () => {
    expect(byThisClock(90_000, 80_000)).toBe(80_000);
    expect(byThisClock(70_000, 80_000)).toBe(70_000);
  });
});
