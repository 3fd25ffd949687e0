// OpenClaw's Gateway in two steps: its code is loaded while its home is still sealed, and it begins when the word comes. Nothing of
// OpenClaw runs in between: after the loading this process waits for the word without giving anything a turn. Loading looks at no file outside of
// the package (the baking checks that it leaves nothing in the home).
// What is loaded is what a start loaded when the image was made, in that order (modules.json).

import { readFileSync, readSync } from "node:fs";
import { pathToFileURL } from "node:url";

const ENTRY = "/opt/openclaw/node_modules/openclaw/openclaw.mjs";

for (const url of JSON.parse(readFileSync(new URL("modules.json", import.meta.url), "utf8"))) await import(url);

const word = Buffer.alloc(8);
const length = waitForWord();
// Nobody unlocked.
if (length === 0) process.exit(0);
if (word.toString("utf8", 0, length) !== "go\n") process.exit(1);
process.argv[1] = ENTRY;
await import(pathToFileURL(ENTRY).href);

// The length of the word. What was loaded may have made standard input one that does not block.
function waitForWord() {
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      return readSync(0, word);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(never, 0, 0, 50);
    }
  }
}
