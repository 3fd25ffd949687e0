import type { TemplateResult } from "lit";
import { marked } from "marked";
import { describe, expect, it } from "vitest";
import { BlockStream } from "../src/markdown/blocks";
import { highlighted } from "../src/markdown/highlight";
import { safeImage, safeLink } from "../src/markdown/links";

const TEXT = `# Title

A paragraph with **bold** and \`code\`.

- one
- two

  still two

1. first

\`\`\`rust
fn main() {

    println!("a");
}
\`\`\`

| a | b |
|---|---|
| 1 | 2 |

> quote

Last, with a [link](https://example.org).
`.repeat(6);

function shapes(text: string): string[] {
  return marked.lexer(text).map((token) => `${token.type}:${token.raw}`);
}

describe("Markdown that streams", () => {
  it("gives the same blocks in pieces as at once", () => {
    for (const step of [1, 7, 64]) {
      const stream = new BlockStream();
      let blocks: readonly { type: string; raw: string }[] = [];
      for (let end = step; end < TEXT.length + step; end += step) blocks = stream.update(TEXT.slice(0, end), false);
      expect(blocks.map((token) => `${token.type}:${token.raw}`)).toEqual(shapes(TEXT));
    }
  });

  it("keeps finished blocks as the same objects", () => {
    const stream = new BlockStream();
    const before = stream.update(TEXT, false);
    const after = stream.update(`${TEXT}\n\nmore`, false);
    expect(after[0]).toBe(before[0]);
    expect(after[10]).toBe(before[10]);
  });

  it("reads only the tail again, so that a long answer does not slow down", () => {
    const stream = new BlockStream();
    const long = TEXT.repeat(8);
    const started = performance.now();
    for (let end = 0; end < long.length; end += 200) stream.update(long.slice(0, end), false);
    const kept = performance.now() - started;
    const naiveStarted = performance.now();
    for (let end = 0; end < long.length; end += 200) marked.lexer(long.slice(0, end));
    const naive = performance.now() - naiveStarted;
    expect(kept).toBeLessThan(naive / 2);
  });

  it("finds a reference that is defined at the end, once it is complete", () => {
    const stream = new BlockStream();
    const text = `See [here].\n\nA\n\nB\n\nC\n\nD\n\n[here]: https://example.org\n`;
    stream.update(text.slice(0, 20), false);
    stream.update(text, false);
    const [first] = stream.update(text, true) as unknown as [{ tokens: { type: string }[] }];
    expect(first.tokens.some((token) => token.type === "link")).toBe(true);
  });

  it("starts again when the text is another", () => {
    const stream = new BlockStream();
    stream.update(TEXT, false);
    expect(stream.update("short", true).map((token) => token.raw)).toEqual(["short"]);
  });
});

describe("links in messages", () => {
  it("are http, https and mailto only", () => {
    expect(safeLink("https://example.org/a?b#c")).toBe("https://example.org/a?b#c");
    expect(safeLink("mailto:a@example.org")).toBe("mailto:a@example.org");
    for (const bad of ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "/setup", "blob:https://x/y", ""]) expect(safeLink(bad), bad).toBeUndefined();
    expect(safeImage("data:image/svg+xml,<svg/>")).toBeUndefined();
  });
});

describe("colours of code", () => {
  // `_emitter` is private to highlight.js: this fails when an update moves it.
  it("come from highlight.js's tree, as templates", async () => {
    const result = (await highlighted("fn main() {}", "rust")) as TemplateResult;
    const text = JSON.stringify(result);
    expect(text).toContain("hljs-keyword");
    expect(text).not.toContain("<script");
  });

  it("are left out for unknown languages and for very long code", async () => {
    expect(await highlighted("x", "klingon")).toBeUndefined();
    expect(await highlighted("x".repeat(60_000), "rust")).toBeUndefined();
  });
});
