/** One cell: how it is, what happened to it, what its keeper wrote down. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { notice } from "../parts/form";
import { icon } from "../parts/icon";
import { type CellAct, operator, type WholeCell } from "./api";
import { ACTS, actOn, actsFor, memoryBar, memoryLimit, stateTag } from "./cell-words";
import { ago, bytes, span } from "./format";
import { LivePage } from "./live-page";
import { sealed } from "./sealed";

export class CellPage extends LivePage<WholeCell> {
  @property({ attribute: false }) cell = "";
  @state() private busy = false;
  protected override every = 3000;
  #atEnd = true;

  protected load(): Promise<WholeCell> {
    return operator.cell(this.cell);
  }

  protected override willUpdate(): void {
    const log = this.querySelector<HTMLElement>(".admin-log");
    // Who has scrolled up reads: the end is followed by who is at the end.
    if (log) this.#atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
  }

  protected override updated(): void {
    const log = this.querySelector<HTMLElement>(".admin-log");
    if (log && this.#atEnd) log.scrollTo({ top: log.scrollHeight });
  }

  protected override render(): TemplateResult {
    const owner = this.data?.cell.owner.name;
    return this.frame(owner ? `Cell of ${owner}` : "Cell", (data) => this.#whole(data), (data) => ({ at: data.seen_at, problem: data.problem }));
  }

  #whole(data: WholeCell): TemplateResult {
    const { cell } = data;
    return html`<p><a href="/admin/cells">${icon("arrow-left", "s")} All cells</a></p>
      ${cell.facts?.problem ? notice("error", `What last went wrong: ${cell.facts.problem}.`) : nothing}
      ${cell.owner.suspended ? notice("warn", `${cell.owner.name} is suspended, so this cell stays asleep.`) : nothing}
      <div class="row">${actsFor(cell).map((act) => html`<button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.#act(data, act)}>${ACTS[act].title}</button>`)}</div>
      ${this.#facts(data)} ${this.#events(data)} ${this.#log(data)}`;
  }

  #facts({ cell, limits }: WholeCell): TemplateResult {
    const { facts, owner, tenant } = cell;
    const rows: [string, unknown][] = [
      ["State", html`${stateTag(cell.state)} ${facts ? `for ${span(this.now - facts.since)}` : ""}`],
      ["Owner", html`${owner.name}, ${owner.email}`],
      ["Tenant", html`<a href="/admin/tenants/${tenant.id}">${tenant.name}</a>`],
      ["Made", ago(cell.created_at, this.now)],
      ["Last use", facts ? ago(facts.used_at, this.now) : "not since the server started"],
      ["Memory", html`${memoryBar(facts?.memory_bytes, memoryLimit(limits), owner.name)} of ${bytes(memoryLimit(limits))}`],
      ["CPU", typeof facts?.cpu_percent !== "number" ? "—" : `${Math.round(facts.cpu_percent)} % of one processor; an agent may use ${limits.agent_processors}`],
      ["Processes", facts?.processes ?? "—"],
      ["Vault", facts?.vault ?? "—"],
      ["Agent", facts?.agent ? `${facts.agent}${facts.busy ? ", in the middle of something" : ""}` : "—"],
      ["Open pages of its owner", facts?.channels ?? 0],
      ["Image", facts?.version ? html`<code>${facts.version}</code>${facts.newest === false ? " (there is a newer one: restart it)" : ""}` : "—"],
      ["Disk", `up to ${bytes(limits.sealed_bytes)} sealed, a home of ${bytes(limits.home_bytes)} in memory`],
      ["Id", html`<code>${cell.id}</code>`],
    ];
    return html`<section aria-labelledby="facts-title">
      <h2 id="facts-title">How it is</h2>
      <dl class="facts-list">${rows.map(([name, words]) => html`<div><dt>${name}</dt><dd>${words}</dd></div>`)}</dl>
      ${sealed("What is in it")}
    </section>`;
  }

  #events({ events }: WholeCell): TemplateResult {
    return html`<section aria-labelledby="events-title">
      <h2 id="events-title">What happened</h2>
      ${events.length === 0
        ? html`<p class="list-note">Nothing since the server started.</p>`
        : html`<ol class="admin-events">
            ${[...events].reverse().map((event) => html`<li><time datetime=${new Date(event.at).toISOString()}>${new Date(event.at).toLocaleString()}</time>${event.problem ? html`<span class="event-problem">${icon("triangle-alert", "s")}${event.problem}</span>` : stateTag(event.state)}</li>`)}
          </ol>`}
    </section>`;
  }

  #log({ cell, log, log_problem }: WholeCell): TemplateResult {
    return html`<section aria-labelledby="log-title">
      <h2 id="log-title">The keeper’s log</h2>
      <p class="muted">What the keeper writes about itself. What the agent writes could hold words of a conversation, so it is kept nowhere.</p>
      ${log_problem ? notice("error", log_problem) : nothing}
      ${log.length === 0 ? html`<p class="list-note">${cell.state === "asleep" ? "There is none while the cell is asleep." : "It has written nothing yet."}</p>` : html`<pre class="admin-log" tabindex="0" role="log" aria-live="off" aria-label="The keeper’s log">${log.join("\n")}</pre>`}
    </section>`;
  }

  async #act(data: WholeCell, act: CellAct): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    await this.act(async () => {
      const results = await actOn([data.cell], act);
      const result = results?.[0];
      if (result && !result.ok) throw new Error(result.words);
      return result && (result.words === "done" ? `${ACTS[act].title}: done.` : `${ACTS[act].title}: under way.`);
    });
    this.busy = false;
  }
}

customElements.define("hf-admin-cell", CellPage);
