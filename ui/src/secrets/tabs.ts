/** The pages about what is in the vault and what is done with it. */
import { html, nothing, type TemplateResult } from "lit";
import { path } from "../app/router";

const PAGES = [
  ["/secrets", "Secrets"],
  ["/services", "Services"],
  ["/activity", "Activity"],
] as const;

export function tabs(): TemplateResult {
  return html`<nav class="tabs" aria-label="Vault">${PAGES.map(([href, words]) => html`<a href=${href} aria-current=${path.value === href ? "page" : nothing}>${words}</a>`)}</nav>`;
}
