/** Passing on what somebody shares: to whom, no more than one may oneself, until when; and a sentence that reads it back. */
import { html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { notice, submitButton } from "../parts/form";
import { notOffered, offered } from "../trust/offered";
import { passOn, type Received } from "./shared";
import { DAY_MS, TermsForm } from "./terms-form";
import { dayField, type Kind, kindsWithin, pathOf, readBack, scopeOf, serviceOf } from "./words";

export class PassOnForm extends TermsForm {
  @property({ attribute: false }) received!: Received;

  protected get names(): string {
    return `pass-${this.received.id}`;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const { until, constraints } = this.received;
    this.day = dayField(Math.min(Date.now() + 7 * DAY_MS, until));
    this.most = constraints.max_calls === undefined ? "" : String(constraints.max_calls);
    this.kind = this.#kinds()[0] ?? "read";
  }

  protected override passOnWords(): string {
    return this.received.group ? "They choose to whom of this group. It is never more than this, it counts as yours, and it ends with theirs and with yours." : super.passOnWords();
  }

  #kinds(): readonly Kind[] {
    return kindsWithin(this.received.scope);
  }

  protected override render(): TemplateResult {
    const { until: latest, constraints, resource, id } = this.received;
    if (offered(this.known).length === 0) return html`${notOffered(this.known)}${notice("info", this.received.group ? "Nobody else in this group has opened a vault yet." : "Nobody else here has opened a vault yet.")}<div class="row end"><button class="button" type="button" @click=${() => this.done(false)}>Close</button></div>`;
    const [contact, until, most] = [this.contact(), this.until(latest), this.mostCalls(constraints.max_calls)];
    const ready = contact !== undefined && until !== undefined && (most !== undefined || (constraints.max_calls === undefined && this.most.trim() === ""));
    return html`<form class="inset" aria-label="Pass on" @submit=${this.#submit} data-share=${id}>
      ${notOffered(this.known)}
      ${this.received.group ? notice("info", "To people of this group alone. It ends when they or you are not in it any more.") : nothing}
      ${this.whom("To whom?")}
      ${this.kinds(this.#kinds(), () => false)}
      ${this.times(latest, "A day from today on, not after yours.", constraints.max_calls)}
      ${contact && ready && until !== undefined ? notice("info", readBack(contact.name, this.kind, serviceOf(resource), pathOf(resource), until, most, { passOn: this.passOn })) : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      <div class="row end">
        <button class="button" type="button" @click=${() => this.done(false)}>Cancel</button>
        ${submitButton("Pass it on", this.busy, "Passing it on…", !ready || !online.value)}
      </div>
    </form>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const { id, scope, until: latest, constraints } = this.received;
    const [until, most] = [this.until(latest), this.mostCalls(constraints.max_calls)];
    if (until === undefined) return;
    void this.work(async () => {
      const within = scopeOf(this.kind, { passOn: this.passOn }).filter((each) => scope.includes(each));
      await passOn({ id, with: this.with, scope: within, until, constraints: most === undefined ? constraints : { ...constraints, max_calls: most } });
      announce("Passed on");
      this.done(true);
    });
  };
}

customElements.define("hf-pass-on-form", PassOnForm);
