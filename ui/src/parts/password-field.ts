/** A password that can be shown while it is typed; its value never reaches an attribute. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { View } from "../app/view";
import { icon } from "./icon";

export class PasswordField extends View {
  @property({ attribute: false }) field = "password";
  @property({ attribute: false }) label = "Password";
  @property({ attribute: false }) autocomplete: "current-password" | "new-password" | "off" = "current-password";
  @property({ attribute: false }) value = "";
  @property({ attribute: false }) error = "";
  @property({ attribute: false }) describedBy = "";
  @property({ attribute: false }) focusFirst = false;
  @property({ attribute: false }) optional = false;
  @state() private shown = false;

  protected override firstUpdated(): void {
    if (this.focusFirst) this.querySelector("input")?.focus({ preventScroll: true });
  }

  protected override render(): TemplateResult {
    const described = [this.describedBy, this.error ? `${this.field}-error` : ""].filter(Boolean).join(" ");
    return html`<div class="field">
      <label for=${this.field}>${this.label}</label>
      <div class="input-with-button">
        <input
          id=${this.field}
          type=${this.shown ? "text" : "password"}
          .value=${this.value}
          autocomplete=${this.autocomplete}
          autocapitalize="none"
          spellcheck="false"
          ?required=${!this.optional}
          aria-invalid=${this.error ? "true" : nothing}
          aria-describedby=${described || nothing}
          @input=${this.#typed}
        >
        <button type="button" class="icon-button" aria-label=${this.shown ? "Hide password" : "Show password"} aria-pressed=${this.shown ? "true" : "false"} @click=${() => (this.shown = !this.shown)}>
          ${icon(this.shown ? "eye-off" : "eye", "s")}
        </button>
      </div>
      ${this.error ? html`<p class="field-error" id="${this.field}-error">${icon("circle-alert", "s")}${this.error}</p>` : nothing}
    </div>`;
  }

  #typed = (event: InputEvent): void => {
    this.value = (event.target as HTMLInputElement).value;
    this.dispatchEvent(new CustomEvent("typed", { detail: this.value }));
  };
}

customElements.define("hf-password", PasswordField);
