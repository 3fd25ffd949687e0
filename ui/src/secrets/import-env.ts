/** Reads a `.env` file: `NAME=value` a line, with quotes, comments and `export` as shells and dotenv write them. Nothing is expanded. */
import { Collector, type Found, ImportError } from "./import-types";

const LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*/;

export function readEnv(source: string): Found {
  const collector = new Collector("a .env file");
  let rest = source.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
  let number = 0;
  let any = false;
  while (rest !== "") {
    number++;
    const end = rest.indexOf("\n");
    const line = end < 0 ? rest : rest.slice(0, end);
    if (/^\s*(#|$)/.test(line)) {
      rest = end < 0 ? "" : rest.slice(end + 1);
      continue;
    }
    const match = LINE.exec(rest);
    if (!match || match[0].includes("\n")) {
      // `NAME=` alone: the blank after it may hold the line's end.
      const empty = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*$/.exec(line);
      if (!empty) throw new ImportError(`Line ${number} is not NAME=value.`);
      any = true;
      collector.add({ name: empty[1] ?? "", kind: "api_key", value: "" });
      rest = end < 0 ? "" : rest.slice(end + 1);
      continue;
    }
    any = true;
    const name = match[1] ?? "";
    const after = rest.slice(match[0].length);
    const quote = after[0];
    if (quote === '"' || quote === "'" || quote === "`") {
      let at = 1;
      while (at < after.length && after[at] !== quote) at += quote === '"' && after[at] === "\\" ? 2 : 1;
      if (at >= after.length) throw new ImportError(`The quote in line ${number} has no end.`);
      const inside = after.slice(1, at);
      const value = quote === '"' ? inside.replace(/\\(.)/gs, (_all, letter: string) => ({ n: "\n", r: "\r", t: "\t" })[letter] ?? letter) : inside;
      collector.add({ name, kind: value.includes("\n") ? "text" : "api_key", value });
      number += inside.split("\n").length - 1;
      const next = after.indexOf("\n", at);
      rest = next < 0 ? "" : after.slice(next + 1);
      continue;
    }
    const next = after.indexOf("\n");
    const value = (next < 0 ? after : after.slice(0, next)).replace(/\s+#.*$/, "").trim();
    collector.add({ name, kind: "api_key", value });
    rest = next < 0 ? "" : after.slice(next + 1);
  }
  if (!any) throw new ImportError("There is no NAME=value in this file.");
  return collector.found;
}
