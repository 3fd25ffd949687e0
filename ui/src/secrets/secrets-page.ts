/** The secrets of the vault: what they are, what the agent may do with them, where they were used last. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import type { Route, Secret } from "../channel/messages";
import { FormPage } from "../pages/page";
import { confirmBox } from "../parts/confirm-box";
import "../parts/copy";
import { notice } from "../parts/form";
import { icon } from "../parts/icon";
import "./secret-form";
import { AGENT_MAY, deleteSecret, KINDS, loadSecrets, reveal, secrets, secretsProblem } from "./secrets";
import { loadServices, routes, servicesProblem } from "./services";
import { tabs } from "./tabs";
import { losesOnDelete, usedBy } from "./used-by";

/** A value that is shown is hidden again. */
const SHOWN_MS = 30_000;
/** A list longer than this gets a field to search in. */
const MANY = 8;

export class SecretsPage extends FormPage {
  /** The secret whose form is open; "new" for none yet. */
  @state() private open = "";
  @state() private shown: { id: string; value: string } | undefined;
  @state() private filter = "";
  #hide: ReturnType<typeof setTimeout> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void Promise.all([loadSecrets(), loadServices()]);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#forget();
  }

  protected override render(): TemplateResult {
    const all = secrets.value;
    return html`<div class="page">
      ${tabs()}
      <h1>Secrets</h1>
      <p class="lead">Keys, passwords and notes, sealed in your vault. The people who run this server cannot read them. For each one you decide what your agent may do with it.</p>
      ${secretsProblem.value ? html`${notice("error", secretsProblem.value)}<button class="button" type="button" @click=${() => void loadSecrets()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.open === "new"
        ? html`<section class="card" aria-label="Add a secret"><h2>Add a secret</h2><hf-secret-form @done=${() => (this.open = "")}></hf-secret-form></section>`
        : html`<div class="row"><button class="button primary" type="button" ?disabled=${!online.value} @click=${() => (this.open = "new")}>${icon("key-round", "s")} Add a secret</button><a class="button" href="/secrets/import">Bring in from a file</a>${all?.length ? html`<a class="button" href="/secrets/export">Export</a>` : nothing}</div>`}
      ${all ? this.#list(all) : secretsProblem.value ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading your secrets"><i></i><i></i><i></i></div>`}
    </div>`;
  }

  #list(all: readonly Secret[]): TemplateResult {
    if (all.length === 0) return html`<p class="empty">Nothing is kept here yet. A good first one: the key of a service that your agent should use for you.</p>`;
    const words = this.filter.trim().toLocaleLowerCase();
    const found = words === "" ? all : all.filter((each) => `${each.name} ${each.username} ${each.url}`.toLocaleLowerCase().includes(words));
    return html`${all.length > MANY
        ? html`<div class="field"><label for="secret-filter">Find a secret</label><input id="secret-filter" type="search" .value=${this.filter} @input=${(event: InputEvent) => (this.filter = (event.target as HTMLInputElement).value)}></div>`
        : nothing}
      ${found.length === 0 ? html`<p class="empty">None of your ${all.length} secrets has these words.</p>` : nothing}
      <ul class="rows">${repeat(found, (each) => each.id, (each) => this.#row(each))}</ul>`;
  }

  #row(each: Secret): TemplateResult {
    if (this.open === each.id) return html`<li><h2>${each.name}</h2><hf-secret-form .secret=${each} @done=${() => (this.open = "")}></hf-secret-form></li>`;
    const shown = this.shown?.id === each.id ? this.shown.value : undefined;
    const usage = usedBy(each.id, this.#services());
    const details = [KINDS[each.kind], each.username, each.url].filter(Boolean).join(" · ");
    return html`<li>
      <div class="row-head">
        <div class="row-name"><strong>${each.name}</strong><span class="muted">${details}</span></div>
        <span class="tag ${each.agent === "see" ? "tag-warn" : ""}">${AGENT_MAY[each.agent].name}</span>
      </div>
      <p class="muted">${each.last_use ? `Last used ${new Date(each.last_use.at).toLocaleString()}${each.last_use.to ? ` for ${each.last_use.to}` : ""}` : "Not used yet"}</p>
      ${usage === "" ? nothing : html`<p class="muted">${usage}</p>`}
      ${shown === undefined ? nothing : html`<div class="shown-value"><code>${shown}</code><hf-copy .text=${shown} label="Copy the value"></hf-copy></div>`}
      <div class="row">
        <button class="button small" type="button" ?disabled=${this.busy} aria-label="${shown === undefined ? "Show" : "Hide"} “${each.name}”" @click=${() => void this.#toggle(each)}>${icon(shown === undefined ? "eye" : "eye-off", "s")} ${shown === undefined ? "Show" : "Hide"}</button>
        <button class="button small" type="button" aria-label="Change “${each.name}”" @click=${() => (this.open = each.id)}>${icon("pencil", "s")} Change</button>
        <button class="button small" type="button" ?disabled=${this.busy} aria-label="Delete “${each.name}”" @click=${() => void this.#delete(each)}>${icon("trash-2", "s")} Delete</button>
      </div>
    </li>`;
  }

  /** None while they are not known, or could not be read anew. */
  #services(): readonly Route[] | undefined {
    return servicesProblem.value ? undefined : routes.value;
  }

  #forget(): void {
    clearTimeout(this.#hide);
    this.shown = undefined;
  }

  async #toggle(each: Secret): Promise<void> {
    const hide = this.shown?.id === each.id;
    this.#forget();
    if (hide) return;
    await this.work(async () => {
      const { value } = await reveal(each.id);
      this.shown = { id: each.id, value };
      announce("Shown for half a minute. It is noted in your activity.");
      this.#hide = setTimeout(() => this.#forget(), SHOWN_MS);
    });
  }

  async #delete(each: Secret): Promise<void> {
    const sure = await confirmBox({ title: `Delete “${each.name}”?`, words: `It is removed from your vault and cannot be brought back. ${losesOnDelete(each.id, this.#services())}`, yes: "Delete", danger: true });
    if (!sure) return;
    this.#forget();
    await this.work(async () => {
      await deleteSecret(each.id);
      announce("Deleted");
    });
  }
}

customElements.define("hf-secrets", SecretsPage);
