/** Which passwords the page takes for a vault, and which it does not: 2 and more is taken. */
import { dictionary } from "@zxcvbn-ts/language-common";
import { expect, test } from "vitest";
import { estimate } from "../src/parts/strength-estimate";

test("a password of fewer than eight characters is not taken, whatever they are", () => {
  expect(estimate("xK9#qZ2", [])).toEqual({ score: 1, hint: "Use at least 8 characters." });
  expect(estimate("🦊🐙xK9#q", []).score).toBe(1);
  expect(estimate("xK9#qZ2v", []).score).toBeGreaterThanOrEqual(2);
});

test("names of the person, their organisation and this program say nothing, however they are written", () => {
  const own = ["Anna Keller", "Anna", "Keller", "anna@acme.example", "Acme", "holdfast"];
  for (const easy of ["AnnaKeller", "acmeholdfast", "Holdfast2026"]) {
    expect(estimate(easy, own).score, easy).toBeLessThan(2);
    expect(estimate(easy, []).score, easy).toBeGreaterThanOrEqual(2);
  }
});

test("leaked passwords are not taken, common and rare", () => {
  const leaked = dictionary["passwords-common"] as string[];
  expect(leaked.length).toBeGreaterThan(3000);
  const some = leaked.filter((_, at) => at < 100 || at % 100 === 0);
  for (const password of some) expect(estimate(password, []).score, password).toBeLessThan(2);
});
