/** Quiet hours are shown as the clocks of their zone show them. */
import { describe, expect, it } from "vitest";
import { minuteOf, quietWords } from "../src/parts/alert-words";

const shown = (hour: number, minute: number): string => new Date(2000, 0, 1, hour, minute).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

describe("quiet hours", () => {
  it("are sent as they were typed", () => {
    expect(minuteOf("22:00")).toBe(1320);
    expect(minuteOf("06:30")).toBe(390);
  });

  it("are shown as they were typed, by whose clocks where those are not one's own", () => {
    const quiet = { from: 1320, to: 390, zone: "Europe/Berlin" };
    expect(quietWords(quiet, "Europe/Berlin")).toBe(`not between ${shown(22, 0)} and ${shown(6, 30)}`);
    expect(quietWords(quiet, "America/New_York")).toBe(`not between ${shown(22, 0)} and ${shown(6, 30)} (Europe/Berlin)`);
  });
});
