/** Whether what the agent wants to change needs a second person, and who that may be. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online, request } from "../app/link";
import { ProofDeclined } from "../app/proof";
import { FormPage } from "../pages/page";
import { notice, sentence } from "../parts/form";
import type { Contact } from "../trust/identities";
import { approvals, chooseSeconds } from "./approvals";

export class SecondChoiceCard extends FormPage {
  @state() private contacts: readonly Contact[] | undefined;
  @state() private chosen: readonly string[] | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.work(async () => {
      const { contacts } = await request<{ contacts: Contact[] }>("contact.list");
      this.contacts = contacts.filter((each) => each.compared_at !== null);
    });
  }

  protected override render(): TemplateResult | typeof nothing {
    const second = approvals.value?.second;
    if (!second) return nothing;
    const chosen = this.chosen ?? second.people.filter((each) => each.good).map((each) => each.user);
    const state = second.on ? (second.demanded ? "On: your organisation wants it." : "On.") : "Off.";
    const lost = second.people.filter((each) => !each.good).length > 0;
    return html`<section class="card" aria-labelledby="second-title">
      <h2 id="second-title">A second person</h2>
      <p>With it, what your agent wants to change at a service, or to share, is done only when you have allowed it and one of these people has agreed. They see exactly what would be sent; the people who run this server do not. Nothing can be allowed beforehand then. What you share yourself, on a page, needs no second person: it asks you to show again that it is you. <strong>${state}</strong></p>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${lost ? notice("warn", "Somebody whom you chose has other keys now, or is not known any more, and is not asked. Compare digits with them, and choose again.") : nothing}
      ${this.contacts === undefined ? nothing : this.contacts.length === 0 ? this.#nobody() : this.#people(this.contacts, chosen)}
      <div class="row">
        ${this.contacts?.length ? html`<button class="button ${second.on ? "" : "primary"}" type="button" ?disabled=${this.busy || !online.value || chosen.length === 0} @click=${() => this.#choose(true, chosen)}>${second.on ? "Ask these people" : "Turn on"}</button>` : nothing}
        ${second.on && !second.demanded ? html`<button class="button" type="button" ?disabled=${this.busy || !online.value} @click=${() => this.#choose(false, chosen)}>Turn off</button>` : nothing}
      </div>
    </section>`;
  }

  #nobody(): TemplateResult {
    return html`<p class="muted">You have compared digits with nobody yet, and only then it is sure who agrees: do it under <a class="link" href="/trusted">Trusted people</a>.</p>`;
  }

  #people(contacts: readonly Contact[], chosen: readonly string[]): TemplateResult {
    const toggle = (user: string, on: boolean): void => {
      this.chosen = on ? [...chosen, user] : chosen.filter((each) => each !== user);
    };
    return html`<fieldset class="checks">
      <legend>Who may agree, five at most</legend>
      <p class="hint">Each of them has to have opened Trusted people once, too: else their vault does not know who asks.</p>
      ${contacts.map((each) => html`<label class="check"><input type="checkbox" .checked=${chosen.includes(each.user)} ?disabled=${this.busy} @change=${(event: Event) => toggle(each.user, (event.target as HTMLInputElement).checked)}> <span>${each.name}</span></label>`)}
    </fieldset>`;
  }

  #choose(on: boolean, people: readonly string[]): void {
    void this.work(async () => {
      try {
        await chooseSeconds(on, people);
        this.chosen = undefined;
        announce(on ? "A second person is asked" : "No second person is asked");
      } catch (error) {
        if (!(error instanceof ProofDeclined)) throw error;
        this.problem = sentence(error);
      }
    });
  }
}

customElements.define("hf-second-choice", SecondChoiceCard);
