/** The pages about people and what they have in common. */
import { html, nothing, type TemplateResult } from "lit";
import { path } from "../app/router";

const PAGES = [
  ["/people", "Everyone"],
  ["/groups", "Groups"],
] as const;

export function tabs(): TemplateResult {
  return html`<nav class="tabs" aria-label="People">${PAGES.map(([href, words]) => html`<a href=${href} aria-current=${path.value === href ? "page" : nothing}>${words}</a>`)}</nav>`;
}
