/** Choosing the people who together can open this person's vault, if every other way in is lost. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { ProofDeclined } from "../app/proof";
import { confirmBox } from "../parts/confirm-box";
import { notice, submitButton } from "../parts/form";
import { FormPage } from "../pages/page";
import type { Known } from "./identities";
import { notOffered, offered } from "./offered";
import { laterKnown, type OwnRecovery, recovery, setRecovery } from "./recovery";

const HOUR = 60 * 60 * 1000;
const WAITS: { ms: number; words: string }[] = [
  { ms: 24 * HOUR, words: "One day" },
  { ms: 72 * HOUR, words: "Three days" },
  { ms: HOUR, words: "One hour" },
  { ms: 0, words: "Not at all (only for trying it out)" },
];
const MOST = 15;

const LATER =
  "Your vault came out of an older backup or copy: it does not know whom you chose last, and this server keeps to that choice. The parts that those people hold may no longer open your vault. Choose your contacts again, and the new choice holds everywhere.";

export function waitWords(ms: number): string {
  return WAITS.find((each) => each.ms === ms)?.words.toLocaleLowerCase() ?? `${Math.round(ms / HOUR)} hours`;
}

export class ContactsCard extends FormPage {
  @property({ attribute: false }) known: readonly Known[] = [];
  @state() private changing = false;
  @state() private chosen: readonly string[] = [];
  @state() private threshold = 0;
  @state() private waitMs = 24 * HOUR;
  @state() private done = "";

  protected override render(): TemplateResult {
    const own = recovery.value?.own;
    return html`<section class="card" aria-labelledby="contacts-title">
      <h2 id="contacts-title">Your recovery contacts</h2>
      <p>People who together can let you back in, when you have lost every other way. Each holds a part that says nothing alone. The people who run this server hold none.</p>
      ${this.done ? notice("ok", this.done) : nothing} ${this.problem ? notice("error", this.problem) : nothing}
      ${laterKnown.value && !this.changing ? notice("warn", LATER) : nothing}
      ${recovery.value === undefined ? html`<div class="skeleton-list" aria-hidden="true"><i></i></div>` : this.changing ? this.#form() : own ? this.#shown(own) : this.#none()}
    </section>`;
  }

  #none(): TemplateResult {
    if (offered(this.known).length < 2) return html`<p class="muted">You need at least two other people here who have made their vaults. Five are a good number.</p>`;
    return html`<button class="button primary" type="button" ?disabled=${!online.value} @click=${() => this.#change()}>Choose contacts</button>`;
  }

  #shown(own: OwnRecovery): TemplateResult {
    return html`<p><strong>${own.threshold} of these ${own.contacts.length}</strong> open your vault, ${own.wait_ms === 0 ? "without waiting" : `${waitWords(own.wait_ms)} after you ask`}: ${own.contacts.map((each) => each.name).join(", ")}.</p>
      <p class="muted">Since ${new Date(own.made).toLocaleDateString()}. Choose again when somebody leaves, and after you have used it: what they hold now is worth nothing then.</p>
      <button class="button ${laterKnown.value ? "primary" : ""}" type="button" ?disabled=${!online.value} @click=${() => this.#change(own)}>Choose again</button>`;
  }

  #change(own?: OwnRecovery): void {
    this.changing = true;
    this.done = "";
    const there = new Set(offered(this.known).map((each) => each.user));
    this.chosen = (own?.contacts ?? []).map((each) => each.user).filter((user) => there.has(user));
    this.threshold = own?.threshold ?? 0;
    this.waitMs = own?.wait_ms ?? 24 * HOUR;
  }

  /** As many as were chosen on purpose, or more than half. */
  #needed(): number {
    const count = this.chosen.length;
    return this.threshold >= 2 && this.threshold <= count ? this.threshold : Math.max(2, Math.floor(count / 2) + 1);
  }

  #form(): TemplateResult {
    const people = offered(this.known);
    const count = this.chosen.length;
    const unsure = people.filter((each) => this.chosen.includes(each.user) && each.compared_at === null);
    return html`<form @submit=${this.#submit}>
      ${notOffered(this.known)}
      <fieldset class="choices">
        <legend>Who?</legend>
        ${people.map(
          (each) => html`<label class="check"><input type="checkbox" .checked=${this.chosen.includes(each.user)} ?disabled=${!this.chosen.includes(each.user) && count >= MOST} @change=${() => this.#toggle(each.user)}><span>${each.name} <span class="muted">${each.compared_at === null ? "not compared yet" : "compared"}</span></span></label>`,
        )}
      </fieldset>
      ${unsure.length > 0 ? notice("warn", `You have not compared digits with ${unsure.map((each) => each.name).join(", ")}. Until you have, somebody who runs this server could stand in for them.`) : nothing}
      <div class="field">
        <label for="threshold">How many of them open your vault?</label>
        <select id="threshold" ?disabled=${count < 2} @change=${(event: Event) => (this.threshold = Number((event.target as HTMLSelectElement).value))}>
          ${Array.from({ length: Math.max(0, count - 1) }, (_, at) => at + 2).map((n) => html`<option value=${n} ?selected=${n === this.#needed()}>${n} of ${count}</option>`)}
        </select>
        <p class="hint">One fewer learns nothing. ${count === this.#needed() ? "All of them have to help." : `It still works when ${count - this.#needed()} of them cannot help.`}</p>
      </div>
      <div class="field">
        <label for="wait">How long do they wait after you ask?</label>
        <select id="wait" @change=${(event: Event) => (this.waitMs = Number((event.target as HTMLSelectElement).value))}>
          ${WAITS.map((each) => html`<option value=${each.ms} ?selected=${each.ms === this.waitMs}>${each.words}</option>`)}
        </select>
        <p class="hint">Time for you to notice and to stop it, should somebody else ask in your name.</p>
      </div>
      ${submitButton("Give them their parts", this.busy, "Making the parts…", count < 2)}
      <div class="links"><button class="link" type="button" ?disabled=${this.busy} @click=${() => (this.changing = false)}>Cancel</button></div>
    </form>`;
  }

  #toggle(user: string): void {
    this.chosen = this.chosen.includes(user) ? this.chosen.filter((each) => each !== user) : [...this.chosen, user];
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      if (this.waitMs === 0 && !(await confirmBox({ title: "Without waiting?", words: "Your contacts could open your vault at once, and you would have no time to stop somebody who asks in your name.", yes: "Without waiting", danger: true }))) return;
      try {
        await setRecovery(this.chosen, this.#needed(), this.waitMs);
      } catch (error) {
        if (error instanceof ProofDeclined) return;
        throw error;
      }
      this.changing = false;
      this.done = "Done. Each part reaches its holder the next time that they unlock their vault.";
      announce(this.done);
    });
  };
}

customElements.define("hf-contacts-card", ContactsCard);
