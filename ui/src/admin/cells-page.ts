/** Every cell: state, owner, size, use; acts on one and on many. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { icon } from "../parts/icon";
import { working } from "../parts/working";
import { param, setParam } from "./address";
import { type Cell, type CellAct, type Cells, operator } from "./api";
import { ACTS, actOn, actsFor, memoryBar, memoryLimit, type Result, STATES, stateTag, stateTitle } from "./cell-words";
import { type Fields, filter } from "./filter";
import { ago, span } from "./format";
import { LivePage } from "./live-page";
import { sealed } from "./sealed";
import { type Column, filterField, ROWS_AT_FIRST, table } from "./table";

const STATE_TERM = /(^|\s)state:\S*/g;

export class CellsPage extends LivePage<Cells> {
  @state() private shown = ROWS_AT_FIRST;
  @state() private chosen: ReadonlySet<string> = new Set();
  @state() private busy = false;
  @state() private results: Result[] = [];

  protected load(): Promise<Cells> {
    return operator.cells();
  }

  protected override render(): TemplateResult {
    return this.frame("Cells", (data) => this.#list(data), (data) => ({ at: data.seen_at, problem: data.problem }));
  }

  #list(data: Cells): TemplateResult {
    if (data.cells.length === 0) return html`<p class="lead">There is no cell yet: each person gets one when they join.</p>`;
    const { matches, problem } = filter(param("q"), fields(data));
    const rows = data.cells.filter(matches);
    return html`${this.#chips(data)} ${filterField("Find cells", "A name, state:failed, mem:>80%, tenant:acme", problem)} ${this.#bulk(data)} ${this.#told()}
      ${rows.length === 0
        ? html`<p class="list-note">No cell fits.</p>`
        : table({
            label: "Cells",
            columns: this.#columns(data),
            rows,
            id: (cell) => cell.id,
            name: (cell) => `the cell of ${cell.owner.name}`,
            sorted: "owner",
            shown: this.shown,
            more: () => (this.shown += ROWS_AT_FIRST),
            chosen: this.chosen,
            choose: (cell, yes) => this.#choose([cell], yes),
            chooseAll: (cells, yes) => this.#choose(cells, yes),
          })}
      ${sealed("Vaults, conversations and files")}`;
  }

