/** Deleting an organisation: what is lost is shown before, and its name has to be typed. */
import { html } from "lit";
import { typedBox } from "../parts/confirm-box";
import { operator, type Tenant, type TenantLosses } from "./api";
import { withToken } from "./fresh";
import { count } from "./format";

/** In the order of what weighs most; what there is none of is left out. */
function lossWords(losses: TenantLosses): string[] {
  const all: [number, string][] = [
    [losses.cells, `${count(losses.cells, "agent", "agents")} with vault, conversations and files`],
    [losses.people, count(losses.people, "person", "people")],
    [losses.service_accounts, count(losses.service_accounts, "service account", "service accounts")],
    [losses.groups, count(losses.groups, "group", "groups")],
    [losses.api_keys, count(losses.api_keys, "API key", "API keys")],
    [losses.second_factors, count(losses.second_factors, "second factor", "second factors")],
    [losses.sign_in_providers, count(losses.sign_in_providers, "site to sign in with", "sites to sign in with")],
    [losses.destinations, count(losses.destinations, "destination of alerts", "destinations of alerts")],
    [losses.audit_events, `the audit log with ${count(losses.audit_events, "event", "events")}`],
  ];
  return all.filter(([number]) => number > 0).map(([, words]) => words);
}

/** Deletes it; what to say afterwards, or undefined when the operator did not want to. */
export async function removeTenant(tenant: Tenant): Promise<string | undefined> {
  const losses = await operator.tenantLosses(tenant.id);
  const content = html`<p>This cannot be undone. Who has a backup file of their agent keeps it. Lost are:</p>
    <ul class="losses">${lossWords(losses).map((words) => html`<li>${words}</li>`)}</ul>`;
  if (!(await typedBox({ title: `Delete ${tenant.name} for ever?`, content, expected: tenant.name, yes: "Delete for ever" }))) return undefined;
  const gone = await withToken(() => operator.removeTenant(tenant.id));
  return gone ? `${tenant.name} is deleted, with ${count(gone.people, "person", "people")} and ${count(gone.cells, "agent", "agents")}.` : undefined;
}
