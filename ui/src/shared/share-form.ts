/** Sharing something: with whom, what, what they may do, until when; and a sentence that reads it back. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { field, notice, submitButton } from "../parts/form";
import { routes } from "../secrets/services";
import { digits } from "../trust/digits";
import type { Contact, Known } from "../trust/identities";
import { notOffered, offered } from "../trust/offered";
import { hasParts, partField } from "./part-field";
import { share } from "./shared";
import { dayField, endOfDay, type Kind, KINDS, readBack, resource } from "./words";

const DAY_MS = 24 * 60 * 60 * 1000;
const LONGEST_DAYS = 365;

export class ShareForm extends FormPage {
  @property({ attribute: false }) known: readonly Known[] = [];
  /** Who asked for something, if somebody did. */
  @property() for = "";
  @state() private with = "";
  @state() private service = "";
  @state() private path = "";
  @state() private kind: Kind = "read";
  @state() private day = dayField(Date.now() + 7 * DAY_MS);
  @state() private most = "";

  override connectedCallback(): void {
    super.connectedCallback();
    this.with = this.for;
    const all = routes.value ?? [];
    if (all.length === 1) this.#choose(all[0]?.name ?? "");
  }

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>("select")?.focus();
  }

  #choose(service: string): void {
    if (service !== this.service) this.path = "";
    this.service = service;
    if (this.#readOnly()) this.kind = "read";
  }

  #readOnly(): boolean {
    return routes.value?.find((each) => each.name === this.service)?.read_only ?? false;
  }

  #until(): number | undefined {
    const until = endOfDay(this.day);
    return until !== undefined && until > Date.now() && until <= Date.now() + LONGEST_DAYS * DAY_MS ? until : undefined;
  }

  #mostCalls(): number | undefined {
    return /^[1-9]\d{0,5}$/.test(this.most.trim()) ? Number(this.most) : undefined;
  }

  protected override render(): TemplateResult {
    const contacts = offered(this.known);
    if (contacts.length === 0) return html`${notOffered(this.known)}${notice("info", "Nobody else here has opened a vault yet. Sharing needs two: theirs holds what you give them.")}${this.#close()}`;
    if (routes.value?.length === 0) return html`${notice("info", html`You share a service: a calendar, a code host, a shop. <a href="/services">Connect one first</a>.`)}${this.#close()}`;
    const contact = contacts.find((each) => each.user === this.with);
    const [until, most] = [this.#until(), this.#mostCalls()];
    const route = routes.value?.find((each) => each.name === this.service);
    const ready = contact !== undefined && this.service !== "" && hasParts(route) && until !== undefined && (this.most.trim() === "" || most !== undefined);
    return html`<form @submit=${this.#submit}>
      ${notOffered(this.known)}
      <div class="field">
        <label for="share-with">With whom?</label>
        <select id="share-with" required @change=${(event: Event) => (this.with = (event.target as HTMLSelectElement).value)}>
          <option value="" ?selected=${this.with === ""}>Choose…</option>
          ${contacts.map((each) => html`<option value=${each.user} ?selected=${each.user === this.with}>${each.name}</option>`)}
        </select>
      </div>
      ${contact ? this.#who(contact) : nothing}
      <div class="field">
        <label for="share-what">What?</label>
        <select id="share-what" required @change=${(event: Event) => this.#choose((event.target as HTMLSelectElement).value)}>
          <option value="" ?selected=${this.service === ""}>Choose…</option>
          ${(routes.value ?? []).map((each) => html`<option value=${each.name} ?selected=${each.name === this.service}>${each.name}${each.about ? `: ${each.about}` : ""}</option>`)}
        </select>
      </div>
      ${partField({ id: "share-path", route, value: this.path, placeholder: "/calendars/work", onInput: (value) => (this.path = value) })}
      <fieldset class="choices">
        <legend>They may</legend>
        ${(Object.keys(KINDS) as Kind[]).map((kind) => html`<label class="check"><input type="radio" name="share-kind" .checked=${kind === this.kind} ?disabled=${kind !== "read" && this.#readOnly()} @change=${() => (this.kind = kind)}><span>${KINDS[kind].words}</span></label>`)}
      </fieldset>
      ${this.kind === "read" ? nothing : notice("warn", "You are not asked again each time that they change something. They can do it while you are away.")}
      <div class="fields">
        <div class="field">
          <label for="share-day">Until the end of</label>
          <input id="share-day" type="date" required .value=${this.day} min=${dayField(Date.now())} max=${dayField(Date.now() + (LONGEST_DAYS - 1) * DAY_MS)} aria-invalid=${until === undefined ? "true" : nothing} aria-describedby=${until === undefined ? "share-day-error" : nothing} @input=${(event: InputEvent) => (this.day = (event.target as HTMLInputElement).value)}>
          ${until === undefined ? html`<p class="field-error" id="share-day-error">A day from today on, at most a year ahead.</p>` : nothing}
        </div>
        ${field({ id: "share-most", label: "How often in all? (optional)", value: this.most, required: false, inputmode: "numeric", maxlength: 6, error: this.most.trim() !== "" && most === undefined ? "A whole number from 1 on." : undefined, onInput: (value) => (this.most = value) })}
      </div>
      ${contact && ready && until !== undefined ? notice("info", readBack(contact.name, this.kind, this.service, this.path, until, most)) : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      <div class="row end">
        <button class="button" type="button" @click=${() => this.#done(false)}>Cancel</button>
        ${submitButton("Share", this.busy, "Sharing…", !ready || !online.value)}
      </div>
    </form>`;
  }

  #close(): TemplateResult {
    return html`<div class="row end"><button class="button" type="button" @click=${() => this.#done(false)}>Close</button></div>`;
  }

  #who(contact: Contact): TemplateResult {
    if (contact.compared_at !== null) return html`<p class="muted">You have compared digits with ${contact.name}: what you give goes to them and nobody else.</p>`;
    return html`${notice("warn", html`You have not compared digits with ${contact.name}. Until you have, somebody who runs this server could stand in for them. <a href="/trusted">Compare them</a>; ${contact.name} reads you theirs:`)}
      ${digits(contact.fingerprint, `Digits of ${contact.name}`)}`;
  }

  #done(given: boolean): void {
    this.dispatchEvent(new CustomEvent("done", { detail: { given } }));
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const [until, most] = [this.#until(), this.#mostCalls()];
    if (until === undefined) return;
    void this.work(async () => {
      await share({ with: this.with, resource: resource(this.service, this.path), scope: KINDS[this.kind].scope, until, constraints: most === undefined ? {} : { max_calls: most } });
      announce("Shared");
      this.#done(true);
    });
  };
}

customElements.define("hf-share-form", ShareForm);
