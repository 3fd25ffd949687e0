/** What is typed to filter a table: words that may stand anywhere, and `field:value`, with `>` and `<` for numbers. */

export type Field<T> = { words: (row: T) => string } | { number: (row: T) => number | undefined; unit: "%" | "bytes" | "" };

export interface Fields<T> {
  /** Where a word without a field is looked for. */
  anywhere: (row: T) => string;
  named: Record<string, Field<T>>;
}

export interface Filter<T> {
  matches: (row: T) => boolean;
  /** What was typed that means nothing, in a sentence. */
  problem: string;
}

const SIZES: Record<string, number> = { "": 1, "%": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** The parts of what was typed: at spaces, but not inside quotes. */
function parts(text: string): string[] {
  return [...text.matchAll(/(?:[^\s"]+|"[^"]*"?)+/g)].map(([part]) => part.replaceAll('"', ""));
}

function compare(text: string): ((value: number) => boolean) | undefined {
  const found = /^(>=|<=|>|<|=)?(\d+(?:\.\d+)?)\s*(%|[kmg])?(?:i?b)?$/i.exec(text);
  if (!found) return undefined;
  const limit = Number(found[2]) * (SIZES[(found[3] ?? "").toLowerCase()] ?? 1);
  switch (found[1]) {
    case ">":
      return (value) => value > limit;
    case ">=":
      return (value) => value >= limit;
    case "<":
      return (value) => value < limit;
    case "<=":
      return (value) => value <= limit;
    default:
      return (value) => value === limit;
  }
}

export function filter<T>(text: string, fields: Fields<T>): Filter<T> {
  const tests: ((row: T) => boolean)[] = [];
  let problem = "";
  for (const part of parts(text)) {
    const at = part.indexOf(":");
    const name = part.slice(0, Math.max(0, at)).toLowerCase();
    const field = fields.named[name];
    if (at > 0 && field === undefined) {
      problem = `There is no “${name}” here. Try ${Object.keys(fields.named).map((known) => `${known}:`).join(", ")}.`;
      continue;
    }
    const value = (field ? part.slice(at + 1) : part).toLocaleLowerCase();
    if (value === "") continue;
    if (field === undefined) {
      tests.push((row) => fields.anywhere(row).toLocaleLowerCase().includes(value));
    } else if ("words" in field) {
      tests.push((row) => field.words(row).toLocaleLowerCase().includes(value));
    } else {
      const fits = compare(value);
      if (!fits) problem = `After “${name}:” comes a number, such as ${name}:>${field.unit === "bytes" ? "500m" : `80${field.unit}`}.`;
      else
        tests.push((row) => {
          const number = field.number(row);
          return number !== undefined && fits(number);
        });
    }
  }
  return { matches: (row) => tests.every((test) => test(row)), problem };
}
