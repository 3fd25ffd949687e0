/** A block of code: language, copy, wrap; long ones are folded; colours come when it is complete and the page is idle. */
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { View } from "../app/view";
import { highlighted } from "../markdown/highlight";
import "./copy";
import { icon } from "./icon";

const FOLD_LINES = 40;

export class CodeBlock extends View {
  @property({ attribute: false }) code = "";
  @property({ attribute: false }) language = "";
  @property({ attribute: false }) closed = false;
  @state() private colours: TemplateResult | string | undefined;
  @state() private wraps = false;
  @state() private open = false;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("code") || changed.has("language")) this.colours = undefined;
    if (this.closed && (changed.has("closed") || changed.has("code"))) this.#colour();
  }

  #colour(): void {
    const { code, language } = this;
    const later = globalThis.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 50));
    later(() => {
      void highlighted(code, language).then((colours) => {
        if (code === this.code) this.colours = colours;
      });
    });
  }

  protected override render(): TemplateResult {
    const lines = this.code.split("\n").length;
    const folds = this.closed && lines > FOLD_LINES;
    const name = this.language || "text";
    return html`<figure class="code ${folds && !this.open ? "folded" : ""}">
      <figcaption>
        <span class="code-language">${name}</span>
        <button type="button" class="icon-button" aria-label="Wrap long lines" title="Wrap long lines" aria-pressed=${this.wraps ? "true" : "false"} @click=${() => (this.wraps = !this.wraps)}>${icon("wrap-text", "s")}</button>
        <hf-copy .text=${this.code} label="Copy code"></hf-copy>
      </figcaption>
      <pre class=${this.wraps ? "wraps" : ""} tabindex="0" role="region" aria-label="Code, ${name}"><code>${this.colours ?? this.code}</code></pre>
      ${folds
        ? html`<button type="button" class="code-more" aria-expanded=${this.open ? "true" : "false"} @click=${() => (this.open = !this.open)}>${this.open ? "Show less" : `Show all ${lines} lines`}</button>`
        : nothing}
    </figure>`;
  }
}

customElements.define("hf-code", CodeBlock);
