/** What is paused, and what its owner may do about it. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { notice } from "../parts/form";
import { icon } from "../parts/icon";
import { type Paused, paused, pausedKey, pausedProblem, pausedWords, resume, stopSharing, whatWords } from "./paused";

export class PausedCards extends FormPage {
  protected override render(): TemplateResult {
    return html`${pausedProblem.value ? notice("error", pausedProblem.value) : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${repeat(paused.value, pausedKey, (each) => this.#card(each))}`;
  }

  #card(each: Paused): TemplateResult {
    const words = pausedWords(each);
    return html`<section class="card" role="group" aria-label=${words}>
      <p><strong>${icon("triangle-alert", "s")} ${words}</strong></p>
      <p class="muted">Nothing more goes to ${whatWords(each)} for them until you say so. If you let it go on, twice as many are fine for four weeks.</p>
      <div class="row">
        <button class="button" type="button" ?disabled=${this.busy || !online.value} @click=${() => void this.work(() => resume(each))}>Let it go on</button>
        ${each.user === null || each.own_agent ? nothing : html`<button class="button" type="button" ?disabled=${this.busy || !online.value} @click=${() => void this.work(() => stopSharing(each))}>Stop sharing</button>`}
      </div>
    </section>`;
  }
}

customElements.define("hf-paused", PausedCards);
