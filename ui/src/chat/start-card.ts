/** How far the agent is while it starts: the phases, a running second counter and how long it usually takes. Never a bare spinner. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { cell, link, online, request } from "../app/link";
import { View } from "../app/view";
import type { CellEvent, CellPhase, Message } from "../channel/messages";
import { icon } from "../parts/icon";
import { seconds } from "../parts/working";
import { currentId, threadFor } from "./conversations";
import { enqueue } from "./outbox";
import { currentStart, usualStart } from "./starts";

const STEPS: { phases: CellPhase[]; words: string }[] = [
  { phases: ["opening_vault"], words: "Opening your vault" },
  { phases: ["restoring_home"], words: "Bringing back its memory" },
  { phases: ["starting_agent"], words: "Starting your agent" },
  { phases: ["warming_up"], words: "Warming up" },
];

export function starting(): boolean {
  const now = cell.value?.phase;
  return online.value && now !== undefined && (STEPS.some((step) => step.phases.includes(now)) || now === "failed");
}

/** The agent never got what this answers: it said nothing, did nothing, and was not there. */
function neverGiven(message: Message | undefined): Message | undefined {
  return message?.status === "failed" && message.error?.code === "agent_failed" && message.parts.length === 0 ? message : undefined;
}

export class StartCard extends View {
  @state() private usual: number | undefined;
  @state() private retrying = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #said = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#said = this.#seconds();
    this.#timer = setInterval(this.#tick, 1000);
    announce("Your agent is starting");
    void usualStart().then((usual) => (this.usual = usual));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
    if (cell.peek()?.phase === "ready") announce("Your agent is ready");
  }

  /** Since the start began, on whatever page; another look at this page does not begin again. */
  #seconds(): number {
    const now = Date.now();
    return Math.max(0, Math.floor((now - (currentStart.peek()?.began ?? now)) / 1000));
  }

  #tick = (): void => {
    const passed = this.#seconds();
    if (passed < this.#said) this.#said = passed;
    if (passed - this.#said >= 10 && cell.peek()?.phase !== "failed") {
      this.#said = passed;
      announce(`Still starting, ${passed} seconds`);
    }
  };

  protected override render(): TemplateResult {
    const now = cell.value;
    if (now?.phase === "failed") return this.#failed(now);
    const at = STEPS.findIndex((step) => now !== undefined && step.phases.includes(now.phase));
    return html`<section class="start-card" aria-label="Your agent is starting">
      <header>
        <strong>Waking your agent</strong>
        <span class="muted">${this.usual ? `usually ${Math.max(1, Math.round(this.usual / 1000))} s · ` : ""}${seconds(currentStart.value?.began)}</span>
      </header>
      <ol>
        <li class="done">${icon("check", "s")}<span>Started its keeper</span></li>
        ${STEPS.map(
          ({ words }, step) => html`<li class=${step < at ? "done" : step === at ? "now" : ""} aria-current=${step === at ? "step" : nothing}>
            ${step < at ? icon("check", "s") : step === at ? icon("loader-circle", "s") : html`<i class="step-dot" aria-hidden="true"></i>`}
            <span>${words}${step === at && now?.usual_ms ? html`<span class="muted"> · usually ${Math.max(1, Math.round(now.usual_ms / 1000))} s</span>` : nothing}</span>
          </li>`,
        )}
      </ol>
      ${now?.message ? html`<p>${now.message}</p>` : nothing}
      <p class="hint">You can write already: your message goes out as soon as your agent is ready.</p>
    </section>`;
  }

  #failed(now: CellEvent): TemplateResult {
    return html`<section class="start-card failed" role="alert">
      <header>${icon("circle-alert")}<strong>Your agent did not start</strong></header>
      <p>${now.message ?? "It gave no reason."}</p>
      <div class="row">
        <button class="button primary" type="button" ?disabled=${this.retrying} @click=${() => void this.#retry()}>${this.retrying ? "Trying…" : "Try again"}</button>
        <hf-copy .text=${JSON.stringify({ ...now, link: link.value.at })} label="Copy details"></hf-copy>
      </div>
      <p class="hint">Your messages are kept. If it keeps failing, tell the person who runs this server.</p>
    </section>`;
  }

  async #retry(): Promise<void> {
    this.retrying = true;
    try {
      await request("cell.start", {}, { answerMs: 120_000 });
      // Whoever waits for an answer that failed for want of an agent wants it still.
      const unanswered = neverGiven(threadFor(currentId()).state.peek().messages.at(-1));
      if (unanswered) await enqueue({ conversation: currentId(), op: "regenerate", message: unanswered.id, text: "" });
    } catch {
      // The event `cell` tells the reason.
    } finally {
      this.retrying = false;
    }
  }
}

customElements.define("hf-start-card", StartCard);
