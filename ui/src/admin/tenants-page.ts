/** The organisations on this installation. */
import { html, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { icon } from "../parts/icon";
import { param } from "./address";
import { operator, type Tenant } from "./api";
import { type Fields, filter } from "./filter";
import { ago } from "./format";
import { LivePage } from "./live-page";
import type { OwnerDone } from "./owner-form";
import "./owner-form";
import { type Column, filterField, ROWS_AT_FIRST, table } from "./table";

/** How an organisation stands, in the order of the column. */
const STANDINGS = ["active", "empty", "suspended"] as const;

function standing(tenant: Tenant): (typeof STANDINGS)[number] {
  if (tenant.suspended_at) return "suspended";
  return tenant.people === 0 ? "empty" : "active";
}

const FIELDS: Fields<Tenant> = {
  anywhere: (tenant) => tenant.name,
  named: {
    state: { words: standing },
    people: { number: (tenant) => tenant.people, unit: "" },
  },
};

export class TenantsPage extends LivePage<Tenant[]> {
  @state() private shown = ROWS_AT_FIRST;
  /** Whether one is being made. */
  @state() private making = false;

  protected async load(): Promise<Tenant[]> {
    return (await operator.tenants()).tenants;
  }

  protected override render(): TemplateResult {
    return this.frame("Tenants", (tenants) => this.#list(tenants));
  }

  #list(tenants: Tenant[]): TemplateResult {
    if (tenants.length === 0) return html`<p class="lead">There is no organisation yet. The one-time link for the first one is in the file <code>setup-url</code> of the data directory.</p>`;
    return html`${this.making ? html`<hf-admin-owner-form @done=${this.#made}></hf-admin-owner-form>` : html`<div class="row"><button class="button" type="button" @click=${() => (this.making = true)}>${icon("building-2", "s")} New organisation</button></div>`}
      ${this.#find(tenants)}`;
  }

  #made = ({ detail }: CustomEvent<OwnerDone>): void => {
    this.making = false;
    void this.tell(detail.words, detail.bad);
  };

  #find(tenants: Tenant[]): TemplateResult {
    const { matches, problem } = filter(param("q"), FIELDS);
    const rows = tenants.filter(matches);
    return html`${filterField("Find a tenant", "A name, state:suspended, people:>10", problem)}
      ${rows.length === 0
        ? html`<p class="list-note">No tenant fits.</p>`
        : table({ label: "Tenants", columns: this.#columns(), rows, id: (tenant) => tenant.id, name: (tenant) => tenant.name, sorted: "name", shown: this.shown, more: () => (this.shown += ROWS_AT_FIRST) })}`;
  }

  #columns(): Column<Tenant>[] {
    return [
      { key: "name", title: "Name", by: (tenant) => tenant.name, cell: (tenant) => html`<a href="/admin/tenants/${tenant.id}">${tenant.name}</a>` },
      { key: "state", title: "State", by: (tenant) => STANDINGS.indexOf(standing(tenant)), cell: stateOf },
      { key: "people", title: "People", number: true, by: (tenant) => tenant.people, cell: (tenant) => tenant.people },
      { key: "here", title: "Signed in now", number: true, by: (tenant) => tenant.signed_in_people, cell: (tenant) => tenant.signed_in_people },
      { key: "groups", title: "Groups", number: true, by: (tenant) => tenant.groups, cell: (tenant) => tenant.groups },
      { key: "factor", title: "Second factor", by: (tenant) => (tenant.second_factor_required ? 1 : 0), cell: (tenant) => (tenant.second_factor_required ? "Required" : "By choice") },
      { key: "age", title: "Made", by: (tenant) => -tenant.created_at, cell: (tenant) => ago(tenant.created_at, this.now) },
    ];
  }
}

function stateOf(tenant: Tenant): TemplateResult {
  switch (standing(tenant)) {
    case "suspended":
      return html`<span class="state state-bad">Suspended</span>`;
    case "empty":
      return html`<span class="state">Waits for its owner</span>`;
    case "active":
      return html`<span class="state state-good">Active</span>`;
  }
}

customElements.define("hf-admin-tenants", TenantsPage);
