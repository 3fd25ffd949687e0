/** Where alerts and the audit log go besides mailboxes: listing, adding, testing, removing; on the audit page also what goes there. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { api, type Destination, type DestinationKind } from "../api/http";
import { announce } from "../app/announcer";
import { FormPage } from "../pages/page";
import { confirmBox } from "./confirm-box";
import "./copy";
import { DESTINATION_KINDS, destinationKind, lastSent, waitingWords } from "./destination-words";
import { field, notice, sentence, submitButton } from "./form";
import { icon } from "./icon";
import { withStepUp } from "./step-up";

/** The list is another one now. */
export class DestinationsChanged extends Event {
  static readonly type = "destinations-changed";
  constructor(readonly destinations: readonly Destination[]) {
    super(DestinationsChanged.type, { bubbles: true });
  }
}

export class Destinations extends FormPage {
  /** On the audit page: only what takes the log, and whether it gets it. */
  @property({ type: Boolean }) log = false;
  @state() private all: readonly Destination[] | undefined;
  @state() private loadProblem = "";
  @state() private done = "";
  @state() private warning = "";
  @state() private made: { name: string; secret: string } | undefined;
  @state() private kind: DestinationKind = "webhook";
  @state() private name = "";
  @state() private url = "";
  @state() private key = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.all = (await api.destinations()).destinations;
      this.loadProblem = "";
      this.dispatchEvent(new DestinationsChanged(this.all));
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<section class="card" aria-labelledby="destinations-title">
      <h2 id="destinations-title">${this.log ? "Send the log on as it happens" : "Where else alerts may go"}</h2>
      <p class="muted">${this.log ? "To a collector of your own: each event once at least, in order, from the moment you turn it on." : "To a chat, a pager, or a program of yours. Addresses and keys are kept encrypted, and nobody is shown them again."}</p>
      ${this.loadProblem ? html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing} ${this.warning ? notice("warn", this.warning) : nothing} ${this.done ? notice("ok", this.done) : nothing}
      ${this.made ? this.#secret(this.made) : nothing}
      ${this.all ? html`${this.#list(this.all.filter((each) => !this.log || takesLog(each)))} ${this.#add()}` : this.loadProblem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i></div>`}
    </section>`;
  }

  #secret(made: { name: string; secret: string }): TemplateResult {
    return html`<div class="inset stack" role="region" aria-labelledby="destination-secret-title">
      <h3 id="destination-secret-title" tabindex="-1">The secret of ${made.name}</h3>
      <p>Your program checks with it that what comes is from here. It is shown this once: copy it now.</p>
      <p class="row"><code class="break">${made.secret}</code><hf-copy .text=${made.secret} label="Copy the secret"></hf-copy></p>
      <button class="button" type="button" @click=${() => (this.made = undefined)}>I have copied it</button>
    </div>`;
  }

