/** What the operator did: the acts of this interface, in a chain of their own. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { View } from "../app/view";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { timesWords } from "../pages/audit-words";
import { param } from "./address";
import { operator, type OperatorEvent, session } from "./api";
import { operatorWords, whoWords } from "./audit-words";
import { filterField } from "./table";

export class AuditPage extends View {
  @state() private events: readonly OperatorEvent[] | undefined;
  @state() private more = false;
  @state() private problem = "";
  #asked = 0;
  #text: string | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#search();
  }

  async #search(before?: number): Promise<void> {
    const asked = ++this.#asked;
    this.#text = param("q");
    try {
      const found = await operator.audit({ text: this.#text.trim(), ...(before === undefined ? {} : { before: String(before) }) });
      // The operator went on typing meanwhile.
      if (asked !== this.#asked) return;
      this.events = before === undefined ? found.events : [...(this.events ?? []), ...found.events];
      this.more = found.more;
      this.problem = "";
    } catch (error) {
      if (asked === this.#asked && session.peek() !== "none") this.problem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    if (this.#text !== undefined && param("q") !== this.#text) queueMicrotask(() => void this.#search());
    return html`<div class="admin-page">
      <div class="admin-head"><h1>Audit</h1><a class="button" href="/api/v1/operator/audit/export" download="holdfast-audit.jsonl">${icon("download", "s")} Signed log</a></div>
      <p class="lead">What was done here. What concerns an organisation is in its own log, too, where its admins see it. The signed log is all of it; <code>holdfast audit verify</code> checks it.</p>
      ${filterField("Find", "A name, an address", "")}
      ${this.problem ? html`${notice("error", this.problem)}<p><button class="button" type="button" @click=${() => void this.#search()}>Try again</button></p>` : nothing}
      ${this.events === undefined ? (this.problem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`) : this.#list(this.events)}
    </div>`;
  }

  #list(events: readonly OperatorEvent[]): TemplateResult {
    if (events.length === 0) return html`<p class="list-note">Nothing that was done has these words.</p>`;
    return html`<ol class="audit-list">${events.map((event) => row(event))}</ol>
      ${this.more ? html`<button class="button wide" type="button" @click=${() => void this.#search(events.at(-1)?.seq)}>Show older</button>` : nothing}`;
  }
}

function row(event: OperatorEvent): TemplateResult {
  const at = new Date(event.at);
  const where = [event.device, event.address].filter(Boolean).join(", ");
  return html`<li>
    <span class="audit-sign ${event.outcome}" aria-hidden="true">${icon(event.outcome === "refused" ? "circle-x" : "circle-check", "s")}</span>
    <span class="people-name">
      <span><strong>${whoWords(event.actor)}</strong> ${operatorWords(event.action)} ${event.target?.name ?? ""} ${timesWords(event.details)}${event.outcome === "refused" ? html` <span class="tag">refused</span>` : nothing}</span>
      <span class="muted"><time datetime=${at.toISOString()}>${at.toLocaleString()}</time>${where ? `, ${where}` : ""}</span>
    </span>
  </li>`;
}

customElements.define("hf-admin-audit", AuditPage);
