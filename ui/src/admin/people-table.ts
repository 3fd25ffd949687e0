/** The table of people, on their own page and on their organisation's. */
import { html, type TemplateResult } from "lit";
import { ROLES } from "../parts/role-words";
import type { Person } from "./api";
import type { Fields } from "./filter";
import { ago } from "./format";
import { type Act, personActs } from "./person-acts";
import type { Column } from "./table";

export const PEOPLE_FIELDS: Fields<Person> = {
  anywhere: (person) => `${person.name} ${person.email} ${person.tenant.name}`,
  named: {
    state: { words: state },
    role: { words: (person) => (person.service ? "service" : person.role) },
    tenant: { words: (person) => person.tenant.name },
    factor: { words: (person) => (person.second_factor ? "yes" : "no") },
    sessions: { number: (person) => person.sessions, unit: "" },
  },
};

function state(person: Person): string {
  return person.suspended ? "suspended" : person.sessions > 0 ? "signed in" : "active";
}

function stateTag(person: Person): TemplateResult {
  const words = state(person);
  return html`<span class="state state-${person.suspended ? "bad" : person.sessions > 0 ? "good" : "plain"}">${words[0]?.toUpperCase()}${words.slice(1)}</span>`;
}

export function peopleColumns(now: number, act: Act, withTenant: boolean): Column<Person>[] {
  const tenant: Column<Person> = { key: "tenant", title: "Tenant", by: (person) => person.tenant.name, cell: (person) => html`<a href="/admin/tenants/${person.tenant.id}">${person.tenant.name}</a>` };
  return [
    { key: "name", title: "Name", by: (person) => person.name, cell: (person) => html`<span class="two-lines"><strong>${person.name}</strong><span class="muted">${person.service ? "Service account" : person.email}</span></span>` },
    ...(withTenant ? [tenant] : []),
    { key: "role", title: "Role", by: (person) => person.role, cell: (person) => ROLES[person.role] },
    { key: "state", title: "State", by: state, cell: stateTag },
    { key: "factor", title: "Second factor", by: (person) => (person.second_factor ? 1 : 0), cell: (person) => (person.service ? "—" : person.second_factor ? "Yes" : "No") },
    { key: "sessions", title: "Sessions", number: true, by: (person) => person.sessions, cell: (person) => person.sessions },
    { key: "seen", title: "Last seen", by: (person) => -(person.last_seen_at ?? 0), cell: (person) => (person.last_seen_at ? ago(person.last_seen_at, now) : "—") },
    { key: "cell", title: "Cell", cell: (person) => (person.cell ? html`<a href="/admin/cells/${person.cell}" aria-label="Look at the cell of ${person.name}">Look</a>` : "—") },
    { key: "acts", title: "Acts", cell: (person) => personActs(person, act) },
  ];
}
