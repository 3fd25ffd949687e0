/** What was done: everybody sees their own acts, owners and admins see all, and take the log away. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type AuditEvent, type Person } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import "../parts/destinations";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { actWords, KINDS, timesWords } from "./audit-words";
import { FormPage } from "./page";

/** What an act was done to is not worth naming, or has no name. */
const KINDS_WITHOUT_NAME: ReadonlySet<string> = new Set(["session", "organisation", "recovery_request"]);

/** When a day begins here, or so many days later, as the API takes it; empty where none is chosen. */
function dayBegins(day: string, later = 0): string {
  if (day === "") return "";
  const at = new Date(`${day}T00:00`);
  at.setDate(at.getDate() + later);
  return String(at.getTime());
}

export class AuditPage extends FormPage {
  @state() private events: readonly AuditEvent[] | undefined;
  @state() private more = false;
  @state() private text = "";
  @state() private kind = "";
  @state() private refusedOnly = false;
  /** Whose acts, by id; empty for everybody's. */
  @state() private person = "";
  /** Days, as the fields have them; empty for no bound. */
  @state() private from = "";
  @state() private to = "";
  /** To choose from, for those who see everybody's acts. */
  @state() private people: readonly Person[] = [];
  #asked = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#search();
    // Without them there is still the text to search for.
    if (this.#manages()) void api.people().then(({ people }) => (this.people = people), () => undefined);
  }

  #manages(): boolean {
    const role = me()?.user.role;
    return role === "owner" || role === "admin";
  }

  #filter(): Record<string, string> {
    return { text: this.text.trim(), action: this.kind, outcome: this.refusedOnly ? "refused" : "", person: this.person, since: dayBegins(this.from), until: dayBegins(this.to, 1) };
  }

  async #search(before?: number): Promise<void> {
    const asked = ++this.#asked;
    try {
      const found = await api.audit({ ...this.#filter(), ...(before === undefined ? {} : { before: String(before) }) });
      // The person went on typing meanwhile.
      if (asked !== this.#asked) return;
      this.events = before === undefined ? found.events : [...(this.events ?? []), ...found.events];
      this.more = found.more;
      this.problem = "";
      if (before === undefined) announce(found.events.length === 0 ? "Nothing found" : `${found.events.length}${found.more ? " or more" : ""} found`);
    } catch (error) {
      if (asked === this.#asked) this.problem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      <h1>Audit</h1>
      <p class="lead">${this.#manages() ? `What was done at ${me()?.tenant.name ?? ""}, by whom and from where. Nobody’s conversations are in it.` : "What you did, and what was done with your account."}</p>
      ${this.#manages() ? html`<p><a class="button" href="/alerts">${icon("mail", "s")} Alerts</a></p>` : nothing}
      ${this.#controls()} ${this.problem ? html`${notice("error", this.problem)}<button class="button" type="button" @click=${() => void this.#search()}>Try again</button>` : nothing}
      ${this.events ? this.#list(this.events) : this.problem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`}
      ${this.#manages() ? html`${this.#takeAway()} <hf-destinations log></hf-destinations>` : nothing}
    </div>`;
  }

  #controls(): TemplateResult {
    return html`<form class="audit-filter" role="search" @submit=${(event: SubmitEvent) => event.preventDefault()}>
      <div class="field">
        <label for="audit-text">Find</label>
        <input id="audit-text" type="search" placeholder="A name, an address, a device" .value=${this.text} @input=${(event: InputEvent) => { this.text = (event.target as HTMLInputElement).value; void this.#search(); }}>
      </div>
      <div class="field">
        <label for="audit-kind">What</label>
        <select id="audit-kind" @change=${(event: Event) => { this.kind = (event.target as HTMLSelectElement).value; void this.#search(); }}>
          ${KINDS.map(({ value, name }) => html`<option value=${value} ?selected=${value === this.kind}>${name}</option>`)}
        </select>
      </div>
      ${this.people.length === 0
        ? nothing
        : html`<div class="field">
            <label for="audit-person">Who did it, or had it done to them</label>
            <select id="audit-person" @change=${(event: Event) => { this.person = (event.target as HTMLSelectElement).value; void this.#search(); }}>
              <option value="">Anybody</option>
              ${this.people.map(({ id, name, email }) => html`<option value=${id} ?selected=${id === this.person}>${name} (${email})</option>`)}
            </select>
          </div>`}
      <div class="row">
        <div class="field">
          <label for="audit-from">From</label>
          <input id="audit-from" type="date" .value=${this.from} @change=${(event: Event) => { this.from = (event.target as HTMLInputElement).value; void this.#search(); }}>
        </div>
        <div class="field">
          <label for="audit-to">To</label>
          <input id="audit-to" type="date" .value=${this.to} @change=${(event: Event) => { this.to = (event.target as HTMLInputElement).value; void this.#search(); }}>
        </div>
      </div>
      <label class="check"><input type="checkbox" .checked=${this.refusedOnly} @change=${(event: Event) => { this.refusedOnly = (event.target as HTMLInputElement).checked; void this.#search(); }}> Only what was refused</label>
    </form>`;
  }

  #list(events: readonly AuditEvent[]): TemplateResult {
    if (events.length === 0) return html`<p class="list-note">Nothing that was done has these words.</p>`;
    return html`<ol class="audit-list">
        ${events.map((event) => this.#row(event))}
      </ol>
      ${this.more ? html`<button class="button wide" type="button" @click=${() => void this.#search(events.at(-1)?.seq)}>Show older</button>` : nothing}`;
  }

  #row(event: AuditEvent): TemplateResult {
    const at = new Date(event.at);
    const act = actWords(event.action, event.details);
    const where = [event.device, event.address].filter(Boolean).join(", ");
    const name = event.target && !KINDS_WITHOUT_NAME.has(event.target.kind) && event.target.id !== event.actor.id ? event.target.name : "";
    return html`<li>
      <span class="audit-sign ${event.outcome}" aria-hidden="true">${icon(event.outcome === "refused" ? "circle-x" : "circle-check", "s")}</span>
      <span class="people-name">
        <span><strong>${event.actor.name}</strong> ${act} ${name} ${timesWords(event.details)}${event.outcome === "refused" ? html` <span class="tag">refused</span>` : nothing}</span>
        <span class="muted"><time datetime=${at.toISOString()}>${at.toLocaleString()}</time>${where ? `, ${where}` : ""}</span>
      </span>
    </li>`;
  }

  #takeAway(): TemplateResult {
    return html`<section class="card" aria-labelledby="export-title">
      <h2 id="export-title">Take the log away</h2>
      <p class="muted">The signed log can be checked on any machine with <code>holdfast audit verify</code>: a change, a gap or a cut in it is found.</p>
      <div class="row">
        <a class="button" href="/api/v1/audit/export" download="holdfast-audit.jsonl">${icon("download", "s")} Signed log</a>
        <a class="button" href="/api/v1/audit/export.csv?${new URLSearchParams(Object.entries(this.#filter()).filter(([, value]) => value !== "")).toString()}" download="holdfast-audit.csv">${icon("download", "s")} What is found, as a table</a>
        <a class="button" href="/api/v1/audit/export.cef?${new URLSearchParams(Object.entries(this.#filter()).filter(([, value]) => value !== "")).toString()}" download="holdfast-audit.cef">${icon("download", "s")} As CEF, for a collector of logs</a>
      </div>
    </section>`;
  }
}

customElements.define("hf-audit", AuditPage);
