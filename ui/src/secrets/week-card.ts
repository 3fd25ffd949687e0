/** The last seven days in numbers: what the agent did with each service, also with others', and what others did with what is shared. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { request } from "../app/link";
import { whose } from "../approvals/paused";
import { FormPage } from "../pages/page";
import { notice } from "../parts/form";
import { type WeekRow, weekWords } from "./week-words";

export class WeekCard extends FormPage {
  @state() private rows: readonly WeekRow[] | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.work(async () => {
      this.rows = (await request<{ rows: WeekRow[] }>("rate.week")).rows;
    });
  }

  protected override render(): TemplateResult {
    return html`<section class="card" aria-labelledby="week-title">
      <h2 id="week-title">This week</h2>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.rows ? (this.rows.length === 0 ? html`<p class="muted">In the last seven days nobody called your services, and your agent no others.</p>` : html`<ul class="log">${this.rows.map((row) => html`<li><span>${whose(row)} ${weekWords(row)}</span></li>`)}</ul>`) : nothing}
    </section>`;
  }
}

customElements.define("hf-week", WeekCard);
