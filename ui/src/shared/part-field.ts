/** Which part of a service is shared: a path of it; of a server of tools, one of those that its owner has allowed. */
import { html, type TemplateResult } from "lit";
import type { Route } from "../channel/messages";
import { field } from "../parts/form";
import { DOES } from "../secrets/tool-words";

export interface PartOptions {
  id: string;
  route: Route | undefined;
  value: string;
  placeholder: string;
  onInput(value: string): void;
}

/** Whether there is something of it to share: a server of which no tool is allowed has nothing. */
export function hasParts(route: Route | undefined): boolean {
  return !route?.tools || Object.keys(route.tools).length > 0;
}

export function partField({ id, route, value, placeholder, onInput }: PartOptions): TemplateResult {
  const tools = route?.tools;
  if (!tools) return field({ id, label: "Only a part of it? (optional)", value, required: false, maxlength: 200, placeholder, hint: "Where it is at the service. Nothing beside it can be reached.", onInput });
  const names = Object.keys(tools).sort();
  return html`<div class="field">
    <label for=${id}>Which of its tools?</label>
    <select id=${id} aria-describedby="${id}-hint" @change=${(event: Event) => onInput((event.target as HTMLSelectElement).value)}>
      <option value="" ?selected=${value === ""}>All that you have allowed</option>
      ${names.map((name) => html`<option value=${name} ?selected=${value === name}>${name}: ${DOES[tools[name]?.does ?? "read"].toLocaleLowerCase()}</option>`)}
    </select>
    <p class="hint" id="${id}-hint">${names.length === 0 ? html`You have not allowed any of them yet: <a href="/services">choose on the page Services</a>.` : "Each as what you said on the page Services that it does. One that you have not allowed there cannot be reached."}</p>
  </div>`;
}
