/** What the agent can reach: services with a secret, and the rest of the world. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import type { Route } from "../channel/messages";
import { FormPage } from "../pages/page";
import { confirmBox } from "../parts/confirm-box";
import "../parts/copy";
import { notice } from "../parts/form";
import { icon } from "../parts/icon";
import "./egress-form";
import "./route-form";
import "./route-tools";
import { loadShared, shared } from "../shared/shared";
import { loadSecrets, secrets } from "./secrets";
import { deleteRoute, loadServices, routes, servicesProblem } from "./services";
import { losesShares } from "./shared-of";
import { tabs } from "./tabs";

export class ServicesPage extends FormPage {
  /** The route whose form is open; "+" for a new one, which no route is called. */
  @state() private open = "";
  /** The route whose tools are shown. */
  @state() private toolsOf = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    await Promise.all([loadServices(), loadSecrets(), loadShared()]);
  }

  protected override render(): TemplateResult {
    const all = routes.value;
    return html`<div class="page">
      ${tabs()}
      <h1>Services</h1>
      <p class="lead">What your agent can reach. It calls a service through your vault, which puts the secret in on the way out: your agent never holds it. It is told the names of your services and what they are for.</p>
      ${servicesProblem.value ? html`${notice("error", servicesProblem.value)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.open === "+"
        ? html`<section class="card" aria-label="Connect a service"><h2>Connect a service</h2><hf-route-form @done=${() => (this.open = "")}></hf-route-form></section>`
        : html`<div class="row"><button class="button primary" type="button" ?disabled=${!online.value || !all} @click=${() => (this.open = "+")}>${icon("plug-zap", "s")} Connect a service</button></div>`}
      ${all ? this.#list(all) : servicesProblem.value ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading your services"><i></i><i></i><i></i></div>`}
      ${all
        ? html`<section class="card" aria-labelledby="egress-title">
            <h2 id="egress-title">The rest of the internet</h2>
            <hf-egress-form></hf-egress-form>
          </section>`
        : nothing}
    </div>`;
  }

  #list(all: readonly Route[]): TemplateResult {
    if (all.length === 0) return html`<p class="empty">No service is connected yet. Any service with an HTTPS interface can be: a calendar, a code host, a shop.</p>`;
    return html`<ul class="rows">${repeat(all, (each) => each.name, (each) => this.#row(each))}</ul>`;
  }

  #row(each: Route): TemplateResult {
    if (this.open === each.name) return html`<li><hf-route-form .route=${each} @done=${() => (this.open = "")}></hf-route-form></li>`;
    const secret = secrets.value?.find((known) => known.id === each.secret);
    const broken = secrets.value && (!secret || secret.agent === "nothing");
    return html`<li>
      <div class="row-head">
        <div class="row-name"><strong>${each.name}</strong><span class="muted">${each.base_url}</span></div>
        <span class="tag">${each.read_only ? "Only reading" : each.ask === false ? "Changes without asking, asks before it deletes" : "Asks before it changes"}</span>
      </div>
      ${each.about ? html`<p>${each.about}</p>` : nothing}
      <p class="muted">With ${secret ? `“${secret.name}”` : "a secret that was deleted"}${secret?.last_use ? `, last used ${new Date(secret.last_use.at).toLocaleString()}` : ""}</p>
      ${broken ? notice("warn", secret ? "Your agent may not use this secret any more, so its calls are refused." : "The secret is gone, so calls are refused. Choose another one.") : nothing}
      ${each.tools ? html`<p class="muted">A server of tools. ${Object.keys(each.tools).length === 0 ? "None of them may be called yet." : `May be called: ${Object.keys(each.tools).join(", ")}.`}</p>` : nothing}
      ${each.tools && this.toolsOf === each.name ? html`<hf-route-tools .route=${each} @done=${() => (this.toolsOf = "")}></hf-route-tools>` : nothing}
      ${each.agent_url && !each.tools ? html`<div class="shown-value"><span class="muted">For your agent: <code>${each.agent_url}</code></span><hf-copy .text=${each.agent_url} label="Copy the address for your agent"></hf-copy></div>` : nothing}
      <div class="row">
        ${each.tools ? html`<button class="button small" type="button" aria-expanded=${this.toolsOf === each.name ? "true" : "false"} aria-label="Tools of “${each.name}”" @click=${() => (this.toolsOf = this.toolsOf === each.name ? "" : each.name)}>${icon("wrench", "s")} Tools</button>` : nothing}
        <button class="button small" type="button" aria-label="Change “${each.name}”" @click=${() => (this.open = each.name)}>${icon("pencil", "s")} Change</button>
        <button class="button small" type="button" ?disabled=${this.busy} aria-label="Remove “${each.name}”" @click=${() => void this.#delete(each)}>${icon("trash-2", "s")} Remove</button>
      </div>
    </li>`;
  }

  async #delete(each: Route): Promise<void> {
    const sure = await confirmBox({ title: `Remove “${each.name}”?`, words: `Your agent cannot call this service any more. The secret stays in your vault. ${losesShares(each.name, shared.value?.given)}`, yes: "Remove", danger: true });
    if (!sure) return;
    await this.work(async () => {
      await deleteRoute(each.name);
      announce("Removed");
    });
  }
}

customElements.define("hf-services", ServicesPage);
