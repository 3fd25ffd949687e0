/** Who is told when something is done that is worth a look, and where. For owners and admins. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { type AlertRule, type AlertTrigger, api, type Destination } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { minuteOf, ownZone, quietWords, TRIGGERS, triggerWords as words } from "../parts/alert-words";
import { confirmBox } from "../parts/confirm-box";
import "../parts/destinations";
import { DestinationsChanged } from "../parts/destinations";
import { field, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { withStepUp } from "../parts/step-up";
import { FormPage } from "./page";

export class AlertsPage extends FormPage {
  @state() private rules: readonly AlertRule[] | undefined;
  @state() private loadProblem = "";
  @state() private done = "";
  @state() private trigger: AlertTrigger = "failures";
  @state() private email = me()?.user.email ?? "";
  @state() private destinations: readonly Destination[] = [];
  /** A destination's id, or nothing for an address. */
  @state() private destination = "";
  @state() private quiet = false;
  @state() private from = "22:00";
  @state() private to = "06:00";

  override connectedCallback(): void {
    super.connectedCallback();
    this.addEventListener(DestinationsChanged.type, this.#destinationsChanged);
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.rules = (await api.alerts()).alerts;
      this.loadProblem = "";
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      <h1>Alerts</h1>
      <p class="lead">Who is told when something is done that is worth a look. More of the same within an hour comes in one message. <a href="/audit">Audit log</a></p>
      ${this.loadProblem ? html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing} ${this.done ? notice("ok", this.done) : nothing}
      ${this.rules ? html`${this.#list(this.rules)} ${this.#newRule()} <hf-destinations></hf-destinations>` : this.loadProblem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`}
    </div>`;
  }

  #list(rules: readonly AlertRule[]): TemplateResult {
    if (rules.length === 0) return html`<p class="list-note">Nobody is told of anything yet.</p>`;
    return html`<ul class="people">
      ${rules.map(
        (rule) => html`<li>
          <span class="avatar" aria-hidden="true">${icon(rule.destination ? "send" : "mail", "s")}</span>
          <span class="people-name">
            <strong>${words(rule.trigger)}</strong>
            <span class="muted">${receiver(rule)}${rule.quiet ? `, ${quietWords(rule.quiet)}` : ""}</span>
            <span class="muted">${rule.last_sent_at === undefined ? "never sent yet" : `last sent ${new Date(rule.last_sent_at).toLocaleString()}`}</span>
            ${rule.last_problem ? html`<span class="field-error">${icon("circle-alert", "s")}<span>The last one was not taken: ${rule.last_problem}</span></span>` : nothing}
          </span>
          <button class="button small" type="button" ?disabled=${this.busy} aria-label="Send a test of “${words(rule.trigger)}” to ${receiver(rule)}" @click=${() => this.#test(rule)}>Send a test</button>
          <button class="button small" type="button" ?disabled=${this.busy} aria-label="Remove “${words(rule.trigger)}” to ${receiver(rule)}" @click=${() => this.#remove(rule)}>Remove</button>
        </li>`,
      )}
    </ul>`;
  }

  #newRule(): TemplateResult {
    const time = (id: string, label: string, value: string, set: (value: string) => void) =>
      html`<div class="field"><label for=${id}>${label}</label><input id=${id} type="time" required .value=${value} @input=${(event: InputEvent) => set((event.target as HTMLInputElement).value)}></div>`;
    const more = TRIGGERS.find((each) => each.trigger === this.trigger)?.more;
    return html`<section class="card" aria-labelledby="new-alert-title">
      <h2 id="new-alert-title">New alert</h2>
      <form @submit=${this.#make}>
        <div class="field">
          <label for="alert-trigger">When</label>
          <select id="alert-trigger" aria-describedby=${more ? "alert-trigger-more" : nothing} @change=${(event: Event) => (this.trigger = (event.target as HTMLSelectElement).value as AlertTrigger)}>
            ${TRIGGERS.map((each) => html`<option value=${each.trigger} ?selected=${each.trigger === this.trigger}>${each.words}</option>`)}
          </select>
          ${more ? html`<p class="hint" id="alert-trigger-more">${more}</p>` : nothing}
        </div>
        ${this.destinations.length > 0
          ? html`<div class="field">
              <label for="alert-receiver">Tell</label>
              <select id="alert-receiver" @change=${(event: Event) => (this.destination = (event.target as HTMLSelectElement).value)}>
                <option value="" .selected=${this.destination === ""}>An address by mail</option>
                ${this.destinations.map((each) => html`<option value=${each.id} .selected=${each.id === this.destination}>${each.name}</option>`)}
              </select>
            </div>`
          : nothing}
        ${this.destination !== "" ? nothing : field({ id: "alert-email", label: this.destinations.length > 0 ? "Address" : "Tell", type: "email", value: this.email, onInput: (value) => (this.email = value) })}
        <label class="check"><input type="checkbox" .checked=${this.quiet} @change=${(event: Event) => (this.quiet = (event.target as HTMLInputElement).checked)}> Not at certain hours: what comes up in them is told at their end</label>
        ${this.quiet ? html`<div class="row">${time("alert-from", "From", this.from, (value) => (this.from = value))} ${time("alert-to", "To", this.to, (value) => (this.to = value))}</div><p class="hint">As clocks show them in ${ownZone()}, in summer and winter.</p>` : nothing}
        ${submitButton("Add alert", this.busy)}
      </form>
    </section>`;
  }

  /** With a destination go the alerts to it. */
  #destinationsChanged = (event: Event): void => {
    if (!(event instanceof DestinationsChanged)) return;
    this.destinations = event.destinations;
    if (!this.destinations.some((each) => each.id === this.destination)) this.destination = "";
    if (this.rules?.some((rule) => rule.destination && !this.destinations.some((each) => each.id === rule.destination?.id))) void this.#load();
  };

  #act(action: () => Promise<string | undefined>): void {
    this.done = "";
    void this.work(async () => {
      const said = await action();
      if (said === undefined) return;
      this.done = said;
      announce(said);
      await this.#load();
    });
  }

  #make = (event: SubmitEvent): void => {
    event.preventDefault();
    this.#act(async () => {
      const whom = this.destination === "" ? { email: this.email.trim() } : { destination: this.destination };
      const wanted = { trigger: this.trigger, ...whom, ...(this.quiet ? { quiet: { from: minuteOf(this.from), to: minuteOf(this.to), zone: ownZone() } } : {}) };
      const rule = await withStepUp(() => api.makeAlert(wanted));
      return rule ? `${receiver(rule)} is told from now on. Send a test to see that it arrives.` : undefined;
    });
  };

  #test(rule: AlertRule): void {
    this.#act(async () => {
      await api.testAlert(rule.id);
      return `A test is on its way to ${receiver(rule)}.`;
    });
  }

  #remove(rule: AlertRule): void {
    this.#act(async () => {
      const sure = await confirmBox({ title: "Remove this alert?", words: `${receiver(rule)} is no longer told: ${words(rule.trigger)}.`, yes: "Remove", danger: true });
      const gone =
        sure &&
        (await withStepUp(async () => {
          await api.removeAlert(rule.id);
          return true;
        }));
      return gone ? "The alert is removed." : undefined;
    });
  }
}

function receiver(rule: AlertRule): string {
  return rule.email ?? rule.destination?.name ?? "";
}

customElements.define("hf-alerts", AlertsPage);
