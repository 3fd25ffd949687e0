/** Choosing a password: once, shown on wish, with its strength; `chosen` carries it when it is strong enough to be taken, else "". */
import { html, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { me } from "../app/account";
import { View } from "../app/view";
import "./password-field";
import "./strength";
import type { Strength } from "./strength";

/** "Could be better" is taken with a warning; what is easy to guess is not. */
const LEAST_SCORE = 2;

export class NewPassword extends View {
  @property({ attribute: false }) label = "New vault password";
  @property({ attribute: false }) focusFirst = false;
  @state() private value = "";

  protected override render(): TemplateResult {
    const who = me();
    const own = who ? [who.user.name, ...who.user.name.split(/\s+/), who.user.email, ...who.user.email.split(/[@.]/), who.tenant.name, "holdfast"] : [];
    return html`<hf-password
        .field=${"new-password"}
        .label=${this.label}
        .value=${this.value}
        .autocomplete=${"new-password"}
        .describedBy=${"strength"}
        .focusFirst=${this.focusFirst}
        @typed=${(event: CustomEvent<string>) => this.#typed(event.detail)}
      ></hf-password>
      <hf-strength .password=${this.value} .own=${own} @measured=${(event: CustomEvent<Strength>) => this.#measured(event.detail)}></hf-strength>`;
  }

  #typed(value: string): void {
    // Pasted or filled in once more: what was measured holds, and nothing would measure it again.
    if (value === this.value) return;
    this.value = value;
    this.#choose("");
  }

  #measured(strength: Strength): void {
    this.#choose(strength.score >= LEAST_SCORE ? this.value : "");
  }

  #choose(password: string): void {
    this.dispatchEvent(new CustomEvent("chosen", { detail: password }));
  }
}

customElements.define("hf-new-password", NewPassword);
