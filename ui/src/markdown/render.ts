/** Tokens of Markdown as Lit templates. No string of HTML is ever made; HTML in the text is shown as text. */
import { html, nothing, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";
import type { Token, Tokens } from "marked";
import { icon } from "../parts/icon";
import "../parts/code-block";
import { safeImage, safeLink } from "./links";

type Rendered = TemplateResult | string | typeof nothing;

const NAMED: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };

/** Character references as characters: templates escape by themselves. */
export function unescaped(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]+));/g, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name) return NAMED[name] ?? whole;
    const code = decimal ? Number.parseInt(decimal, 10) : Number.parseInt(hex ?? "", 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function inline(tokens: readonly Token[] | undefined): Rendered[] {
  return (tokens ?? []).map(inlineToken);
}

function inlineToken(token: Token): Rendered {
  switch (token.type) {
    case "text":
    case "escape":
      return "tokens" in token && token.tokens ? html`${inline(token.tokens)}` : unescaped(token.text as string);
    case "strong":
      return html`<strong>${inline(token.tokens)}</strong>`;
    case "em":
      return html`<em>${inline(token.tokens)}</em>`;
    case "del":
      return html`<del>${inline(token.tokens)}</del>`;
    case "codespan":
      return html`<code>${token.text}</code>`;
    case "br":
      return html`<br>`;
    case "checkbox":
      return nothing;
    case "link": {
      const href = safeLink(token.href as string);
      return href === undefined ? html`${inline(token.tokens)}` : html`<a href=${href} target="_blank" rel="noopener noreferrer nofollow">${inline(token.tokens)}</a>`;
    }
    case "image":
      return image(token as Tokens.Image);
    default:
      return token.raw;
  }
}

/** A picture from elsewhere tells its server that you read this: it is a link until someone asks for it. */
function image(token: Tokens.Image): Rendered {
  const safe = safeImage(token.href);
  const words = token.text || "Image";
  if (!safe) return words;
  return html`<a class="image-card" href=${safe.url} target="_blank" rel="noopener noreferrer nofollow">${icon("image", "s")}<span>${words}</span><span class="muted">opens ${safe.host}</span></a>`;
}

function item(token: Tokens.ListItem): TemplateResult {
  const box = token.task ? html`<input type="checkbox" disabled .checked=${token.checked ?? false} aria-label=${token.checked ? "done" : "to do"}> ` : nothing;
  return html`<li class=${token.task ? "task" : ""}>${box}${token.tokens.map((each) => (each.type === "text" ? inlineToken(each) : block(each, true)))}</li>`;
}

function table(token: Tokens.Table): TemplateResult {
  const align = (at: number) => `cell-${token.align[at] ?? "start"}`;
  return html`<div class="table-box" tabindex="0" role="region" aria-label="Table">
    <table>
      <thead><tr>${token.header.map((cell, at) => html`<th scope="col" class=${align(at)}>${inline(cell.tokens)}</th>`)}</tr></thead>
      <tbody>${token.rows.map((row) => html`<tr>${row.map((cell, at) => html`<td class=${align(at)}>${inline(cell.tokens)}</td>`)}</tr>`)}</tbody>
    </table>
  </div>`;
}

function heading(token: Tokens.Heading): TemplateResult {
  const words = inline(token.tokens);
  // The page's own headings come first, so a message starts at the third level.
  switch (token.depth) {
    case 1:
      return html`<h3>${words}</h3>`;
    case 2:
      return html`<h4>${words}</h4>`;
    case 3:
      return html`<h5>${words}</h5>`;
    default:
      return html`<h6>${words}</h6>`;
  }
}

function block(token: Token, finished: boolean): Rendered {
  switch (token.type) {
    case "space":
    case "checkbox":
    case "def":
      return nothing;
    case "paragraph":
      return html`<p>${inline(token.tokens)}</p>`;
    case "text":
      return html`<p>${inlineToken(token)}</p>`;
    case "heading":
      return heading(token as Tokens.Heading);
    case "code": {
      const closed = finished || /\n {0,3}(`{3,}|~{3,})\s*$/.test(token.raw);
      return html`<hf-code .code=${token.text as string} .language=${((token.lang as string | undefined) ?? "").trim().split(/\s/)[0] ?? ""} .closed=${closed}></hf-code>`;
    }
    case "blockquote":
      return html`<blockquote>${(token as Tokens.Blockquote).tokens.map((each) => block(each, finished))}</blockquote>`;
    case "list": {
      const list = token as Tokens.List;
      const items = list.items.map(item);
      return list.ordered ? html`<ol start=${list.start === "" ? 1 : list.start}>${items}</ol>` : html`<ul>${items}</ul>`;
    }
    case "table":
      return table(token as Tokens.Table);
    case "hr":
      return html`<hr>`;
    case "html":
      return html`<p class="as-text">${token.raw}</p>`;
    default:
      return html`<p>${token.raw}</p>`;
  }
}

/** All blocks; those whose token is the same object as before are not touched. */
export function renderBlocks(tokens: readonly Token[], complete: boolean): unknown {
  return repeat(
    tokens,
    (_, at) => at,
    (token, at) => {
      const finished = complete || at < tokens.length - 1;
      return guard([token, finished], () => block(token, finished));
    },
  );
}
