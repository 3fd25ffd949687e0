/** To whom something that this person shares was passed on, each with its end. */
import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../parts/icon";
import { digits } from "../trust/digits";
import type { Given, PassedOn } from "./shared";
import { dayWords, mayWords, whoWords } from "./words";

export const STATES: Record<Given["state"], string> = { given: "Shared", stopped: "Stopped", over: "Over" };

export function usesWords(each: { calls: number; last_used: number | null }): string {
  return each.calls === 0 ? "Not used yet" : `Used ${each.calls === 1 ? "once" : `${each.calls} times`}${each.last_used ? `, last on ${dayWords(each.last_used)}` : ""}`;
}

export interface PassedOnOptions {
  /** What was passed on. */
  what: string;
  links: readonly PassedOn[];
  off: boolean;
  onEnd(id: string, name: string): void;
}

export function passedOnList({ what, links, off, onEnd }: PassedOnOptions): TemplateResult | typeof nothing {
  if (links.length === 0) return nothing;
  return html`<ul class="rows" aria-label="To whom ${what} was passed on">${links.map((link) => {
    const [by, to] = [whoWords(link.by), whoWords(link.to)];
    return html`<li>
      <div class="row-head">
        <div class="row-name"><strong>${by} passed it on to ${to}</strong><span class="muted">They may ${mayWords(link.scope)}, until ${dayWords(link.until)}${link.constraints.max_calls ? `, ${link.constraints.max_calls} times at most` : ""}. ${usesWords(link)}.</span></div>
        <span class="tag ${link.state === "given" ? "" : "tag-warn"}">${STATES[link.state]}</span>
      </div>
      ${link.to.name === null && link.to.fingerprint !== null ? digits(link.to.fingerprint, "Digits of whoever has it") : nothing}
      ${link.state === "given" ? html`<div class="row"><button class="button small" type="button" ?disabled=${off} aria-label="End it: what ${by} passed on to ${to} of ${what}" @click=${() => onEnd(link.id, to)}>${icon("x", "s")} End it</button></div>` : nothing}
    </li>`;
  })}</ul>`;
}
