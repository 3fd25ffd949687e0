/** What somebody else’s agent wants and its owner has allowed, of which this person is the second to be asked. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { online } from "../app/link";
import type { AskedAsSecond } from "../channel/messages";
import { FormPage } from "../pages/page";
import { field, notice } from "../parts/form";
import { icon } from "../parts/icon";
import { answerAsSecond, approvalClock } from "./approvals";
import { stands } from "./standing";
import { approvalWords, asSecond, leftWords, secondDetails } from "./words";

export class SecondCard extends FormPage {
  @property({ attribute: false }) asked!: AskedAsSecond;
  @state() private refusing = false;
  @state() private reason = "";

  protected override render(): TemplateResult {
    const { id, name, expires_at } = this.asked;
    const off = this.busy || !online.value;
    return html`<section class="card approval" aria-labelledby="second-${id}">
      <div class="approval-head">
        ${icon("shield-check")}
        <h2 id="second-${id}">${approvalWords(asSecond(this.asked), `${name}’s agent`)}</h2>
        <span class="tag">${icon("clock", "s")} ${leftWords(expires_at, approvalClock.value)} left</span>
      </div>
      <p class="muted">${name} has allowed it, and asks you as the second person. It is done when you agree, and your answer is good for exactly this.</p>
      <dl class="exact">
        ${secondDetails(this.asked).map(([label, value]) => html`<dt>${label}</dt><dd><pre tabindex="0" role="region" aria-label=${label}>${value}</pre></dd>`)}
      </dl>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.refusing
        ? html`<form @submit=${this.#refuse}>
            ${field({ id: `second-reason-${id}`, label: "Why not? (optional)", value: this.reason, required: false, maxlength: 500, hint: `${name} and their agent are told.`, onInput: (value) => (this.reason = value) })}
            <div class="row">
              <button class="button danger" type="submit" ?disabled=${off}>Refuse</button>
              <button class="button" type="button" @click=${() => (this.refusing = false)}>Back</button>
            </div>
          </form>`
        : html`<div class="row">
            <button class="button primary" type="button" ?disabled=${off || !stands.value} @click=${() => this.#give(true)}>${icon("check", "s")} Agree</button>
            <button class="button" type="button" ?disabled=${off} @click=${() => (this.refusing = true)}>${icon("x", "s")} No</button>
          </div>`}
    </section>`;
  }

  #refuse = (event: SubmitEvent): void => {
    event.preventDefault();
    this.#give(false);
  };

  #give(allow: boolean): void {
    void this.work(() => answerAsSecond(this.asked, allow, this.reason.trim()));
  }
}

customElements.define("hf-second", SecondCard);
