/** Models and spending: which providers are asked in which order, what they cost, and when to stop. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import type { Provider, SpendingOverview, UsageRow } from "../channel/messages";
import { FormPage } from "../pages/page";
import { confirmBox } from "../parts/confirm-box";
import { field, notice, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { change, loadModels, modelsProblem, providers, spending } from "./models";
import { amount, dollars, typed } from "./money";
import "./provider-form";

export class ModelsPage extends FormPage {
  /** The provider whose form is open; "+" for a new one. */
  @state() private open = "";
  @state() private day: string | undefined;
  @state() private month: string | undefined;
  @state() private saved = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void loadModels();
  }

  protected override render(): TemplateResult {
    const [all, book] = [providers.value, spending.value];
    return html`<div class="page">
      <h1>Models and spending</h1>
      <p class="lead">Your agent thinks with the first model that answers. Keys and numbers are sealed in your vault; the people who run this server see neither.</p>
      ${modelsProblem.value ? html`${notice("error", modelsProblem.value)}<button class="button" type="button" @click=${() => void loadModels()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${all && book ? html`${this.#models(all)} ${this.#limits(book, all)} ${this.#usage(book)}` : modelsProblem.value ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading your models"><i></i><i></i><i></i></div>`}
    </div>`;
  }

  #models(all: readonly Provider[]): TemplateResult {
    if (all.length === 0) return html`<p class="empty">No model is connected yet. <a href="/model">Connect one</a>.</p>`;
    const mixed = all.some((each) => each.kind !== all[0]?.kind);
    return html`<section class="card" aria-labelledby="order-title">
      <h2 id="order-title">In this order</h2>
      <p class="muted">When one is down, overloaded or out of quota, the next one answers.${mixed ? " From OpenAI-compatible to Anthropic-compatible and back, your agent changes at the beginning of an answer: in the middle of one, after it has used a tool, it waits a minute and asks the same model again." : nothing}</p>
      <ol class="rows">${repeat(all, (each) => each.id, (each, at) => this.#model(each, at, all))}</ol>
      ${this.open === "+"
        ? html`<hf-provider-form .kind=${all[0]?.kind ?? "openai"} @done=${() => (this.open = "")}></hf-provider-form>`
        : html`<div class="row"><button class="button" type="button" ?disabled=${!online.value} @click=${() => (this.open = "+")}>${icon("plug-zap", "s")} Add another model</button></div>`}
    </section>`;
  }

  #model(each: Provider, at: number, all: readonly Provider[]): TemplateResult {
    if (this.open === each.id) return html`<li><hf-provider-form .provider=${each} @done=${() => (this.open = "")}></hf-provider-form></li>`;
    const { price } = each;
    return html`<li>
      <div class="row-head">
        <div class="row-name"><strong>${at + 1}. ${each.model}</strong><span class="muted">${each.base_url}</span></div>
        <span class="tag">${at === 0 ? "First" : "If those before it fail"}</span>
      </div>
      <p class="muted">${price ? `${dollars(price.input)} for a million tokens read, ${dollars(price.output)} written` : "Its price is not set"}</p>
      <div class="row">
        <button class="button small" type="button" aria-label="Change ${each.model}" @click=${() => (this.open = each.id)}>${icon("pencil", "s")} Change</button>
        ${at > 0 ? html`<button class="button small" type="button" ?disabled=${this.busy} aria-label="Ask ${each.model} earlier" @click=${() => void this.#earlier(all, at)}>${icon("arrow-up", "s")} Earlier</button>` : nothing}
        ${all.length > 1 ? html`<button class="button small" type="button" ?disabled=${this.busy} aria-label="Remove ${each.model}" @click=${() => void this.#remove(each)}>${icon("trash-2", "s")} Remove</button>` : nothing}
      </div>
    </li>`;
  }

  async #earlier(all: readonly Provider[], at: number): Promise<void> {
    const ids = all.map((each) => each.id);
    ids.splice(at - 1, 2, ...ids.slice(at - 1, at + 1).reverse());
    await this.work(async () => {
      await change("provider.order", { ids });
      announce("Moved");
    });
  }

  async #remove(each: Provider): Promise<void> {
    const sure = await confirmBox({ title: `Remove ${each.model}?`, words: "Its key is removed from your vault. What it did cost stays in the list.", yes: "Remove", danger: true });
    if (!sure) return;
    await this.work(async () => {
      await change("provider.delete", { id: each.id });
      announce("Removed");
    });
  }

  #limits({ limits, spent }: SpendingOverview, all: readonly Provider[]): TemplateResult {
    const [day, month] = [this.day ?? typed(limits.day), this.month ?? typed(limits.month)];
    const bad = amount(day) === undefined || amount(month) === undefined;
    const wanted = amount(day) !== null || amount(month) !== null;
    const unpriced = all.filter((each) => !each.price);
    const bar = (words: string, now: number, most: number | null) =>
      html`<div><p>${words}: <strong>${dollars(now)}</strong>${most === null ? nothing : html` of ${dollars(most)}`}</p>${most ? html`<meter min="0" max=${most} value=${Math.min(now, most)} high=${most * 0.8} aria-label="${words}: ${dollars(now)} of ${dollars(most)}"></meter>` : nothing}</div>`;
    return html`<section class="card" aria-labelledby="limits-title">
      <h2 id="limits-title">Spending</h2>
      ${bar("Today", spent.day, limits.day)} ${bar("This month", spent.month, limits.month)}
      <form @submit=${this.#saveLimits}>
        ${field({ id: "limit-day", label: "At most in a day, in US dollars", value: day, required: false, placeholder: "No limit", error: amount(day) === undefined ? "An amount in dollars, such as 5" : undefined, onInput: (value) => this.#typed(() => (this.day = value)) })}
        ${field({ id: "limit-month", label: "At most in a month, in US dollars", value: month, required: false, placeholder: "No limit", error: amount(month) === undefined ? "An amount in dollars, such as 50" : undefined, onInput: (value) => this.#typed(() => (this.month = value)) })}
        <p class="muted">A call that could pass a limit is refused before it is made. Days and months are those of UTC.</p>
        ${wanted && unpriced.length > 0 ? notice("warn", `With a limit, a model without a price is not asked: set the price of ${unpriced.map((each) => each.model).join(", ")}.`) : nothing}
        ${this.saved ? notice("ok", "Saved. It holds for the next call.") : nothing}
        <div class="row end">${submitButton("Save", this.busy, "Saving…", bad || (this.day === undefined && this.month === undefined))}</div>
      </form>
    </section>`;
  }

  #typed(work: () => void): void {
    work();
    this.saved = false;
  }

  #saveLimits = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const known = spending.peek()?.limits;
      const [day, month] = [amount(this.day ?? typed(known?.day)), amount(this.month ?? typed(known?.month))];
      await change("spending.set", { day, month });
      this.day = undefined;
      this.month = undefined;
      this.saved = true;
      announce("Saved");
    });
  };

  #usage({ usage }: SpendingOverview): TemplateResult {
    const estimated = usage.some((row) => row.estimated > 0);
    return html`<section class="card" aria-labelledby="usage-title">
      <h2 id="usage-title">Used this month</h2>
      ${usage.length === 0
        ? html`<p class="empty">No calls yet.</p>`
        : html`<div class="table-box" tabindex="0" role="region" aria-label="Calls and cost of each model">
            <table>
              <thead><tr><th scope="col">Day</th><th scope="col">Model</th><th scope="col">Calls</th><th scope="col">Tokens read</th><th scope="col">written</th><th scope="col">Cost</th></tr></thead>
              <tbody>${usage.map((row) => this.#row(row))}</tbody>
            </table>
          </div>
          ${estimated ? html`<p class="muted">≈ The provider did not tell the tokens of some calls: they are counted as the most that they could cost.</p>` : nothing}`}
    </section>`;
  }

  #row(row: UsageRow): TemplateResult {
    const read = row.input + row.cached + row.written;
    return html`<tr>
      <td>${new Date(`${row.day}T00:00:00Z`).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" })}</td>
      <td>${row.model}<br><span class="muted">${row.provider}</span></td>
      <td>${row.calls.toLocaleString()}${row.failed > 0 ? html`<br><span class="muted">${row.failed.toLocaleString()} failed</span>` : nothing}</td>
      <td>${read.toLocaleString()}</td>
      <td>${row.output.toLocaleString()}</td>
      <td>${row.estimated > 0 ? "≈ " : ""}${row.unpriced > 0 && row.cost === 0 ? "no price" : dollars(row.cost)}</td>
    </tr>`;
  }
}

customElements.define("hf-models", ModelsPage);
