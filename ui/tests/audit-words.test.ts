/** What the server writes into the audit log has words for people. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { operatorWords, whoWords } from "../src/admin/audit-words";
import { actWords, timesWords } from "../src/pages/audit-words";

const source = readFileSync(new URL("../../crates/management/src/audit/event.rs", import.meta.url), "utf8");
const actions = [...source.matchAll(/ = "([a-z_]+\.[a-z_]+)",/g)].map(([, action]) => action ?? "");

it("every act of the audit log has words", () => {
  expect(actions.length).toBeGreaterThan(70);
  // The operator's own sessions are in the operator's log alone.
  const silent = actions.filter((action) => !action.startsWith("operator.") && actWords(action) === action);
  expect(silent).toEqual([]);
});

it("every act of the operator's log has words, whoever did it", () => {
  expect(actions.filter((action) => operatorWords(action) === action)).toEqual([]);
  expect(whoWords({ kind: "operator", name: "The operator" })).toBe("The operator");
  expect(whoWords({ kind: "api_tenant", name: "Ben" })).toBe("Ben");
  expect(whoWords({ kind: "nobody", name: "" })).toBe("Somebody");
});

it("what was refused again and again says how often", () => {
  expect(timesWords({})).toBe("");
  expect(timesWords({ times: "1" })).toBe("");
  expect(timesWords({ times: "12" })).toBe("(12 times)");
});
