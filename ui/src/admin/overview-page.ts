/** How the installation is, at a glance, and what needs somebody's hand. */
import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../parts/icon";
import { type Overview, operator } from "./api";
import { bytes, percent } from "./format";
import { LivePage } from "./live-page";
import { sealed } from "./sealed";

export class OverviewPage extends LivePage<Overview> {
  protected load(): Promise<Overview> {
    return operator.overview();
  }

  protected override render(): TemplateResult {
    return this.frame("Overview", (data) => html`${this.#alerts(data)} ${this.#tiles(data)} ${sealed("What people write and keep")}`, (data) => ({ at: data.seen_at, problem: data.problem }));
  }

  #alerts(data: Overview): TemplateResult {
    if (data.alerts.length === 0) return html`<p class="all-good">${icon("circle-check", "s")} Nothing needs your hand.</p>`;
    return html`<section aria-labelledby="alerts-title">
      <h2 id="alerts-title">Needs a look</h2>
      <ul class="admin-alerts">
        ${data.alerts.map((alert) => html`<li class="alert-${alert.state}">${icon(alert.state === "bad" ? "circle-x" : "triangle-alert")}<div><strong>${alert.words}</strong><span>${alert.fix}</span></div><a class="button small" href=${alert.page} aria-label="Look: ${alert.words}">Look</a></li>`)}
      </ul>
    </section>`;
  }

  #tiles({ tenants, people, cells, host }: Overview): TemplateResult {
    const disk = host.disk_bytes - host.disk_free_bytes;
    return html`<div class="tiles">
      ${tile("People", people.all, "/admin/people", html`${people.active} signed in now${people.suspended ? html`, ${people.suspended} suspended` : nothing}`)}
      ${tile("Tenants", tenants.all, "/admin/tenants", html`${tenants.active} with somebody signed in${tenants.suspended ? html`, ${tenants.suspended} suspended` : nothing}`)}
      ${tile("Cells awake", cells.awake, "/admin/cells?q=state%3Aawake", html`of ${cells.capacity} that may be awake or paused`)}
      ${tile("Cells paused", cells.paused, "/admin/cells?q=state%3Apaused", html`frozen, quick to go on`)}
      ${tile("Cells asleep", cells.asleep, "/admin/cells?q=state%3Aasleep", html`sealed, take no memory`)}
      ${tile("Cells failed", cells.failed, "/admin/cells?q=state%3Afailed", cells.starting ? html`${cells.starting} starting now` : html`none starting now`, cells.failed > 0)}
      ${gauge("Memory of the machine", host.memory_used_bytes, host.memory_bytes, html`cells take ${bytes(cells.memory_bytes)}`)}
      ${gauge("Disk of the data directory", disk, host.disk_bytes, html`${bytes(host.disk_free_bytes)} free`)}
      <div class="tile">
        <span class="tile-title">Processors</span>
        <strong class="tile-number">${host.cpu_percent === null ? "—" : `${Math.round(host.cpu_percent)} %`}</strong>
        <meter min="0" max="100" high="90" optimum="0" value=${host.cpu_percent ?? 0} aria-label="Processors of the machine"></meter>
        <span class="muted">of ${host.processors}; cells use ${Math.round(cells.cpu_percent)} % of one</span>
      </div>
    </div>
    ${people.all === 0 ? html`<p class="lead">Nobody is here yet. The one-time link for the first organisation is in the file <code>setup-url</code> of the data directory.</p>` : nothing}`;
  }
}

function tile(title: string, number: number, href: string, words: TemplateResult, bad = false): TemplateResult {
  return html`<a class="tile ${bad ? "tile-bad" : ""}" href=${href}><span class="tile-title">${title}</span><strong class="tile-number">${number}</strong><span class="muted">${words}</span></a>`;
}

function gauge(title: string, used: number, all: number, words: TemplateResult): TemplateResult {
  return html`<div class="tile">
    <span class="tile-title">${title}</span>
    <strong class="tile-number">${percent(used, all)} %</strong>
    <meter min="0" max=${all} high=${all * 0.9} optimum="0" value=${used} aria-label=${title}></meter>
    <span class="muted">${bytes(used)} of ${bytes(all)}; ${words}</span>
  </div>`;
}

customElements.define("hf-admin-overview", OverviewPage);
