/** Sharing something: with whom, what, what they may do, until when; and a sentence that reads it back. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import type { Route } from "../channel/messages";
import { field, notice, submitButton } from "../parts/form";
import { routes } from "../secrets/services";
import { notOffered, offered } from "../trust/offered";
import { areArguments, canBeCopied, copyReadBack } from "./copy-words";
import { hasParts, partField } from "./part-field";
import { share } from "./shared";
import { DAY_MS, TermsForm } from "./terms-form";
import { type Kind, KINDS, readBack, resource, scopeOf } from "./words";

const LONGEST_DAYS = 365;

export class ShareForm extends TermsForm {
  protected readonly names = "share";
  /** Who asked for something, if somebody did. */
  @property() for = "";
  @state() private service = "";
  @state() private path = "";
  @state() private asleep = false;
  /** The query, or the arguments, that the copy is of. */
  @state() private copyOf = "";

  override connectedCallback(): void {
    super.connectedCallback();
    this.with = this.for;
    const all = routes.value ?? [];
    if (all.length === 1) this.#choose(all[0]?.name ?? "");
  }

  #choose(service: string): void {
    if (service !== this.service) {
      this.path = "";
      this.copyOf = "";
    }
    this.service = service;
    if (this.#readOnly()) this.kind = "read";
  }

  #readOnly(): boolean {
    return routes.value?.find((each) => each.name === this.service)?.read_only ?? false;
  }

  #latest(): number {
    return Date.now() + LONGEST_DAYS * DAY_MS;
  }

  protected override render(): TemplateResult {
    if (offered(this.known).length === 0) return html`${notOffered(this.known)}${notice("info", "Nobody else here has opened a vault yet. Sharing needs two: theirs holds what you give them.")}${this.#close()}`;
    if (routes.value?.length === 0) return html`${notice("info", html`You share a service: a calendar, a code host, a shop. <a href="/services">Connect one first</a>.`)}${this.#close()}`;
    const [contact, until, most] = [this.contact(), this.until(this.#latest()), this.mostCalls()];
    const route = routes.value?.find((each) => each.name === this.service);
    const copied = this.#isCopied(route);
    const ready = (!copied || !route?.tools || areArguments(this.copyOf)) && contact !== undefined && this.service !== "" && hasParts(route) && until !== undefined && (this.most.trim() === "" || most !== undefined);
    return html`<form @submit=${this.#submit}>
      ${notOffered(this.known)}
      ${this.whom("With whom?")}
      <div class="field">
        <label for="share-what">What?</label>
        <select id="share-what" required @change=${(event: Event) => this.#choose((event.target as HTMLSelectElement).value)}>
          <option value="" ?selected=${this.service === ""}>Choose…</option>
          ${(routes.value ?? []).map((each) => html`<option value=${each.name} ?selected=${each.name === this.service}>${each.name}${each.about ? `: ${each.about}` : ""}</option>`)}
        </select>
      </div>
      ${partField({ id: "share-path", route, value: this.path, placeholder: "/calendars/work", onInput: (value) => (this.path = value) })}
      ${this.kinds(Object.keys(KINDS) as Kind[], (kind) => kind !== "read" && this.#readOnly())}
      ${this.kind === "read" ? nothing : notice("warn", "You are not asked again each time that they change something. They can do it while you are away.")}
      ${this.times(this.#latest(), "A day from today on, at most a year ahead.")}
      ${this.#copy(route, copied)}
      ${contact && ready && until !== undefined ? notice("info", `${readBack(contact.name, this.kind, this.service, this.path, until, most, { passOn: this.passOn })}${copied ? ` ${copyReadBack(contact.name)}` : ""}`) : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      <div class="row end">
        <button class="button" type="button" @click=${() => this.done(false)}>Cancel</button>
        ${submitButton("Share", this.busy, "Sharing…", !ready || !online.value)}
      </div>
    </form>`;
  }

  #canCopy(route: Route | undefined): boolean {
    return canBeCopied({ kind: this.kind, passOn: this.passOn, most: this.most, path: this.path, route });
  }

  #isCopied(route: Route | undefined): boolean {
    return this.asleep && this.#canCopy(route);
  }

  #copy(route: Route | undefined, copied: boolean): TemplateResult {
    const onInput = (value: string) => (this.copyOf = value);
    const wrong = route?.tools && !areArguments(this.copyOf);
    return html`<label class="check"><input type="checkbox" .checked=${copied} ?disabled=${!this.#canCopy(route)} aria-describedby="share-asleep-hint" @change=${(event: Event) => (this.asleep = (event.target as HTMLInputElement).checked)}><span>They may also read it while I am asleep</span></label>
      <p class="hint" id="share-asleep-hint">${this.#canCopy(route) ? "A copy of one answer, which your vault renews while it is open." : `Only of what they look at and do not pass on, without a number of times${route?.tools ? ", and of one tool that only reads" : ""}.`}</p>
      ${copied
        ? route?.tools
          ? field({ id: "share-copy", label: "A copy of what exactly? (optional)", value: this.copyOf, required: false, maxlength: 1000, placeholder: '{"days": 7}', hint: "What the tool is told, as it wants it.", error: wrong ? "In braces, with names in quotes: {\"days\": 7}" : undefined, onInput })
          : field({ id: "share-copy", label: "A copy of what exactly? (optional)", value: this.copyOf, required: false, maxlength: 500, placeholder: "from=2026-12-01", hint: "As the service takes it after the “?” of an address. The copy is of just this; anything else is answered while your vault is open.", onInput })
        : nothing}`;
  }

  /** What is said of the copy when it is shared. */
  #cached(): { query?: string; body?: string } | undefined {
    const route = routes.value?.find((each) => each.name === this.service);
    const of = this.copyOf.trim();
    if (!this.#isCopied(route)) return undefined;
    return route?.tools ? { body: of } : { query: of.replace(/^\?/, "") };
  }

  #close(): TemplateResult {
    return html`<div class="row end"><button class="button" type="button" @click=${() => this.done(false)}>Close</button></div>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const [until, most] = [this.until(this.#latest()), this.mostCalls()];
    if (until === undefined) return;
    void this.work(async () => {
      await share({ with: this.with, resource: resource(this.service, this.path), scope: scopeOf(this.kind, { passOn: this.passOn }), until, constraints: most === undefined ? {} : { max_calls: most }, cached: this.#cached() });
      announce("Shared");
      this.done(true);
    });
  };
}

customElements.define("hf-share-form", ShareForm);
