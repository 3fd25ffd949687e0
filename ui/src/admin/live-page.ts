/** Base of the operator's pages: loads what it shows, again every few seconds while somebody looks, keeps the old when that fails, and says how old it is. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { isPresent } from "../app/presence";
import { View } from "../app/view";
import { notice, sentence } from "../parts/form";
import { session } from "./api";
import { span } from "./format";

/** Older than this is worth a word. */
const STALE_MS = 20_000;

export abstract class LivePage<T> extends View {
  @state() protected data: T | undefined;
  @state() protected problem = "";
  @state() protected now = Date.now();
  /** What an act answered, for the person. */
  @state() protected told = "";
  @state() protected toldBadly = false;
  protected every = 5000;
  #timer: ReturnType<typeof setInterval> | undefined;
  #tried = 0;
  #loaded = 0;

  protected abstract load(): Promise<T>;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.reload();
    this.#timer = setInterval(() => {
      // Of a page that nobody is at, the session ends in its time.
      if (document.hidden || !isPresent()) return;
      this.now = Date.now();
      if (this.now - this.#tried >= this.every) void this.reload();
    }, 1000);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
  }

  protected async reload(): Promise<void> {
    // One at a time: a slow answer is waited for.
    if (this.#tried === Number.POSITIVE_INFINITY) return;
    this.#tried = Number.POSITIVE_INFINITY;
    try {
      this.data = await this.load();
      this.#loaded = Date.now();
      this.problem = "";
    } catch (error) {
      if (session.peek() !== "none") this.problem = sentence(error);
    } finally {
      this.now = Date.now();
      this.#tried = this.now;
    }
  }

  /** Runs an act, tells what came of it, and looks again. */
  protected async act(what: () => Promise<string | undefined>): Promise<void> {
    this.told = "";
    try {
      this.told = (await what()) ?? "";
      this.toldBadly = false;
    } catch (error) {
      this.told = sentence(error);
      this.toldBadly = true;
    }
    await this.reload();
  }

  /** Tells what came of something that is done already, and looks again. */
  protected tell(words: string, badly: boolean): Promise<void> {
    this.told = words;
    this.toldBadly = badly;
    return this.reload();
  }

  /** The frame: title, what went wrong, how old the numbers are, and the content once there is some. */
  protected frame(title: unknown, content: (data: T) => unknown, seenAt?: (data: T) => { at: number; problem?: string | undefined }): TemplateResult {
    const { data } = this;
    return html`<div class="admin-page">
      <div class="admin-head"><h1>${title}</h1>${this.#age(data, seenAt)}</div>
      ${this.problem ? html`${notice("error", this.problem)}<p><button class="button" type="button" @click=${() => void this.reload()}>Try again</button></p>` : nothing}
      ${this.told ? html`<div role="status">${notice(this.toldBadly ? "error" : "ok", this.told)}</div>` : nothing}
      ${data === undefined ? (this.problem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`) : content(data)}
    </div>`;
  }

  #age(data: T | undefined, seenAt?: (data: T) => { at: number; problem?: string | undefined }): TemplateResult | typeof nothing {
    if (data === undefined) return nothing;
    const seen = seenAt?.(data);
    const age = Math.max(this.now - this.#loaded, seen?.problem ? this.now - seen.at : 0);
    if (age < STALE_MS && !this.problem && !seen?.problem) return nothing;
    return html`<p class="stale">Last data ${span(age)} ago.${seen?.problem ? ` ${seen.problem}` : ""}</p>`;
  }
}
