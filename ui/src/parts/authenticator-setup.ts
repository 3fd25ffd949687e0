/** Setting up an authenticator app: scan, confirm with a first code, keep the backup codes. Says `finished` when that is done. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { api, type NewAuthenticator } from "../api/http";
import { announce } from "../app/announcer";
import { FormPage } from "../pages/page";
import "./copy";
import { field, notice, submitButton } from "./form";
import { icon } from "./icon";
import { qrCode } from "./qr";
import { withStepUp } from "./step-up";
import { working } from "./working";

export class AuthenticatorSetup extends FormPage {
  @state() private begun: NewAuthenticator | undefined;
  @state() private code = "";
  /** Shown once. */
  @property({ attribute: false }) codes: string[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.codes.length === 0) void this.#begin();
  }

  async #begin(): Promise<void> {
    await this.work(async () => {
      this.begun = await withStepUp(() => api.beginAuthenticator());
      if (!this.begun) this.#finished();
    });
  }

  #finished(): void {
    this.dispatchEvent(new CustomEvent("finished"));
  }

  protected override render(): TemplateResult {
    if (this.codes.length > 0) return this.#backupCodes();
    if (!this.begun)
      return this.problem
        ? html`${notice("error", this.problem)}<button class="button wide" type="button" @click=${() => void this.#begin()}>Try again</button>`
        : html`<p class="lead" role="status">${working("One moment…")}</p>`;
    return this.#scan(this.begun);
  }

  #scan({ secret, uri }: NewAuthenticator): TemplateResult {
    return html`<div class="authenticator">
      <p>Scan this with an authenticator app on your phone, then type the code that it shows.</p>
      ${qrCode(uri, "The code to scan. Its text is below.")}
      <p class="hint">Cannot scan? Type this key into the app: <code class="key">${secret.match(/.{1,4}/g)?.join(" ")}</code><hf-copy .text=${secret} label="Copy the key"></hf-copy></p>
      <form @submit=${this.#confirm}>
        ${field({ id: "first-code", label: "Code from the app", value: this.code, autocomplete: "one-time-code", inputmode: "numeric", maxlength: 16, onInput: (value) => (this.code = value) })}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Confirm", this.busy)}
      </form>
    </div>`;
  }

  #confirm = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      this.codes = (await api.confirmAuthenticator(this.code.trim())).backup_codes;
      this.code = "";
      this.begun = undefined;
      announce("Your authenticator app is set up. Now keep the backup codes.");
    });
  };

  #backupCodes(): TemplateResult {
    return html`<div class="authenticator">
      <h2>Keep these backup codes</h2>
      <p>If you lose your phone, each of them signs you in once. They are shown only now.</p>
      <ul class="codes" aria-label="Backup codes">
        ${this.codes.map((code) => html`<li><code>${code}</code></li>`)}
      </ul>
      <div class="row">
        <button class="button" type="button" @click=${this.#download}>${icon("download", "s")} Save as a file</button>
        <hf-copy .text=${this.codes.join("\n")} label="Copy the backup codes"></hf-copy>
      </div>
      <button class="button primary wide" type="button" @click=${() => this.#finished()}>I have kept them</button>
    </div>`;
  }

  #download = (): void => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`Holdfast backup codes for ${location.host}\nEach works once.\n\n${this.codes.join("\n")}\n`], { type: "text/plain" }));
    link.download = "holdfast-backup-codes.txt";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
}

customElements.define("hf-authenticator-setup", AuthenticatorSetup);
