import { expect, test } from "vitest";
import { filter, type Fields } from "../src/admin/filter";
import { bytes, percent, span } from "../src/admin/format";

interface Row {
  name: string;
  state: string;
  mem?: number;
}

const FIELDS: Fields<Row> = {
  anywhere: (row) => row.name,
  named: { state: { words: (row) => row.state }, mem: { number: (row) => row.mem, unit: "%" }, tenant: { words: (row) => row.name } },
};
const ROWS: Row[] = [
  { name: "Anna Keller", state: "failed", mem: 85 },
  { name: "Bob", state: "awake", mem: 20 },
  { name: "Carol", state: "asleep" },
];

function found(text: string): string[] {
  return ROWS.filter(filter(text, FIELDS).matches).map((row) => row.name);
}

test("words stand anywhere, fields where they belong, and all of them must fit", () => {
  expect(found("")).toHaveLength(3);
  expect(found("ANNA")).toEqual(["Anna Keller"]);
  expect(found("state:failed")).toEqual(["Anna Keller"]);
  expect(found("state:failed bob")).toEqual([]);
  expect(found('tenant:"anna k"')).toEqual(["Anna Keller"]);
  expect(found("state:")).toHaveLength(3);
});

test("numbers are compared, and what has none does not fit", () => {
  expect(found("mem:>80%")).toEqual(["Anna Keller"]);
  expect(found("mem:<=20")).toEqual(["Bob"]);
  expect(found("mem:>0")).toHaveLength(2);
});

test("what means nothing is said and does not empty the table", () => {
  expect(filter("colour:red", FIELDS).problem).toContain("colour");
  expect(found("colour:red")).toHaveLength(3);
  expect(filter("mem:much", FIELDS).problem).toContain("mem:>80%");
  expect(filter("mem:>80% bob", FIELDS).problem).toBe("");
});

test("sizes and times are read by people", () => {
  expect([bytes(0), bytes(1536), bytes(3 * 1024 ** 3)]).toEqual(["0 B", "1.5 KiB", "3.0 GiB"]);
  expect([span(400), span(59_000), span(61_000), span(3_600_000), span(90_000_000)]).toEqual(["0 s", "59 s", "1 min", "1 h", "1 d 1 h"]);
  expect(percent(1, 0)).toBe(0);
});
