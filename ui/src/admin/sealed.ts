/** The label where somebody might look for content. */
import { html, type TemplateResult } from "lit";
import { icon } from "../parts/icon";

export function sealed(what: string): TemplateResult {
  return html`<p class="sealed">${icon("lock", "s")}<span>${what}: encrypted, not visible to you.</span></p>`;
}
