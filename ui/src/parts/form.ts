/** The pieces of forms: a field with its label, hint and error, a notice, and what a button shows while it works. */
import { html, nothing, type TemplateResult } from "lit";
import type { IconName } from "./icon-names";
import { icon } from "./icon";
import { working } from "./working";

export interface FieldOptions {
  id: string;
  label: string;
  value: string;
  type?: "text" | "email" | "url" | "password";
  autocomplete?: string;
  inputmode?: "numeric" | "text";
  hint?: unknown;
  error?: string | undefined;
  placeholder?: string;
  required?: boolean;
  maxlength?: number;
  onInput(value: string): void;
}

export function field(options: FieldOptions): TemplateResult {
  const { id, label, value, type = "text", hint, error } = options;
  const described = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ");
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input
      id=${id}
      name=${id}
      type=${type}
      .value=${value}
      autocomplete=${options.autocomplete ?? "off"}
      inputmode=${options.inputmode ?? nothing}
      autocapitalize=${type === "text" ? "sentences" : "none"}
      spellcheck="false"
      placeholder=${options.placeholder ?? nothing}
      maxlength=${options.maxlength ?? nothing}
      ?required=${options.required ?? true}
      aria-invalid=${error ? "true" : nothing}
      aria-describedby=${described || nothing}
      @input=${(event: InputEvent) => options.onInput((event.target as HTMLInputElement).value)}
    >
    ${hint ? html`<p class="hint" id="${id}-hint">${hint}</p>` : nothing}
    ${error ? html`<p class="field-error" id="${id}-error">${icon("circle-alert", "s")}${error}</p>` : nothing}
  </div>`;
}

export function notice(kind: "error" | "warn" | "info" | "ok", words: unknown): TemplateResult {
  const name: IconName = kind === "error" ? "circle-alert" : kind === "warn" ? "triangle-alert" : kind === "ok" ? "circle-check" : "info";
  return html`<div class="notice notice-${kind}" role=${kind === "error" ? "alert" : nothing}>${icon(name)}<div>${words}</div></div>`;
}

export function submitButton(words: string, busy: boolean, busyWords = "One moment…", disabled = false): TemplateResult {
  return html`<button class="button primary wide" type="submit" ?disabled=${busy || disabled} aria-busy=${busy ? "true" : "false"}>${busy ? working(busyWords) : words}</button>`;
}

export function brand(): TemplateResult {
  return html`<div class="brand"><img src="/favicon.svg" alt="" width="28" height="28"><span>Holdfast</span></div>`;
}

export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
