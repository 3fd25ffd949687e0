/** What the server writes into the audit log has words for people. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { actWords } from "../src/pages/audit-words";

it("every act of the audit log has words", () => {
  const source = readFileSync(new URL("../../crates/management/src/audit/event.rs", import.meta.url), "utf8");
  const actions = [...source.matchAll(/ = "([a-z_]+\.[a-z_]+)",/g)].map(([, action]) => action ?? "");
  expect(actions.length).toBeGreaterThan(70);
  // The operator's own sessions are in the operator's log alone.
  const silent = actions.filter((action) => !action.startsWith("operator.") && actWords(action) === action);
  expect(silent).toEqual([]);
});
