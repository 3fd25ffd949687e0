/** How long a guesser would need for a password: a bar, a word and a hint. No rules on what it must hold. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { View } from "../app/view";

export interface Strength {
  score: 0 | 1 | 2 | 3 | 4;
  hint: string;
}

const WORDS = ["Very easy to guess", "Easy to guess", "Could be better", "Good", "Very good"] as const;

type Estimate = (password: string, own: string[]) => Strength;

let loading: Promise<Estimate> | undefined;

function estimator(): Promise<Estimate> {
  loading ??= import("./strength-estimate").then((module) => module.estimate);
  return loading;
}

export class StrengthMeter extends View {
  @property({ attribute: false }) password = "";
  /** Words that say nothing for this person: their name, their e-mail address. */
  @property({ attribute: false }) own: string[] = [];
  @state() private strength: Strength | undefined;

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has("password")) return;
    const { password } = this;
    if (password === "") {
      this.strength = undefined;
      return;
    }
    void estimator().then((estimate) => {
      if (password !== this.password) return;
      this.strength = estimate(password.slice(0, 100), this.own);
      this.dispatchEvent(new CustomEvent("measured", { detail: this.strength }));
    });
  }

  protected override render(): TemplateResult {
    const { strength } = this;
    return html`<div class="strength strength-${strength?.score ?? "none"}" id="strength">
      <div class="strength-bar" aria-hidden="true"><i></i><i></i><i></i><i></i></div>
      <p class="hint" role="status">${strength ? html`<strong>${WORDS[strength.score]}.</strong> ${strength.hint || nothing}` : "A few unrelated words make a good password. Length helps most."}</p>
    </div>`;
  }
}

customElements.define("hf-strength", StrengthMeter);
