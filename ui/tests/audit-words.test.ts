/** What the server writes into the audit log has words for people. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { operatorWords, whoWords } from "../src/admin/audit-words";
import { actWords, KINDS, timesWords } from "../src/pages/audit-words";

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

it("what is asked of everybody is told by what was changed in it", () => {
  const words = (details: Record<string, string>) => actWords("organisation.policy_changed", details);
  expect(words({ second_factor: "required", sessions_ended: "2" })).toBe("asks everybody for a second factor");
  expect(words({ second_factor: "optional", sessions_ended: "0" })).toBe("no longer asks everybody for a second factor");
  expect(words({ time_alone_hours: "1" })).toBe("lets agents work alone for 1 hour at most");
  expect(words({ second_person: "true" })).toBe("asks for a second person for what agents change");
  expect(words({ requests_while_locked: "wait" })).toBe("has nobody told that something waits for their locked vault");
  // Of another version, or none.
  expect(words({})).toBe("changed what is asked of everybody");
});

it("what was refused again and again says how often", () => {
  expect(timesWords({})).toBe("");
  expect(timesWords({ times: "1" })).toBe("");
  expect(timesWords({ times: "12" })).toBe("(12 times)");
});

it("whatever is in the log of an organisation can be picked", () => {
  // What the operator does with tenants of the tenant API is in the operator's log alone.
  const operators = /^(operator|api_tenant|api_agent|api_template|platform_keys)\./;
  const picked = (action: string) => KINDS.some(({ value }) => value !== "" && action.startsWith(value));
  expect(actions.filter((action) => !operators.test(action) && !picked(action))).toEqual([]);
});
