/** What was done: everybody sees their own acts, owners and admins see all, and take the log away. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type AuditEvent } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import "../parts/destinations";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { FormPage } from "./page";

/** The acts in plain words; one that is not here yet is shown as programs know it. */
const WORDS: Record<string, string> = {
  "organisation.made": "made the organisation",
  "organisation.policy_changed": "changed what everybody needs to sign in",
  "sign_in.link_sent": "Somebody asked for a sign-in link",
  "sign_in.done": "signed in",
  "sign_in.factor_asked": "opened a sign-in link and was asked for a second factor",
  "sign_in.refused": "Somebody came with an account that is linked to nobody here, from",
  "factor.shown": "showed a second factor",
  "factor.authenticator_begun": "began to set up an authenticator app",
  "factor.authenticator_added": "set up an authenticator app",
  "factor.authenticator_removed": "removed the authenticator app",
  "factor.backup_codes_made": "made new backup codes",
  "session.stepped_up": "showed again who they are",
  "session.signed_out": "signed out",
  "session.revoked": "signed a device out",
  "session.others_revoked": "signed every other device out",
  "invitation.made": "invited",
  "invitation.resent": "sent an invitation again to",
  "invitation.revoked": "withdrew the invitation of",
  "invitation.accepted": "joined",
  "provider.added": "added the site to sign in with",
  "provider.changed": "changed the site to sign in with",
  "provider.tested": "tested the site to sign in with",
  "provider.removed": "removed the site to sign in with",
  "account.linked": "linked the account",
  "account.unlinked": "unlinked the account",
  "join.domain_set": "let people join from",
  "join.domain_removed": "lets nobody join any more from",
  "join.asked": "Somebody asked to join:",
  "join.approved": "let in",
  "join.refused": "did not let in",
  "join.done": "joined without an invitation",
  "cell.woken": "woke their agent",
  "cell.channel_token": "connected to their vault",
  "audit.exported": "exported the audit log",
  "person.suspended": "suspended",
  "person.restored": "let back in",
  "person.removed": "removed",
  "person.role_changed": "changed the role of",
  "letter.sent": "sent a sealed letter to the vault of a colleague",
  "recovery.contacts_set": "chose who helps with recovery",
  "recovery.asked": "asked for help with opening their vault",
  "recovery.released": "helped somebody open their vault",
  "recovery.stopped": "stopped a recovery",
  "alert.made": "had told of something",
  "alert.removed": "removed an alert to",
  "destination.added": "added the destination of alerts",
  "destination.tested": "sent a test to",
  "destination.removed": "removed the destination of alerts",
  "destination.stream_begun": "has this log sent to",
  "destination.stream_ended": "no longer has this log sent to",
  "audit.chain_broken": "found this log tampered with at",
  "group.made": "made the group",
  "group.renamed": "renamed a group to",
  "group.archived": "put away the group",
  "group.restored": "took out again the group",
  "group.invited": "invited to a group",
  "group.invitation_withdrawn": "withdrew an invitation to a group of",
  "group.joined": "joined the group",
  "group.declined": "declined to join the group",
  "group.left": "left the group",
  "group.member_removed": "took out of a group",
  "group.role_changed": "changed the role in a group of",
  "key.made": "made the API key",
  "key.rotated": "replaced the API key",
  "key.revoked": "revoked the API key",
  "service_account.made": "added the service account",
  "service_account.removed": "removed the service account",
};

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
    const act = WORDS[event.action] ?? event.action;
    const where = [event.device, event.address].filter(Boolean).join(", ");
    const name = event.target && !KINDS_WITHOUT_NAME.has(event.target.kind) && event.target.id !== event.actor.id ? event.target.name : "";
    return html`<li>
      <span class="audit-sign ${event.outcome}" aria-hidden="true">${icon(event.outcome === "refused" ? "circle-x" : "circle-check", "s")}</span>
      <span class="people-name">
        <span><strong>${event.actor.name}</strong> ${act} ${name}${event.outcome === "refused" ? html` <span class="tag">refused</span>` : nothing}</span>
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