  #list(destinations: readonly Destination[]): TemplateResult {
    if (destinations.length === 0) return html`<p class="list-note">${this.log ? "The log is sent nowhere yet." : "Only to mailboxes yet."}</p>`;
    return html`<ul class="people" aria-label="Destinations">
      ${destinations.map(
        (each) => html`<li>
          <span class="avatar" aria-hidden="true">${icon("send", "s")}</span>
          <span class="people-name">
            <strong>${each.name}</strong>
            <span class="muted">${destinationKind(each.kind).name}, ${each.host}</span>
            <span class="muted">${lastSent(each)}${waitingWords(each) ? `; ${waitingWords(each)}` : ""}</span>
            ${each.last_problem ? html`<span class="field-error">${icon("circle-alert", "s")}<span>Not taken${each.last_failed_at === undefined ? "" : ` ${new Date(each.last_failed_at).toLocaleString()}`}: ${each.last_problem}</span></span>` : nothing}
            ${each.stream_stands ? html`<span class="field-error">${icon("circle-alert", "s")}<span>The log is no longer sent there. Nothing is lost: send a test, and once it arrives, it goes on from where it stopped.</span></span>` : nothing}
          </span>
          ${each.stream ? html`<span class="tag">Gets the log</span>` : nothing}
          ${this.log ? html`<button class="button small" type="button" ?disabled=${this.busy} aria-label=${each.stream ? `Stop sending the log to ${each.name}` : `Send the log to ${each.name}`} @click=${() => this.#stream(each)}>${each.stream ? "Stop sending" : "Send the log"}</button>` : nothing}
          <button class="button small" type="button" ?disabled=${this.busy} aria-label="Send a test to ${each.name}" @click=${() => this.#test(each)}>Send a test</button>
          <button class="button small" type="button" ?disabled=${this.busy} aria-label="Remove ${each.name}" @click=${() => this.#remove(each)}>Remove</button>
        </li>`,
      )}
    </ul>`;
  }

  #add(): TemplateResult {
    const words = destinationKind(this.kind);
    return html`<form @submit=${this.#make}>
      <div class="field">
        <label for="destination-kind">Add</label>
        <select id="destination-kind" @change=${(event: Event) => this.#choose((event.target as HTMLSelectElement).value as DestinationKind)}>
          ${DESTINATION_KINDS.filter((each) => !this.log || each.takesLog).map((each) => html`<option value=${each.kind} ?selected=${each.kind === this.kind}>${each.name}</option>`)}
        </select>
      </div>
      <p class="muted">${words.where}</p>
      ${field({ id: "destination-name", label: "Name", value: this.name, maxlength: 100, hint: "What you call it, such as “on call”.", onInput: (value) => (this.name = value) })}
      ${this.kind === "pagerduty" ? field({ id: "destination-key", label: "Integration key", type: "password", value: this.key, onInput: (value) => (this.key = value) }) : nothing}
      ${field({ id: "destination-url", label: words.label, value: this.url, placeholder: words.placeholder, required: this.kind !== "pagerduty", onInput: (value) => (this.url = value) })}
      ${submitButton("Add destination", this.busy)}
    </form>`;
  }

  #choose(kind: DestinationKind): void {
    this.kind = kind;
    this.url = "";
    this.key = "";
  }

  #act(action: () => Promise<string | undefined>): void {
    this.done = "";
    this.warning = "";
    void this.work(async () => {
      const said = await action();
      if (said !== undefined) {
        this.done = said;
        announce(said);
      }
      await this.#load();
    });
  }

  #make = (event: SubmitEvent): void => {
    event.preventDefault();
    this.#act(async () => {
      const wanted = { kind: this.kind, name: this.name.trim(), url: this.url.trim(), ...(this.kind === "pagerduty" ? { key: this.key.trim() } : {}) };
      const made = await withStepUp(() => api.addDestination(wanted));
      if (!made) return undefined;
      this.name = this.url = this.key = "";
      if (made.secret !== undefined) {
        this.made = { name: made.name, secret: made.secret };
        void this.updateComplete.then(() => this.querySelector<HTMLElement>("#destination-secret-title")?.focus());
      }
      return `${made.name} is added. Send a test to see that it arrives.`;
    });
  };

  #test(destination: Destination): void {
    this.#act(async () => {
      const { delivered, problem } = await api.testDestination(destination.id);
      if (delivered) return `${destination.name} has taken a test.`;
      this.warning = `${destination.name} did not take it: ${problem ?? ""}`.trim();
      announce(this.warning);
      return undefined;
    });
  }

  #stream(destination: Destination): void {
    this.#act(async () => {
      const on = !destination.stream;
      const words = `What is done from then on is in the log here alone. If you turn it on again, ${destination.name} does not get what was done meanwhile.`;
      if (!on && !(await confirmBox({ title: `Send the log to ${destination.name} no more?`, words, yes: "Stop sending" }))) return undefined;
      const changed = await withStepUp(async () => {
        await api.streamTo(destination.id, on);
        return true;
      });
      return changed ? (on ? `From now on the log goes to ${destination.name}, too.` : `The log goes to ${destination.name} no more.`) : undefined;
    });
  }

  #remove(destination: Destination): void {
    this.#act(async () => {
      const words = `Alerts that go there are removed with it${destination.stream ? ", and the log is no longer sent there" : ""}. What waits for it is not sent.`;
      if (!(await confirmBox({ title: `Remove ${destination.name}?`, words, yes: "Remove", danger: true }))) return undefined;
      const gone = await withStepUp(async () => {
        await api.removeDestination(destination.id);
        return true;
      });
      return gone ? `${destination.name} is removed.` : undefined;
    });
  }
}

function takesLog(destination: Destination): boolean {
  return destinationKind(destination.kind).takesLog === true;
}

customElements.define("hf-destinations", Destinations);
