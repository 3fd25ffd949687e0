/** What was done: everybody sees their own acts, owners and admins see all, and take the log away. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type AuditEvent } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import "../parts/destinations";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { actWords, timesWords } from "./audit-words";
import { FormPage } from "./page";

const KINDS = [
  { value: "", name: "Everything" },
  { value: "sign_in.", name: "Signing in" },
  { value: "factor.", name: "Second factors" },
  { value: "session.", name: "Sessions" },
  { value: "invitation.", name: "Invitations" },
  { value: "join.", name: "Joining" },
  { value: "provider.", name: "Sites to sign in with" },
  { value: "account.", name: "Linked accounts" },
  { value: "person.", name: "People" },
  { value: "alert.", name: "Alerts" },
  { value: "destination.", name: "Destinations of alerts" },
  { value: "group.", name: "Groups" },
  { value: "key.", name: "API keys" },
  { value: "service_account.", name: "Service accounts" },
  { value: "organisation.", name: "Organisation" },
  { value: "cell.", name: "Agents" },
  { value: "recovery.", name: "Recovery" },
  { value: "letter.", name: "Letters between vaults" },
  { value: "access.", name: "What somebody may not do" },
  { value: "limit.", name: "Limits reached" },
  { value: "audit.", name: "This log" },
];

/** What an act was done to is not worth naming, or has no name. */
const KINDS_WITHOUT_NAME: ReadonlySet<string> = new Set(["session", "organisation", "recovery_request"]);

export class AuditPage extends FormPage {
  @state() private events: readonly AuditEvent[] | undefined;
  @state() private more = false;
  @state() private text = "";
  @state() private kind = "";
  @state() private refusedOnly = false;
  #asked = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#search();
  }

  #manages(): boolean {
    const role = me()?.user.role;
    return role === "owner" || role === "admin";
  }

  #filter(): Record<string, string> {
    return { text: this.text.trim(), action: this.kind, outcome: this.refusedOnly ? "refused" : "" };
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
