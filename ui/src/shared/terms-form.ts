/** What is asked whenever something is shared or passed on: with whom, what they may do, until when, how often. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { FormPage } from "../pages/page";
import { field, notice } from "../parts/form";
import { comparedWords } from "../trust/compared";
import type { Contact, Known } from "../trust/identities";
import { offered } from "../trust/offered";
import { dayField, endOfDay, type Kind, KINDS, wholeNumber } from "./words";

export const DAY_MS = 24 * 60 * 60 * 1000;

export abstract class TermsForm extends FormPage {
  @property({ attribute: false }) known: readonly Known[] = [];
  @state() protected with = "";
  @state() protected kind: Kind = "read";
  @state() protected day = dayField(Date.now() + 7 * DAY_MS);
  @state() protected most = "";
  @state() protected passOn = false;
  /** What its fields are called in the page: there may be several forms. */
  protected abstract readonly names: string;

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>("select")?.focus();
  }

  /** Who was chosen. */
  protected contact(): Contact | undefined {
    return offered(this.known).find((each) => each.user === this.with);
  }

  /** The end of the day that was typed, or `latest` on its own day; nothing if it is not between now and then. */
  protected until(latest: number): number | undefined {
    const end = endOfDay(this.day);
    if (end === undefined || this.day > dayField(latest)) return undefined;
    const until = Math.min(end, latest);
    return until > Date.now() ? until : undefined;
  }

  /** How often was typed: nothing for none, and for what is no number from 1 to `atMost`. */
  protected mostCalls(atMost = Number.POSITIVE_INFINITY): number | undefined {
    const most = wholeNumber(this.most);
    return most !== undefined && most <= atMost ? most : undefined;
  }

  protected whom(label: string): TemplateResult {
    const contact = this.contact();
    return html`<div class="field">
        <label for="${this.names}-with">${label}</label>
        <select id="${this.names}-with" required @change=${(event: Event) => (this.with = (event.target as HTMLSelectElement).value)}>
          <option value="" ?selected=${this.with === ""}>Choose…</option>
          ${offered(this.known).map((each) => html`<option value=${each.user} ?selected=${each.user === this.with}>${each.name}</option>`)}
        </select>
      </div>
      ${contact ? comparedWords(contact.name, contact) : nothing}`;
  }

  protected kinds(kinds: readonly Kind[], isOff: (kind: Kind) => boolean): TemplateResult {
    return html`<fieldset class="choices">
        <legend>They may</legend>
        ${kinds.map((kind) => html`<label class="check"><input type="radio" name="${this.names}-kind" .checked=${kind === this.kind} ?disabled=${isOff(kind)} @change=${() => (this.kind = kind)}><span>${KINDS[kind].words}</span></label>`)}
      </fieldset>
      <label class="check"><input type="checkbox" .checked=${this.passOn} @change=${(event: Event) => (this.passOn = (event.target as HTMLInputElement).checked)}><span>They may pass it on</span></label>
      ${this.passOn ? notice("warn", this.passOnWords()) : nothing}`;
  }

  protected passOnWords(): string {
    return "They choose to whom, and you need not know that person. It is never more than this, it counts as theirs, and it ends with theirs.";
  }

  protected times(latest: number, dayError: string, atMost?: number): TemplateResult {
    const until = this.until(latest);
    const wrong = atMost === undefined ? this.most.trim() !== "" && this.mostCalls() === undefined : this.mostCalls(atMost) === undefined;
    return html`<div class="fields">
      <div class="field">
        <label for="${this.names}-day">Until the end of</label>
        <input id="${this.names}-day" type="date" required .value=${this.day} min=${dayField(Date.now())} max=${dayField(latest)} aria-invalid=${until === undefined ? "true" : nothing} aria-describedby=${until === undefined ? `${this.names}-day-error` : nothing} @input=${(event: InputEvent) => (this.day = (event.target as HTMLInputElement).value)}>
        ${until === undefined ? html`<p class="field-error" id="${this.names}-day-error">${dayError}</p>` : nothing}
      </div>
      ${field({ id: `${this.names}-most`, label: atMost === undefined ? "How often in all? (optional)" : "How often in all?", value: this.most, required: atMost !== undefined, inputmode: "numeric", maxlength: 6, error: wrong ? `A whole number from 1 ${atMost === undefined ? "on" : `to ${atMost}`}.` : undefined, onInput: (value) => (this.most = value) })}
    </div>`;
  }

  protected done(given: boolean): void {
    this.dispatchEvent(new CustomEvent("done", { detail: { given } }));
  }
}
