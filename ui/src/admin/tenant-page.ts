/** One organisation: the people in it, the limits that hold for it, putting it out of use, and deleting it. */
import { html, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { confirmBox } from "../parts/confirm-box";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { param } from "./address";
import { operator, type Tenant, type WholeTenant } from "./api";
import { filter } from "./filter";
import { bytes, count, span } from "./format";
import { withToken } from "./fresh";
import { LivePage } from "./live-page";
import type { OwnerDone } from "./owner-form";
import "./owner-form";
import { waitingWords } from "./owner-words";
import { PEOPLE_FIELDS, peopleColumns } from "./people-table";
import { sealed } from "./sealed";
import { filterField, ROWS_AT_FIRST, table } from "./table";
import { removeTenant } from "./tenant-removal";

export class TenantPage extends LivePage<WholeTenant> {
  @property({ attribute: false }) tenant = "";
  @state() private shown = ROWS_AT_FIRST;
  /** Whether its owner is being invited. */
  @state() private inviting = false;
  /** What was said when it was deleted. */
  @state() private gone = "";

  protected async load(): Promise<WholeTenant> {
    return this.gone && this.data ? this.data : operator.tenant(this.tenant);
  }

  protected override render(): TemplateResult {
    if (this.gone) {
      return html`<div class="admin-page">
        <div class="admin-head"><h1>${this.data?.tenant.name ?? "Tenant"}</h1></div>
        <div role="status">${notice("ok", this.gone)}</div>
        <p><a href="/admin/tenants">${icon("arrow-left", "s")} All tenants</a></p>
      </div>`;
    }
    return this.frame(this.data?.tenant.name ?? "Tenant", (data) => this.#whole(data));
  }

  #whole(data: WholeTenant): TemplateResult {
    const { tenant, people } = data;
    return html`<p><a href="/admin/tenants">${icon("arrow-left", "s")} All tenants</a></p>
      ${tenant.suspended_at ? notice("warn", `Suspended since ${new Date(tenant.suspended_at).toLocaleString()}. Nobody in it can sign in, and nobody can join.`) : ""}
      ${tenant.people === 0 && !tenant.suspended_at ? this.#owner(data) : ""}
      <section aria-labelledby="people-title">
        <h2 id="people-title">People and service accounts</h2>
        ${people.length === 0 ? html`<p class="list-note">Nobody is in it.</p>` : this.#people(people)}
      </section>
      ${limits(data)} ${this.#danger(tenant)}`;
  }

  #owner({ tenant, owner_invited: invited }: WholeTenant): TemplateResult {
    if (this.inviting) return html`<hf-admin-owner-form .tenant=${tenant} .email=${invited?.email ?? ""} @done=${this.#invited}></hf-admin-owner-form>`;
    return html`<section class="card" aria-labelledby="owner-title">
      <h2 id="owner-title">Its owner</h2>
      <p>${waitingWords(invited)}</p>
      <div class="row"><button class="button" type="button" @click=${() => (this.inviting = true)}>${invited ? "Invite again" : "Invite its owner"}</button></div>
    </section>`;
  }

  #invited = ({ detail }: CustomEvent<OwnerDone>): void => {
    this.inviting = false;
    void this.tell(detail.words, detail.bad);
  };

  #people(people: WholeTenant["people"]): TemplateResult {
    const { matches, problem } = filter(param("q"), PEOPLE_FIELDS);
    const rows = people.filter(matches);
    return html`${filterField("Find somebody", "A name, state:suspended, factor:no", problem)}
        ${rows.length === 0
          ? html`<p class="list-note">Nobody fits.</p>`
          : table({ label: "People", columns: peopleColumns(this.now, (what) => this.act(what), false), rows, id: (person) => person.id, name: (person) => person.name, sorted: "name", shown: this.shown, more: () => (this.shown += ROWS_AT_FIRST) })}
        ${sealed("Their conversations, secrets and files")}`;
  }

  #danger(tenant: Tenant): TemplateResult {
    return html`<section class="card danger-zone" aria-labelledby="danger-title">
      <h2 id="danger-title">${tenant.suspended_at ? "Put into use again" : "Put out of use"}</h2>
      <p>${tenant.suspended_at ? "Whoever was suspended with it may sign in again, and their API keys work again." : "Everybody in it is signed out and stays out, API keys stop working, nobody joins, and every cell goes to sleep. Nothing is deleted; what is suspended can be."}</p>
      <div class="row">
        ${tenant.suspended_at
          ? html`<button class="button primary" type="button" @click=${() => void this.act(() => restore(tenant))}>Let ${tenant.name} back in</button>`
          : html`<button class="button danger" type="button" @click=${() => void this.act(() => suspend(tenant))}>Suspend ${tenant.name}</button>`}
      </div>
    </section>
    ${tenant.suspended_at
      ? html`<section class="card danger-zone" aria-labelledby="remove-title">
          <h2 id="remove-title">Delete for ever</h2>
          <p>The organisation, the agents of everybody in it and all that this server keeps of them. You see what is lost before you decide.</p>
          <div class="row"><button class="button danger" type="button" @click=${() => void this.#remove(tenant)}>Delete ${tenant.name}</button></div>
        </section>`
      : ""}`;
  }

  async #remove(tenant: Tenant): Promise<void> {
    try {
      this.gone = (await removeTenant(tenant)) ?? "";
    } catch (error) {
      await this.tell(sentence(error), true);
    }
  }
}

function limits({ tenant, limits: may, cell_limits: cell }: WholeTenant): TemplateResult {
  const rows: [string, string][] = [
    ["Groups", `${tenant.groups} of ${may.groups}, of ${may.group_members} members each`],
    ["Service accounts", `${tenant.service_accounts} of ${may.service_accounts}`],
    ["Alerts", `${tenant.alert_rules} of ${may.alert_rules}`],
    ["Invitations", `${may.invitations} in ${may.invitations_minutes} min`],
    ["Memory of a cell", `${bytes(cell.agent_memory_bytes)} for the agent, ${bytes(cell.keeper_memory_bytes)} for keeper and home`],
    ["Processors of an agent", String(cell.agent_processors)],
    ["Disk of a cell", `${bytes(cell.sealed_bytes)} sealed`],
    ["Without use", `paused after ${span(cell.pause_after_ms)}, asleep after ${span(cell.sleep_after_ms)}`],
  ];
  return html`<section aria-labelledby="limits-title">
    <h2 id="limits-title">Limits</h2>
    <dl class="facts-list">${rows.map(([name, words]) => html`<div><dt>${name}</dt><dd>${words}</dd></div>`)}</dl>
  </section>`;
}

async function suspend(tenant: Tenant): Promise<string | undefined> {
  const words = `${count(tenant.people, "person", "people")} lose access at once; ${tenant.signed_in_people} of them are signed in now. Nothing is deleted, and you can undo it.`;
  if (!(await confirmBox({ title: `Suspend ${tenant.name}?`, words, yes: "Suspend", danger: true }))) return undefined;
  const done = await withToken(() => operator.suspendTenant(tenant.id));
  if (!done) return undefined;
  const stopping = done.stopping === 0 ? "" : ` ${count(done.stopping, "is", "are")} still being stopped.`;
  return `${tenant.name} is suspended. ${count(done.cells, "cell was", "cells were")} sent to sleep.${stopping}`;
}

async function restore(tenant: Tenant): Promise<string | undefined> {
  const done = await withToken(async () => {
    await operator.restoreTenant(tenant.id);
    return true;
  });
  return done ? `${tenant.name} is in use again.` : undefined;
}

customElements.define("hf-admin-tenant", TenantPage);
