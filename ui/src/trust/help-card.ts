/** What this person holds for others, and helping one who is locked out. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { ChannelError } from "../channel/messages";
import { confirmBox } from "../parts/confirm-box";
import { notice, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { FormPage } from "../pages/page";
import { approve, type Asked, postProblem, recovery, refuse } from "./recovery";

export class HelpCard extends FormPage {
  @state() private code: Record<string, string> = {};
  @state() private wrong: Record<string, string> = {};

  protected override render(): TemplateResult | typeof nothing {
    const now = recovery.value;
    if (!now) return nothing;
    const asked = now.asked.filter((each) => each.answer !== "stopped" && each.answer !== "refused");
    if (asked.length === 0 && now.held.length === 0 && !postProblem.value) return nothing;
    return html`<section class="card" aria-labelledby="help-title">
      <h2 id="help-title">You help others</h2>
      ${postProblem.value ? notice("warn", postProblem.value) : nothing} ${this.problem ? notice("error", this.problem) : nothing}
      ${asked.map((each) => this.#asked(each))}
      ${now.held.length > 0 ? html`<p class="muted">You hold a part of the recovery of ${now.held.map((each) => each.name).join(", ")}. It is in your vault; there is nothing that you need to keep.</p>` : nothing}
    </section>`;
  }

  #asked(asked: Asked): TemplateResult {
    const at = new Date(asked.releases_at);
    if (asked.answer === "released") return html`<div class="inset">${icon("circle-check", "s")} Your part has gone to ${asked.name}.</div>`;
    if (asked.answer === "approved")
      return html`<div class="inset">
        <p>${icon("clock", "s")} Your part goes to ${asked.name} ${at.getTime() <= Date.now() ? "in a moment" : html`after ${at.toLocaleString()}, as soon as your vault is open then`}.</p>
        <div class="row end"><button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.#refuse(asked)}>I have changed my mind</button></div>
      </div>`;
    const id = `code-${asked.id}`;
    const wrong = this.wrong[asked.id];
    return html`<form class="inset" @submit=${(event: SubmitEvent) => this.#submit(event, asked)}>
      <p><strong>${asked.name} asks for your part</strong>, to get back into a vault.</p>
      <p>Speak with ${asked.name}, by phone or face to face: not by mail or chat. Is it really them? Then type the digits that they read to you.</p>
      <div class="field">
        <label for=${id}>Digits of ${asked.name}</label>
        <input id=${id} inputmode="numeric" autocomplete="off" required placeholder="00000 00000 00000 00000 00000" .value=${this.code[asked.id] ?? ""} aria-invalid=${wrong ? "true" : nothing} aria-describedby=${wrong ? `${id}-error` : nothing} @input=${(event: InputEvent) => this.#typed(asked.id, (event.target as HTMLInputElement).value)}>
        ${wrong ? html`<p class="field-error" id="${id}-error">${icon("circle-alert", "s")}${wrong}</p>` : nothing}
      </div>
      ${submitButton("Help them", this.busy)}
      <div class="links"><button class="link" type="button" ?disabled=${this.busy} @click=${() => void this.#refuse(asked)}>It is not them: refuse</button></div>
    </form>`;
  }

  #typed(id: string, code: string): void {
    this.code = { ...this.code, [id]: code };
    this.wrong = { ...this.wrong, [id]: "" };
  }

  #submit(event: SubmitEvent, asked: Asked): void {
    event.preventDefault();
    void this.work(async () => {
      try {
        await approve(asked, this.code[asked.id] ?? "");
        announce("Thank you");
      } catch (error) {
        if (!(error instanceof ChannelError) || error.code !== "code_differs") throw error;
        this.wrong = { ...this.wrong, [asked.id]: error.message };
        announce(error.message);
      }
    });
  }

  async #refuse(asked: Asked): Promise<void> {
    if (!(await confirmBox({ title: `Refuse ${asked.name}?`, words: "Nothing of yours is released for this request, now or later.", yes: "Refuse", danger: true }))) return;
    await this.work(async () => {
      await refuse(asked);
      announce("Refused");
    });
  }
}

customElements.define("hf-help-card", HelpCard);
