/** What was done with the vault's secrets. Only the owner can read this: it comes through the encrypted connection. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { request, unlocked } from "../app/link";
import type { ActivityClass, ActivityEntry } from "../channel/messages";
import { FormPage } from "../pages/page";
import { notice } from "../parts/form";
import { icon } from "../parts/icon";
import { activityWords, isOfRelay } from "./activity-words";
import { tabs } from "./tabs";
import "./week-card";

const CLASSES: { of: ActivityClass | undefined; words: string }[] = [
  { of: undefined, words: "Everything" },
  { of: "agent", words: "Your agent" },
  { of: "person", words: "You" },
  { of: "refused", words: "Refused" },
];

export class ActivityPage extends FormPage {
  @state() private of: ActivityClass | undefined;
  @state() private entries: readonly ActivityEntry[] | undefined;
  @state() private more = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load(false);
  }

  async #load(further: boolean): Promise<void> {
    await this.work(async () => {
      const known = further ? (this.entries ?? []) : [];
      const page = await request<{ entries: ActivityEntry[]; more: boolean }>("activity.list", { ...(this.of ? { class: this.of } : {}), skip: known.length });
      this.entries = [...known, ...page.entries];
      this.more = page.more;
    });
  }

  protected override render(): TemplateResult {
    if (!unlocked.value) return html``;
    return html`<div class="page">
      ${tabs()}
      <h1>Activity</h1>
      <p class="lead">Every use of a secret, and everything that your agent was refused. It is sealed in your vault: only you can read it. The newest thousand of each kind are kept.</p>
      <hf-week></hf-week>
      <div class="row">
        <div class="segments" role="radiogroup" aria-label="Whose activity">
          ${CLASSES.map(({ of, words }) => html`<label class="segment"><input type="radio" name="class" .checked=${of === this.of} @change=${() => this.#choose(of)}><span>${words}</span></label>`)}
        </div>
        <button class="icon-button" type="button" aria-label="Load again" title="Load again" ?disabled=${this.busy} @click=${() => void this.#load(false)}>${icon("refresh-cw", "s")}</button>
      </div>
      ${this.problem ? html`${notice("error", this.problem)}<button class="button" type="button" @click=${() => void this.#load(false)}>Try again</button>` : nothing}
      ${this.entries ? this.#days(this.entries) : this.problem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading the activity"><i></i><i></i><i></i></div>`}
      ${this.more ? html`<button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.#load(true)}>Show older</button>` : nothing}
    </div>`;
  }

  #choose(of: ActivityClass | undefined): void {
    this.of = of;
    this.entries = undefined;
    void this.#load(false);
  }

  #days(entries: readonly ActivityEntry[]): TemplateResult {
    if (entries.length === 0) return html`<p class="empty">Nothing has happened yet.</p>`;
    const days = new Map<string, ActivityEntry[]>();
    for (const entry of entries) {
      const day = new Date(entry.last).toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" });
      days.set(day, [...(days.get(day) ?? []), entry]);
    }
    return html`${[...days].map(
      ([day, those]) => html`<section aria-label=${day}>
        <h2>${day}</h2>
        <ul class="log">${those.map((entry) => this.#line(entry))}</ul>
      </section>`,
    )}`;
  }

  #line(entry: ActivityEntry): TemplateResult {
    const time = new Date(entry.last);
    const refused = entry.what.endsWith("_refused") || entry.what === "rate_paused" || entry.what === "rate_locked" || entry.what === "command_decided_elsewhere" || entry.what === "commands_unseen" || isOfRelay(entry);
    return html`<li>
      <time datetime=${time.toISOString()}>${time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })}</time>
      <span class=${refused ? "bad" : ""}>${refused ? icon("circle-x", "s") : nothing} ${activityWords(entry)}${entry.count > 1 ? html` <span class="tag">${entry.count.toLocaleString()} times</span>` : nothing}</span>
    </li>`;
  }
}

customElements.define("hf-activity", ActivityPage);
