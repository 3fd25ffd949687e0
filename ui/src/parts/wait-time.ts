/** Counts down to a moment, and says so once it is over. */
import { html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { View } from "../app/view";
import { icon } from "./icon";

export class WaitTime extends View {
  @property({ attribute: false }) until = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has("until")) return;
    clearInterval(this.#timer);
    if (this.until > Date.now()) this.#timer = setInterval(this.#tick, 250);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
  }

  #tick = (): void => {
    this.requestUpdate();
    if (this.until > Date.now()) return;
    clearInterval(this.#timer);
    this.dispatchEvent(new CustomEvent("over"));
  };

  protected override render(): TemplateResult | typeof nothing {
    const left = Math.ceil((this.until - Date.now()) / 1000);
    if (left <= 0) return nothing;
    const words = left >= 90 ? `${Math.ceil(left / 60)} minutes` : `${left} ${left === 1 ? "second" : "seconds"}`;
    return html`<p class="wait">${icon("clock", "s")} You can try again in ${words}.</p>`;
  }
}

customElements.define("hf-wait", WaitTime);
