/**
 * Colours for code, loaded when the first block asks. highlight.js gives a tree; it becomes `<span class>` in a template, so no
 * HTML is parsed. `_emitter` is private to highlight.js: its version is pinned and a test looks at what it gives.
 */
import type { HLJSApi } from "highlight.js";
import { html, type TemplateResult } from "lit";

/** Longer code is shown plain. */
const HIGHLIGHT_BYTES = 50_000;

interface TreeNode {
  scope?: string;
  children: (TreeNode | string)[];
}

let loading: Promise<HLJSApi> | undefined;

async function load(): Promise<HLJSApi> {
  loading ??= import("./languages").then((module) => module.default);
  return loading;
}

/** `title.function_` is `hljs-title function_`. */
function className(scope: string): string {
  const [first = "", ...rest] = scope.split(".");
  return [`hljs-${first}`, ...rest.map((part, depth) => part + "_".repeat(depth + 1))].join(" ");
}

function node(tree: TreeNode | string): TemplateResult | string {
  if (typeof tree === "string") return tree;
  const children = tree.children.map(node);
  return tree.scope ? html`<span class=${className(tree.scope)}>${children}</span>` : html`${children}`;
}

/** The code as coloured spans; undefined when the language is not known or the code is too long. */
export async function highlighted(code: string, language: string): Promise<TemplateResult | string | undefined> {
  if (language === "" || code.length > HIGHLIGHT_BYTES) return undefined;
  const highlighter = await load();
  if (!highlighter.getLanguage(language)) return undefined;
  const result = highlighter.highlight(code, { language, ignoreIllegals: true });
  const root = (result as unknown as { _emitter?: { rootNode?: TreeNode } })._emitter?.rootNode;
  return root ? node(root) : undefined;
}
