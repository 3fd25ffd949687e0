/** A button that copies, and says that it did. */
import { html, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce, alertNow } from "../app/announcer";
import { View } from "../app/view";
import { icon } from "./icon";

export class CopyButton extends View {
  @property({ attribute: false }) text = "";
  @property() label = "Copy";
  @state() private done = false;

  protected override render(): TemplateResult {
    return html`<button type="button" class="icon-button" aria-label=${this.label} title=${this.label} @click=${this.#copy}>${icon(this.done ? "check" : "copy", "s")}</button>`;
  }

  #copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(this.text);
      this.done = true;
      announce("Copied");
      setTimeout(() => {
        this.done = false;
      }, 1500);
    } catch {
      alertNow("This browser did not allow copying.");
    }
  };
}

customElements.define("hf-copy", CopyButton);
