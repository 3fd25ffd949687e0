/** Digits that two people compare: groups of five, four to a line, read one by one by a screen reader. */
import { html, type TemplateResult } from "lit";

export function digits(fingerprint: string, label: string): TemplateResult {
  return html`<div class="digits" role="img" aria-label="${label}: ${fingerprint.split("").join(" ")}">${fingerprint.split(" ").map((group) => html`<span aria-hidden="true">${group}</span>`)}</div>`;
}
