// Writes down which of OpenClaw's modules its Gateway loads, in order: what prepare.mjs loads ahead. Its workers and children, which
// inherit this, write nothing. The two entries are left out: they begin when they are loaded.

import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { isMainThread } from "node:worker_threads";

const ROOT = "file:///opt/openclaw/node_modules/";
const ENTRIES = ["openclaw/openclaw.mjs", "openclaw/dist/entry.js"].map((path) => ROOT + path);

if (isMainThread && process.argv[1] === ENTRIES[0].slice("file://".length)) {
  const seen = new Set();
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      seen.add(resolved.url);
      return resolved;
    },
  });
  const wanted = (url) => url.startsWith(ROOT) && /\.[cm]?js$/.test(url) && !ENTRIES.includes(url);
  process.on("exit", () => writeFileSync("/opt/openclaw/prepared/modules.json", JSON.stringify([...seen].filter(wanted))));
}
