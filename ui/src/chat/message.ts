/** One message, with what can be done with it. It renders only when the message itself is another object. */
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { View } from "../app/view";
import type { Message, Part } from "../channel/messages";
import { icon } from "../parts/icon";
import "../parts/copy";
import "../parts/markdown";
import { draftOf, draftsRead, editDraft, setDraft } from "./drafts";
import { TOO_LONG, tooLong } from "./size";
import { textOf } from "./thread";
import { toolRow } from "./tool-row";

function clock(at: number): string {
  return new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}

const ENDED: Partial<Record<Message["status"], string>> = {
  aborted: "You stopped this answer.",
  interrupted: "Your agent was interrupted here. Nothing was repeated by itself.",
};

export class MessageView extends View {
  @property({ attribute: false }) message!: Message;
  @property({ attribute: false }) conversation = "";
  /** It could still be lost. */
  @property({ attribute: false }) saving = false;
  /** Why it could not be saved so far. */
  @property({ attribute: false }) notSaved: string | undefined;
  /** May be edited or answered again: nothing runs, and the connection stands. */
  @property({ attribute: false }) idle = false;
  @property({ attribute: false }) last = false;
  /** What stands in the editor, which is open while this is a text; kept as drafts are. */
  @state() private editing: string | undefined;
  #draft = "";
  #read = -1;

  /** An edit that was begun before a reload, a lock or a look at another conversation goes on. */
  protected override willUpdate(changed: PropertyValues<this>): void {
    const read = draftsRead.value;
    if (!changed.has("message") && !changed.has("conversation") && read === this.#read) return;
    this.#read = read;
    const draft = this.message.role === "user" ? editDraft(this.conversation, this.message.id) : "";
    if (draft !== this.#draft) this.editing = undefined;
    this.#draft = draft;
    if (draft !== "") this.editing ??= draftOf(draft) || undefined;
  }

  protected override render(): TemplateResult {
    const { message } = this;
    const who = message.role === "user" ? "You" : "Agent";
    return html`<article class="message ${message.role} ${message.status}" aria-label="${who}, ${clock(message.at)}">
      ${message.role === "user" ? this.#user() : this.#assistant()}
      <footer class="message-foot">
        ${message.status === "running" ? nothing : this.#actions()}
        <time datetime=${new Date(message.at).toISOString()}>${clock(message.at)}</time>
        ${this.saving && this.notSaved === undefined ? html`<span class="muted">Saving…</span>` : nothing}
      </footer>
      ${this.saving && this.notSaved !== undefined ? html`<div class="notice notice-warn">${icon("triangle-alert")}<div>${this.notSaved}</div></div>` : nothing}
    </article>`;
  }

  #user(): TemplateResult {
    if (this.editing !== undefined) return this.#editor(this.editing);
    const { error } = this.message;
    return error ? html`<div class="bubble quiet">${error.message}</div>` : html`<div class="bubble">${textOf(this.message)}</div>`;
  }

  #assistant(): TemplateResult {
    const { message } = this;
    const parts = message.parts.filter((part) => part.type !== "text" || part.text !== "");
    return html`<div class="answer">
      ${parts.map((part, at) => this.#part(part, message.status !== "running" || at < parts.length - 1))}
      ${ENDED[message.status] ? html`<p class="ended">${icon("square", "s")} ${message.error?.message ?? ENDED[message.status]}</p>` : nothing}
      ${message.status === "done" && message.error ? html`<p class="ended">${message.error.message}</p>` : nothing}
      ${message.status === "failed"
        ? html`<div class="notice notice-error">${icon("circle-alert")}<div><strong>The answer failed.</strong> ${message.error?.message ?? ""}${message.error ? html`<details><summary>Details</summary><code>${message.error.code}</code></details>` : nothing}</div></div>`
        : nothing}
    </div>`;
  }

  #part(part: Part, complete: boolean): TemplateResult {
    return part.type === "text" ? html`<hf-markdown .text=${part.text} .complete=${complete}></hf-markdown>` : toolRow(part);
  }

  #actions(): TemplateResult {
    const text = textOf(this.message);
    const again = this.message.role === "assistant" && this.last;
    return html`<span class="message-actions">
      ${text ? html`<hf-copy .text=${text} label="Copy message"></hf-copy>` : nothing}
      ${this.message.role === "user" && this.idle
        ? html`<button type="button" class="icon-button" aria-label="Edit and send again" title="Edit and send again" @click=${() => this.edit()}>${icon("pencil", "s")}</button>`
        : nothing}
      ${again && this.idle
        ? html`<button type="button" class="icon-button" aria-label="Answer again" title="Answer again" @click=${() => this.#emit("again")}>${icon("refresh-cw", "s")}</button>`
        : nothing}
    </span>`;
  }

  /** Opens the editor of one's own message. */
  edit(): void {
    this.editing ??= textOf(this.message);
    void this.updateComplete.then(() => {
      const area = this.querySelector("textarea");
      area?.focus();
      area?.setSelectionRange(area.value.length, area.value.length);
    });
  }

  #typed(text: string): void {
    this.editing = text;
    setDraft(this.#draft, text);
  }

  #close(): void {
    this.editing = undefined;
    setDraft(this.#draft, "");
  }

  #editor(text: string): TemplateResult {
    const long = tooLong(text);
    return html`<form
      class="edit"
      @submit=${(event: SubmitEvent) => {
        event.preventDefault();
        this.#send();
      }}
    >
      <textarea
        aria-label="Edit your message"
        aria-describedby=${long ? "edit-too-long" : nothing}
        rows=${Math.min(12, text.split("\n").length + 1)}
        .value=${text}
        @input=${(event: InputEvent) => this.#typed((event.target as HTMLTextAreaElement).value)}
        @keydown=${this.#keys}
      ></textarea>
      ${long ? html`<p class="field-error" id="edit-too-long">${icon("circle-alert", "s")} ${TOO_LONG}</p>` : nothing}
      <p class="hint">Everything after this message is replaced.</p>
      <div class="row end">
        <button class="button small" type="button" @click=${() => this.#close()}>Cancel</button>
        <button class="button small primary" type="submit" ?disabled=${text.trim() === "" || long}>Send again</button>
      </div>
    </form>`;
  }

  #keys = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      this.#close();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#send();
    }
  };

  #send(): void {
    const text = this.editing?.trim();
    if (!text || tooLong(text)) return;
    this.#close();
    this.#emit("edited", text);
  }

  #emit(name: "again" | "edited", text?: string): void {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: { message: this.message, text } }));
  }
}

customElements.define("hf-message", MessageView);
