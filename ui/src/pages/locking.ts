/** When the vault locks by itself, how long the agent may work while nobody is here, and the key that everything is sealed with. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { grantedUntil, refreshStatus, request, rotation } from "../app/link";
import { ProofDeclined, withProof } from "../app/proof";
import type { VaultPolicy } from "../channel/messages";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { span } from "../parts/span";
import { working } from "../parts/working";
import { FormPage } from "./page";

const MINUTES = [1, 5, 15, 30, 60, 120, 240, 480];
const HOURS = [1, 4, 8, 24, 48, 72, 168];
const DAYS = [30, 90, 180, 365];

function moment(at: number): string {
  const then = new Date(at);
  const time = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return then.toDateString() === new Date().toDateString() ? time : `${then.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" })}, ${time}`;
}

export class LockingPage extends FormPage {
  @state() private policy: VaultPolicy | undefined;
  @state() private loadProblem = "";
  @state() private done = "";
  @state() private hours = 4;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.policy = await request<VaultPolicy>("vault.policy");
      this.loadProblem = "";
      await refreshStatus();
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      <p><a class="link" href="/me">${icon("arrow-left", "s")} Me</a></p>
      <h1>Locking and key</h1>
      <p class="lead">While your vault is locked nothing in it can be read, also not by your agent, which rests.</p>
      ${this.problem ? notice("error", this.problem) : nothing} ${this.done ? notice("ok", this.done) : nothing}
      ${this.policy ? html`${this.#lock(this.policy)} ${this.#window(this.policy)} ${this.#key(this.policy)}` : this.#loading()}
    </div>`;
  }

  #loading(): TemplateResult {
    if (this.loadProblem) return html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>`;
    return html`<p role="status">${working("Asking your vault…")}</p>`;
  }

  #lock(policy: VaultPolicy): TemplateResult {
    const choices = [...new Set([...MINUTES, policy.lock_after_minutes ?? 30])].filter((each) => each >= policy.lock_after_shortest && each <= policy.lock_after_longest).sort((a, b) => a - b);
    return html`<section class="card" aria-labelledby="lock-title">
      <h2 id="lock-title">Lock when not used</h2>
      <div class="field">
        <label for="lock-after">Without use, lock after</label>
        <select id="lock-after" ?disabled=${this.busy} @change=${(event: Event) => void this.#setLock(policy, event.target as HTMLSelectElement)}>
          <option value="" ?selected=${policy.lock_after_minutes === null}>${span(policy.usual_lock_after_minutes)}, as this server has it</option>
          ${choices.map((minutes) => html`<option value=${minutes} ?selected=${policy.lock_after_minutes === minutes}>${span(minutes)}</option>`)}
        </select>
      </div>
    </section>`;
  }

  #window(policy: VaultPolicy): TemplateResult {
    const until = grantedUntil.value;
    const allowed = HOURS.filter((hours) => hours * 60 <= policy.grant_longest);
    // What is chosen may have become too long: an organisation decides how long it may be.
    const chosen = allowed.includes(this.hours) ? this.hours : (allowed.at(-1) ?? 1);
    return html`<section class="card" aria-labelledby="window-title">
      <h2 id="window-title">Let the agent work while you are away</h2>
      ${until === undefined
        ? html`<p class="muted">Your vault then stays open for that time, used or not: also for somebody who gets into your account on a browser that is still connected. Locking ends it at once.</p>
            <div class="setting">
              <div class="field">
                <label for="window-hours">For</label>
                <select id="window-hours" @change=${(event: Event) => (this.hours = Number((event.target as HTMLSelectElement).value))}>
                  ${allowed.map((hours) => html`<option value=${hours} ?selected=${hours === chosen}>${span(hours * 60)}</option>`)}
                </select>
              </div>
              <button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.#grant(chosen * 60)}>Allow</button>
            </div>
            ${policy.grant_longest === 24 * 60 ? nothing : html`<p class="hint">Your organisation allows ${span(policy.grant_longest)} at most.</p>`}`
        : html`<div class="setting">
            <p><strong>Open until ${moment(until)}</strong><br><span class="muted">Your agent may work until then without you.</span></p>
            <button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.#grant(0)}>End it now</button>
          </div>`}
    </section>`;
  }

  #key(policy: VaultPolicy): TemplateResult {
    const last = rotation.value;
    return html`<section class="card" aria-labelledby="key-title">
      <h2 id="key-title">The key of your vault</h2>
      <div class="setting">
        <p>
          <strong>${last?.at ? `Changed ${moment(last.at)}` : "Never changed"}</strong><br>
          <span class="muted">${last?.unfinished ? "What your agent remembers is being sealed under the new key; until that is done the old one is kept inside your vault." : "All that is stored is sealed under this key. Every way in keeps working when it is changed."}</span>
        </p>
        <button class="button" type="button" ?disabled=${this.busy || last?.unfinished === true} @click=${() => void this.#rotate()}>Change the key now</button>
      </div>
      <div class="field">
        <label for="rotate-after">By itself</label>
        <select id="rotate-after" ?disabled=${this.busy} @change=${(event: Event) => void this.#setAge(policy, event.target as HTMLSelectElement)}>
          <option value="0" ?selected=${policy.rotate_after_days === 0}>Never</option>
          ${[...new Set([...DAYS, policy.rotate_after_days])].filter((days) => days > 0).sort((a, b) => a - b).map((days) => html`<option value=${days} ?selected=${policy.rotate_after_days === days}>After ${days} days</option>`)}
        </select>
      </div>
    </section>`;
  }

  async #try(done: string, action: () => Promise<unknown>): Promise<void> {
    this.done = "";
    await this.work(async () => {
      try {
        await withProof(action);
        this.done = done;
        announce(done);
      } catch (error) {
        if (!(error instanceof ProofDeclined)) throw error;
      } finally {
        await this.#load();
      }
    });
  }

  #set(policy: VaultPolicy, change: Partial<VaultPolicy>, done: string): Promise<void> {
    const { lock_after_minutes, rotate_after_days } = { ...policy, ...change };
    return this.#try(done, () => request("vault.set_policy", { lock_after_minutes, rotate_after_days }));
  }

  async #setLock(policy: VaultPolicy, select: HTMLSelectElement): Promise<void> {
    const minutes = select.value === "" ? null : Number(select.value);
    await this.#set(policy, { lock_after_minutes: minutes }, `Your vault locks after ${span(minutes ?? policy.usual_lock_after_minutes)} without use.`);
    // Also when it was not changed after all.
    select.value = String(this.policy?.lock_after_minutes ?? "");
  }

  async #setAge(policy: VaultPolicy, select: HTMLSelectElement): Promise<void> {
    const days = Number(select.value);
    await this.#set(policy, { rotate_after_days: days }, days === 0 ? "The key is changed only when you ask." : `The key is changed by itself after ${days} days, also while your vault is open.`);
    select.value = String(this.policy?.rotate_after_days ?? 0);
  }

  #grant(minutes: number): Promise<void> {
    return this.#try(minutes === 0 ? "Your agent’s time alone is over." : `Your vault stays open for ${span(minutes)}.`, () => request("vault.grant", { minutes }));
  }

  #rotate(): Promise<void> {
    return this.#try("The key of your vault is changed.", () => request("vault.rotate", {}));
  }
}

customElements.define("hf-locking", LockingPage);
