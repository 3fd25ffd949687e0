/** One request of the agent: the sentence, what exactly would be done, the time that is left, and the answers. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { byThisClock, keepersNow } from "../app/keeper-clock";
import { online } from "../app/link";
import type { Approval, ApprovalAnswer } from "../channel/messages";
import { FormPage } from "../pages/page";
import { field, notice } from "../parts/form";
import { icon } from "../parts/icon";
import { comparedWords } from "../trust/compared";
import { approvalClock, decide, secondNames } from "./approvals";
import { stands } from "./standing";
import { approvalWords, details, leftWords } from "./words";

const DAY_MS = 24 * 60 * 60 * 1000;
const LONGEST_DAYS = 365;

export class ApprovalCard extends FormPage {
  @property({ attribute: false }) approval!: Approval;
  /** On the page of all requests the card belongs to a list. */
  @property({ attribute: false }) heading = "h2";
  @state() private more: "" | "always" | "deny" = "";
  @state() private perDay = "20";
  @state() private days = "30";
  @state() private reason = "";

  protected override render(): TemplateResult {
    const { action, may, expires_at, second, known } = this.approval;
    const id = `approval-${this.approval.id}`;
    const words = approvalWords(action);
    return html`<section class="card approval" aria-labelledby=${id} tabindex="-1" @keydown=${this.#keys}>
      <div class="approval-head">
        ${icon("shield-check")}
        ${this.heading === "h2" ? html`<h2 id=${id}>${words}</h2>` : html`<h3 id=${id}>${words}</h3>`}
        <span class="tag" title=${`Until ${new Date(Date.now() + expires_at - keepersNow()).toLocaleTimeString()}`}>${icon("clock", "s")} ${leftWords(expires_at, approvalClock.value)} left</span>
      </div>
      <p class="muted">Asked at ${new Date(byThisClock(this.approval.asked_at)).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}. Nothing is done before you answer, and your answer is good for exactly this.</p>
      ${second ? this.#second() : nothing}
      <dl class="exact">
        ${details(action).map(([name, value]) => html`<dt>${name}</dt><dd><pre tabindex="0" role="region" aria-label=${name}>${value}</pre></dd>`)}
      </dl>
      ${known && action.kind === "share" ? comparedWords(action.name, known) : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.more === "deny" ? this.#refusal() : this.more === "always" ? this.#always() : this.#answers(may)}
    </section>`;
  }

  #second(): TemplateResult {
    if (this.approval.not_asked) return notice("warn", "You had allowed this, and the second person could not be asked: it did not get through to them. Allow it again to ask them again.");
    const names = secondNames();
    if (names === "") return notice("warn", html`This needs a second person, and you have chosen nobody. Choose somebody in your inbox, under “What you allow beforehand”.`);
    return html`<p class="muted">When you allow it, ${names} is asked, too. It is done when both of you have said yes.</p>`;
  }

  #answers(may: Approval["may"]): TemplateResult {
    const off = this.busy || !online.value;
    const moves = off || !stands.value;
    return html`<div class="row">
      <button class="button primary" type="button" ?disabled=${moves} @click=${() => this.#give({ answer: "once" })}>${icon("check", "s")} Allow once</button>
      ${may.conversation ? html`<button class="button" type="button" ?disabled=${moves} @click=${() => this.#give({ answer: "conversation" })}>Allow in this conversation</button>` : nothing}
      ${may.always ? html`<button class="button" type="button" ?disabled=${off} @click=${() => this.#open("always")}>Allow until…</button>` : nothing}
      <button class="button" type="button" ?disabled=${off} @click=${() => this.#open("deny")}>${icon("x", "s")} No</button>
    </div>`;
  }

  #always(): TemplateResult {
    const [perDay, days] = [Number(this.perDay), Number(this.days)];
    const good = Number.isInteger(perDay) && perDay >= 1 && perDay <= 1000 && Number.isInteger(days) && days >= 1 && days <= LONGEST_DAYS;
    const until = new Date(Date.now() + days * DAY_MS);
    const id = this.approval.id;
    return html`<form @submit=${(event: SubmitEvent) => this.#sendAlways(event, perDay, days)}>
      <p>From now on your agent may do this without asking${this.approval.action.kind === "call_service" ? ", whatever it sends along" : ""}. You can take it back in your inbox.</p>
      <div class="fields">
        ${field({ id: `per-day-${id}`, label: "At most so often a day", value: this.perDay, inputmode: "numeric", maxlength: 4, onInput: (value) => (this.perDay = value) })}
        ${field({ id: `days-${id}`, label: "For so many days", value: this.days, inputmode: "numeric", maxlength: 3, hint: good ? `Until ${until.toLocaleDateString()}` : `1 to ${LONGEST_DAYS} days, 1 to 1000 times`, onInput: (value) => (this.days = value) })}
      </div>
      <div class="row">
        <button class="button primary" type="submit" ?disabled=${this.busy || !good || !online.value}>Allow</button>
        <button class="button" type="button" @click=${() => this.#open("")}>Back</button>
      </div>
    </form>`;
  }

  #refusal(): TemplateResult {
    return html`<form @submit=${this.#sendNo}>
      ${field({ id: `reason-${this.approval.id}`, label: "Why not? (optional)", value: this.reason, required: false, maxlength: 500, hint: "Your agent is told.", onInput: (value) => (this.reason = value) })}
      <div class="row">
        <button class="button danger" type="submit" ?disabled=${this.busy || !online.value}>Refuse</button>
        <button class="button" type="button" @click=${() => this.#open("")}>Back</button>
      </div>
    </form>`;
  }

  #open(more: "" | "always" | "deny"): void {
    this.more = more;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(more === "" ? ".button.primary" : "form input")?.focus());
  }

  /** y and n, while the card itself is where the keyboard is. */
  #keys = (event: KeyboardEvent): void => {
    const inField = (event.target as HTMLElement).closest("input, textarea, form");
    if (inField || event.isComposing || event.ctrlKey || event.metaKey || event.altKey || this.busy || !online.value) return;
    if (event.key === "y" && stands.value) this.#give({ answer: "once" });
    else if (event.key === "n") this.#open("deny");
    else return;
    event.preventDefault();
  };

  #sendAlways(event: SubmitEvent, perDay: number, days: number): void {
    event.preventDefault();
    this.#give({ answer: "always", per_day: perDay, until: keepersNow() + days * DAY_MS });
  }

  #sendNo = (event: SubmitEvent): void => {
    event.preventDefault();
    this.#give({ answer: "deny", reason: this.reason.trim() });
  };

  #give(answer: ApprovalAnswer): void {
    void this.work(() => decide(this.approval, answer));
  }
}

customElements.define("hf-approval", ApprovalCard);
