/** Asking somebody to share something, in words. */
import { html, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { field, notice, submitButton } from "../parts/form";
import type { Known } from "../trust/identities";
import { notOffered, offered } from "../trust/offered";
import { askFor } from "./shared";

const MOST_CHARS = 300;

export class AskForm extends FormPage {
  @property({ attribute: false }) known: readonly Known[] = [];
  @state() private of = "";
  @state() private words = "";
  @state() private asked = "";

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>("select")?.focus();
  }

  protected override render(): TemplateResult {
    const people = offered(this.known);
    if (this.asked) return html`${notice("ok", this.asked)}${this.#close()}`;
    if (people.length === 0) return html`${notOffered(this.known)}${notice("info", "Nobody else here has opened a vault yet.")}${this.#close()}`;
    return html`<form @submit=${this.#submit}>
      ${notOffered(this.known)}
      <div class="field">
        <label for="ask-of">Whom?</label>
        <select id="ask-of" required @change=${(event: Event) => (this.of = (event.target as HTMLSelectElement).value)}>
          <option value="" ?selected=${this.of === ""}>Choose…</option>
          ${people.map((each) => html`<option value=${each.user} ?selected=${each.user === this.of}>${each.name}</option>`)}
        </select>
      </div>
      ${field({ id: "ask-words", label: "What would you like?", value: this.words, maxlength: MOST_CHARS, placeholder: "Your calendar until Friday, to find an hour for us", hint: "They read it in their vault; nobody else can.", onInput: (value) => (this.words = value) })}
      ${this.problem ? notice("error", this.problem) : ""}
      <div class="row end">
        <button class="button" type="button" @click=${() => this.#done()}>Cancel</button>
        ${submitButton("Ask", this.busy, "Asking…", this.of === "" || this.words.trim() === "" || !online.value)}
      </div>
    </form>`;
  }

  #close(): TemplateResult {
    return html`<div class="row end"><button class="button" type="button" @click=${() => this.#done()}>Close</button></div>`;
  }

  #done(): void {
    this.dispatchEvent(new CustomEvent("done"));
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const name = this.known.find((each) => each.person.id === this.of)?.person.name ?? "they";
    void this.work(async () => {
      await askFor(this.of, this.words.trim());
      this.asked = `Asked. When ${name} shares something, it stands below.`;
      announce(this.asked);
    });
  };
}

customElements.define("hf-ask-form", AskForm);
