/** Who waits to be let in, in every organisation. Their managers may answer, too; who answers first has answered. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { confirmBox } from "../parts/confirm-box";
import { param } from "./address";
import { operator, type Waiting } from "./api";
import { type Fields, filter } from "./filter";
import { ago } from "./format";
import { withToken } from "./fresh";
import { LivePage } from "./live-page";
import { type Column, filterField, ROWS_AT_FIRST, table } from "./table";

const FIELDS: Fields<Waiting> = {
  anywhere: (each) => `${each.name} ${each.email} ${each.tenant.name}`,
  named: { tenant: { words: (each) => each.tenant.name } },
};

export class WaitingPage extends LivePage<{ waiting: Waiting[]; more: boolean }> {
  @state() private shown = ROWS_AT_FIRST;

  protected load(): Promise<{ waiting: Waiting[]; more: boolean }> {
    return operator.waiting();
  }

  protected override render(): TemplateResult {
    return this.frame("Waiting", (data) => this.#list(data));
  }

  #list({ waiting, more }: { waiting: Waiting[]; more: boolean }): TemplateResult {
    if (waiting.length === 0) return html`<p class="lead">Nobody waits to be let in.</p>`;
    const { matches, problem } = filter(param("q"), FIELDS);
    const rows = waiting.filter(matches);
    return html`<p class="lead">They showed that the address is theirs, and their organisation wants to be asked. Until somebody answers they can do nothing. The owners and admins there were told by mail and may answer, too.</p>
      ${filterField("Find somebody", "A name, tenant:acme", problem)}
      ${more ? html`<p class="list-note">These are the first ${waiting.length}. There are more.</p>` : nothing}
      ${rows.length === 0
        ? html`<p class="list-note">Nobody fits.</p>`
        : table({ label: "People who wait", columns: this.#columns(), rows, id: (each) => each.id, name: (each) => each.name, sorted: "since", shown: this.shown, more: () => (this.shown += ROWS_AT_FIRST) })}`;
  }

  #columns(): Column<Waiting>[] {
    return [
      { key: "name", title: "Name", by: (each) => each.name, cell: (each) => html`<span class="two-lines"><strong>${each.name}</strong><span class="muted">${each.email}</span></span>` },
      { key: "tenant", title: "Tenant", by: (each) => each.tenant.name, cell: (each) => html`<a href="/admin/tenants/${each.tenant.id}">${each.tenant.name}</a>` },
      { key: "way", title: "Came by", by: (each) => each.issuer ?? "", cell: (each) => each.issuer ?? "A mailed link" },
      { key: "since", title: "Asked", by: (each) => each.asked_at, cell: (each) => ago(each.asked_at, this.now) },
      {
        key: "acts",
        title: "Acts",
        cell: (each) => html`<span class="row-acts">
          <button class="button small primary" type="button" aria-label="Let in ${each.name}" @click=${() => void this.act(() => letIn(each))}>Let in</button>
          <button class="button small" type="button" aria-label="Refuse ${each.name}" @click=${() => void this.act(() => refuse(each))}>Refuse</button>
        </span>`,
      },
    ];
  }
}

async function letIn(each: Waiting): Promise<string | undefined> {
  const words = `They become a member of ${each.tenant.name}, with an agent of their own, and are told by mail.`;
  if (!(await confirmBox({ title: `Let ${each.name} in?`, words, yes: "Let in" }))) return undefined;
  return (await answered(each, "approve")) ? `${each.name} is in ${each.tenant.name} now, as a member, and is told by mail.` : undefined;
}

async function refuse(each: Waiting): Promise<string | undefined> {
  const words = `${each.email} is told by mail. Nobody is asked about them again for 30 days; the managers of ${each.tenant.name} can still invite them.`;
  if (!(await confirmBox({ title: `Refuse ${each.name}?`, words, yes: "Refuse", danger: true }))) return undefined;
  return (await answered(each, "refuse")) ? `${each.name} is not let in, and is told by mail.` : undefined;
}

function answered(each: Waiting, answer: "approve" | "refuse"): Promise<true | undefined> {
  return withToken(async () => {
    await operator.answerWaiting(each.id, answer);
    return true as const;
  });
}

customElements.define("hf-admin-waiting", WaitingPage);