  #chips({ cells }: Cells): TemplateResult {
    const now = /(?:^|\s)state:(\S+)/.exec(param("q"))?.[1] ?? "";
    const chip = (words: string, value: string, number: number): TemplateResult =>
      html`<button class="chip" type="button" aria-pressed=${now === value ? "true" : "false"} @click=${() => {
        const rest = param("q").replaceAll(STATE_TERM, " ").trim();
        setParam("q", value === "" ? rest : `state:${value} ${rest}`.trim());
      }}>${words} <span class="chip-number">${number}</span></button>`;
    return html`<div class="chips" role="group" aria-label="By state">${chip("All", "", cells.length)} ${STATES.map((each) => chip(stateTitle(each), each, cells.filter((cell) => cell.state === each).length))}</div>`;
  }

  #choose(cells: readonly Cell[], yes: boolean): void {
    const next = new Set(this.chosen);
    for (const cell of cells) {
      if (yes) next.add(cell.id);
      else next.delete(cell.id);
    }
    this.chosen = next;
  }

  #bulk({ cells }: Cells): TemplateResult | typeof nothing {
    const chosen = cells.filter((cell) => this.chosen.has(cell.id));
    if (chosen.length === 0) return nothing;
    return html`<div class="bulk" role="group" aria-label="With the chosen cells">
      <strong>${chosen.length} chosen</strong>
      ${(Object.keys(ACTS) as CellAct[]).map((act) => html`<button class="button small" type="button" ?disabled=${this.busy} @click=${() => void this.#act(chosen, act)}>${ACTS[act].title}</button>`)}
      <button class="link" type="button" @click=${() => (this.chosen = new Set())}>Choose none</button>
    </div>`;
  }

  async #act(cells: readonly Cell[], act: CellAct): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      const results = await actOn(cells, act);
      if (!results) return;
      this.results = results;
      this.chosen = new Set();
      announce(`${results.filter((each) => each.ok).length} of ${results.length} done`);
      await this.reload();
    } finally {
      this.busy = false;
    }
  }

  #told(): TemplateResult | typeof nothing {
    if (this.busy) return html`<p class="list-note" role="status">${working("Working…")}</p>`;
    if (this.results.length === 0) return nothing;
    return html`<section class="results" aria-label="What came of it">
      <ul>${this.results.map((each) => html`<li class=${each.ok ? "ok" : "bad"}>${icon(each.ok ? "circle-check" : "circle-x", "s")}<span><strong>${each.name}</strong>: ${each.words}</span></li>`)}</ul>
      <button class="link" type="button" @click=${() => (this.results = [])}>Close</button>
    </section>`;
  }

  #columns(data: Cells): Column<Cell>[] {
    const limit = memoryLimit(data.limits);
    return [
      { key: "owner", title: "Owner", by: (cell) => cell.owner.name, cell: (cell) => html`<span class="two-lines"><a href="/admin/cells/${cell.id}">${cell.owner.name}</a><span class="muted">${cell.owner.email}</span></span>` },
      { key: "state", title: "State", by: (cell) => STATES.indexOf(cell.state), cell: (cell) => stateTag(cell.state) },
      { key: "tenant", title: "Tenant", by: (cell) => cell.tenant.name, cell: (cell) => html`<a href="/admin/tenants/${cell.tenant.id}">${cell.tenant.name}</a>` },
      { key: "mem", title: "Memory", number: true, by: (cell) => cell.facts?.memory_bytes ?? -1, cell: (cell) => memoryBar(cell.facts?.memory_bytes, limit, cell.owner.name) },
      { key: "cpu", title: "CPU", number: true, by: (cell) => cell.facts?.cpu_percent ?? -1, cell: (cell) => (typeof cell.facts?.cpu_percent !== "number" ? "—" : `${Math.round(cell.facts.cpu_percent)} %`) },
      { key: "age", title: "In this state", by: (cell) => cell.facts?.since ?? 0, cell: (cell) => (cell.facts ? span(this.now - cell.facts.since) : "—") },
      { key: "used", title: "Last use", by: (cell) => -(cell.facts?.used_at ?? 0), cell: (cell) => (cell.facts ? ago(cell.facts.used_at, this.now) : "—") },
      { key: "version", title: "Image", by: (cell) => cell.facts?.version ?? "", cell: (cell) => (cell.facts?.version ? html`<span class="two-lines"><code>${cell.facts.version}</code>${cell.facts.newest === false ? html`<span class="muted">an older one</span>` : nothing}</span>` : "—") },
      { key: "acts", title: "Acts", cell: (cell) => html`<span class="row-acts">${actsFor(cell).map((act) => html`<button class="button small" type="button" ?disabled=${this.busy} aria-label="${ACTS[act].title} the cell of ${cell.owner.name}" @click=${() => void this.#act([cell], act)}>${ACTS[act].title}</button>`)}</span>` },
    ];
  }
}

function fields(data: Cells): Fields<Cell> {
  const limit = memoryLimit(data.limits);
  return {
    anywhere: (cell) => `${cell.owner.name} ${cell.owner.email} ${cell.tenant.name} ${cell.id}`,
    named: {
      state: { words: (cell) => cell.state },
      tenant: { words: (cell) => cell.tenant.name },
      owner: { words: (cell) => `${cell.owner.name} ${cell.owner.email}` },
      mem: { number: (cell) => (typeof cell.facts?.memory_bytes !== "number" ? undefined : (cell.facts.memory_bytes / limit) * 100), unit: "%" },
      cpu: { number: (cell) => cell.facts?.cpu_percent ?? undefined, unit: "%" },
      image: { words: (cell) => `${cell.facts?.version ?? ""} ${cell.facts?.newest === false ? "older" : ""}` },
    },
  };
}

customElements.define("hf-admin-cells", CellsPage);
