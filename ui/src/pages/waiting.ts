/** People who wait to be let in. For owners and admins. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type WaitingPerson } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { confirmBox } from "../parts/confirm-box";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { tabs } from "./people-tabs";
import { FormPage } from "./page";

export class WaitingPage extends FormPage {
  @state() private waiting: readonly WaitingPerson[] | undefined;
  @state() private loadProblem = "";
  @state() private done = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.waiting = (await api.waitingPeople()).waiting;
      this.loadProblem = "";
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      <h1>People</h1>
      ${tabs()}
      <p class="lead">They showed that the address is theirs. Whether they belong to ${me()?.tenant.name ?? ""} is yours to say; until then they can do nothing. Who may ask is set under <a href="/providers">Sign-in</a>.</p>
      ${this.loadProblem ? html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing} ${this.done ? notice("ok", this.done) : nothing}
      ${this.waiting ? this.#list(this.waiting) : this.loadProblem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`}
    </div>`;
  }

  #list(waiting: readonly WaitingPerson[]): TemplateResult {
    if (waiting.length === 0) return html`<p class="list-note">Nobody waits.</p>`;
    return html`<ul class="people" aria-label="People who wait">
      ${waiting.map(
        (each) => html`<li>
          <span class="avatar pending" aria-hidden="true">${icon("clock", "s")}</span>
          <span class="people-name"><strong>${each.name}</strong><span class="muted">${each.email}, since ${new Date(each.asked_at).toLocaleString()}${each.issuer ? `, with ${each.issuer}` : ""}</span></span>
          <span class="row">
            <button class="button small primary" type="button" ?disabled=${this.busy} aria-label="Let in ${each.name}" @click=${() => this.#answer(each, "approve")}>Let in</button>
            <button class="button small" type="button" ?disabled=${this.busy} aria-label="Refuse ${each.name}" @click=${() => this.#answer(each, "refuse")}>Refuse</button>
          </span>
        </li>`,
      )}
    </ul>`;
  }

  #answer(person: WaitingPerson, answer: "approve" | "refuse"): void {
    this.done = "";
    void this.work(async () => {
      const refuse = answer === "refuse";
      if (refuse && !(await confirmBox({ title: `Refuse ${person.name}?`, words: `${person.email} is told by mail. You are not asked about them again for 30 days; you can still invite them.`, yes: "Refuse", danger: true }))) return;
      await api.answerWaiting(person.id, answer);
      this.done = refuse ? `${person.name} is not let in, and is told by mail.` : `${person.name} is in now, as a member, and is told by mail.`;
      announce(this.done);
      await this.#load();
    });
  }
}

customElements.define("hf-waiting", WaitingPage);
