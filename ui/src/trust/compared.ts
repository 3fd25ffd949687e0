/** Whether somebody is who they are taken for, said where something is given to them. */
import { html, type TemplateResult } from "lit";
import type { KnownKeys } from "../channel/messages";
import { notice } from "../parts/form";
import { digits } from "./digits";

export function comparedWords(name: string, { fingerprint, compared_at }: KnownKeys): TemplateResult {
  if (compared_at !== null) return html`<p class="muted">You have compared digits with ${name}: what you give goes to them and nobody else.</p>`;
  return html`${notice("warn", html`You have not compared digits with ${name}. Until you have, somebody who runs this server could stand in for them. <a href="/trusted">Compare them</a>; ${name} reads you theirs:`)}
    ${digits(fingerprint, `Digits of ${name}`)}`;
}
