/** A text of Markdown that may still grow. */
import type { TemplateResult } from "lit";
import { html } from "lit";
import { property } from "lit/decorators.js";
import { View } from "../app/view";
import { BlockStream } from "../markdown/blocks";
import { renderBlocks } from "../markdown/render";

export class MarkdownText extends View {
  @property({ attribute: false }) text = "";
  @property({ attribute: false }) complete = true;
  readonly #stream = new BlockStream();

  protected override render(): TemplateResult {
    return html`${renderBlocks(this.#stream.update(this.text, this.complete), this.complete)}`;
  }
}

customElements.define("hf-markdown", MarkdownText);
