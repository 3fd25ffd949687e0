/** That something is under way: what it is, and for how long already once that is worth saying. */
import { html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { View } from "../app/view";
import { icon } from "./icon";

/** What is done sooner is counted for nobody. */
const SHOWN_FROM_S = 2;

/** Counts the seconds since a moment, or since it came to stand there. */
export class Seconds extends View {
  /** By this browser's clock. */
  @property({ attribute: false }) since: number | undefined;
  /** From how many on they are shown. */
  @property({ attribute: false }) from = SHOWN_FROM_S;
  #came = Date.now();
  #timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#came = Date.now();
    this.#timer = setInterval(() => this.requestUpdate(), 1000);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
  }

  protected override render(): TemplateResult | typeof nothing {
    const seconds = Math.max(0, Math.floor((Date.now() - (this.since ?? this.#came)) / 1000));
    return seconds < this.from ? nothing : html`${seconds} s`;
  }
}

customElements.define("hf-seconds", Seconds);

/** From the first one on; a screen reader hears of them now and then, by what stands around them. */
export function seconds(since: number | undefined): TemplateResult {
  return html`<hf-seconds class="seconds" .since=${since} .from=${0}></hf-seconds>`;
}

/** A screen reader hears the words, and not each second. */
export function working(words: string, since?: number): TemplateResult {
  return html`${icon("loader-circle", "s")} ${words} <hf-seconds class="seconds" aria-hidden="true" .since=${since}></hf-seconds>`;
}
