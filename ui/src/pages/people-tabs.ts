/** The pages about people and what they have in common. */
import { html, nothing, type TemplateResult } from "lit";
import { me } from "../app/account";
import { path } from "../app/router";

const PAGES = [
  ["/people", "Everyone"],
  ["/groups", "Groups"],
] as const;

/** For those who manage the organisation. */
const WAITING = ["/people/waiting", "Waiting"] as const;

export function tabs(): TemplateResult {
  const role = me()?.user.role;
  const pages = role === "owner" || role === "admin" ? [...PAGES, WAITING] : PAGES;
  return html`<nav class="tabs" aria-label="People">${pages.map(([href, words]) => html`<a href=${href} aria-current=${path.value === href ? "page" : nothing}>${words}</a>`)}</nav>`;
}
