/** Where one writes. Usable at all times while the vault is open; what is typed is kept as a draft of its conversation. */
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { View } from "../app/view";
import { icon } from "../parts/icon";
import { draftOf, draftsRead, setDraft } from "./drafts";
import { TOO_LONG, tooLong } from "./size";

export class Composer extends View {
  @property({ attribute: false }) conversation = "";
  @property({ attribute: false }) running = false;
  /** What a screen and its reader see in the empty field. */
  @property({ attribute: false }) placeholder = "Message your agent";
  @state() private text = "";
  #read = 0;

  protected override willUpdate(changed: PropertyValues<this>): void {
    const read = draftsRead.value;
    if (changed.has("conversation") || (read !== this.#read && this.text === "")) this.text = draftOf(this.conversation);
    this.#read = read;
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("text") || changed.has("conversation")) this.#grow();
  }

  override focus(): void {
    this.querySelector("textarea")?.focus({ preventScroll: true });
  }

  /** Puts text back, as after "Edit" on a message that was not sent. */
  put(text: string): void {
    this.text = this.text.trim() === "" ? text : `${this.text}\n\n${text}`;
    setDraft(this.conversation, this.text);
    void this.updateComplete.then(() => this.focus());
  }

  protected override render(): TemplateResult {
    const long = tooLong(this.text);
    return html`<form class="composer" @submit=${this.#submit}>
      ${long ? html`<p class="field-error" id="too-long">${icon("circle-alert", "s")} ${TOO_LONG}</p>` : nothing}
      <label class="sr-only" for="message">Message</label>
      <textarea
        id="message"
        rows="1"
        placeholder=${this.placeholder}
        autocomplete="off"
        enterkeyhint="send"
        aria-describedby=${long ? "too-long" : nothing}
        .value=${this.text}
        @input=${(event: InputEvent) => this.#typed((event.target as HTMLTextAreaElement).value)}
        @keydown=${this.#keys}
      ></textarea>
      <div class="composer-foot">
        <span class="hint keys">Enter sends · Shift+Enter makes a new line</span>
        ${this.running
          ? html`<button class="round stop" type="button" aria-label="Stop" title="Stop (Esc)" @click=${() => this.dispatchEvent(new CustomEvent("stop"))}>${icon("square", "s")}</button>`
          : nothing}
        ${!this.running || this.text.trim() !== ""
          ? html`<button class="round send" type="submit" aria-label=${this.running ? "Send when the answer is finished" : "Send"} title=${this.running ? "Send when the answer is finished" : "Send (Enter)"} ?disabled=${this.text.trim() === "" || long}>${icon("arrow-up", "s")}</button>`
          : nothing}
      </div>
    </form>`;
  }

  #typed(text: string): void {
    this.text = text;
    setDraft(this.conversation, text);
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    this.#send();
  };

  #send(): void {
    const text = this.text.trim();
    if (text === "" || tooLong(text)) return;
    this.dispatchEvent(new CustomEvent("send", { detail: text }));
    this.#typed("");
  }

  #keys = (event: KeyboardEvent): void => {
    // While an input method composes, its keys are its own.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.#send();
    } else if (event.key === "Escape" && this.running) {
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("stop"));
    } else if (event.key === "ArrowUp" && this.text === "") {
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("edit-last"));
    }
  };

  /** As tall as its text, up to a third of the window; a style property, because the CSP allows no style attribute. */
  #grow(): void {
    const area = this.querySelector("textarea");
    if (!area) return;
    area.style.setProperty("height", "auto");
    area.style.setProperty("height", `${Math.min(area.scrollHeight, innerHeight / 3)}px`);
  }
}

customElements.define("hf-composer", Composer);
