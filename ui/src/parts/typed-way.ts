/** The field for a secret that a person types: a password, a phrase or a backup key. `typed` carries what stands there. */
import { html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { View } from "../app/view";
import type { SlotKind } from "../channel/messages";
import { icon } from "./icon";
import "./password-field";

const LABELS: Partial<Record<SlotKind, string>> = { recovery_phrase: "Recovery phrase", backup_key: "Backup key" };

export class TypedWay extends View {
  @property({ attribute: false }) kind: SlotKind = "password";
  @property({ attribute: false }) field = "way-secret";
  @property({ attribute: false }) label = "";
  @property({ attribute: false }) value = "";
  @property({ attribute: false }) error = "";
  @property({ attribute: false }) focusFirst = false;

  protected override firstUpdated(): void {
    if (this.focusFirst) this.querySelector("textarea")?.focus({ preventScroll: true });
  }

  protected override render(): TemplateResult {
    if (this.kind === "password")
      return html`<hf-password .field=${this.field} .label=${this.label || "Vault password"} .value=${this.value} .error=${this.error} .focusFirst=${this.focusFirst} @typed=${(event: CustomEvent<string>) => this.#say(event.detail)}></hf-password>`;
    return html`<div class="field">
      <label for=${this.field}>${this.label || (LABELS[this.kind] ?? "")}</label>
      <textarea
        id=${this.field}
        rows="3"
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
        required
        aria-invalid=${this.error ? "true" : nothing}
        aria-describedby=${this.error ? `${this.field}-error` : nothing}
        .value=${this.value}
        @input=${(event: InputEvent) => this.#say((event.target as HTMLTextAreaElement).value)}
      ></textarea>
      ${this.error ? html`<p class="field-error" id="${this.field}-error">${icon("circle-alert", "s")}${this.error}</p>` : nothing}
    </div>`;
  }

  #say(value: string): void {
    this.value = value;
    this.dispatchEvent(new CustomEvent("typed", { detail: value }));
  }
}

customElements.define("hf-typed-way", TypedWay);
