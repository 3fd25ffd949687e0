/** Opening the vault: with the password, or with the recovery phrase and a new password. The start of the agent is shown meanwhile. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { link, lockReason, setSlot, signOut, unlock, connect } from "../app/link";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { ChannelError } from "../channel/messages";
import { confirmBox } from "../parts/confirm-box";
import { brand, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import "../parts/password-field";
import "../parts/strength";
import "../parts/new-password";
import "../parts/wait-time";
import { FormPage } from "./page";

type Way = "password" | "phrase" | "new_password";

export class UnlockPage extends FormPage {
  @state() private way: Way = "password";
  @state() private secret = "";
  @state() private wrong = "";
  @state() private waitUntil = 0;
  @state() private newPassword = "";

  protected override render(): TemplateResult {
    const name = me()?.user.name ?? "";
    return html`<main class="page-card">
      ${brand()}
      <div class="page-icon">${icon("lock", "l")}</div>
      <h1>${this.way === "phrase" ? "Use your recovery phrase" : "Unlock your vault"}</h1>
      ${this.way === "phrase" ? this.#phrase() : this.#password(name)}
      ${this.#connection()}
    </main>`;
  }

  #reason(): string {
    if (lockReason.value === "idle") return "Locked because it was not used for a while. What you had typed is safe.";
    if (lockReason.value === "asked") return "Locked. Nothing can be read here until you unlock it; what you had typed is safe.";
    return "Nothing can be read here until you unlock it.";
  }

  #password(name: string): TemplateResult {
    return html`<p class="lead">Hello ${name}. ${this.#reason()}</p>
      <form @submit=${this.#unlock}>
        <input class="sr-only" type="text" name="username" autocomplete="username" .value=${me()?.user.email ?? ""} tabindex="-1" aria-hidden="true" readonly>
        <hf-password
          .field=${"vault-password"}
          .label=${"Vault password"}
          .value=${this.secret}
          .error=${this.wrong}
          .focusFirst=${true}
          @typed=${(event: CustomEvent<string>) => this.#typed(event.detail)}
        ></hf-password>
        <hf-wait .until=${this.waitUntil} @over=${() => (this.waitUntil = 0)}></hf-wait>
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Unlock", this.busy, "Opening your vault…", this.waitUntil > Date.now())}
      </form>
      <div class="links">
        <button class="link" type="button" @click=${() => this.#switch("phrase")}>Forgotten it? Use your recovery phrase</button>
        <button class="link" type="button" @click=${() => void this.work(signOut)}>Sign out</button>
      </div>`;
  }

  #phrase(): TemplateResult {
    return html`<p class="lead">Type the 12 words in their order, and choose a new password. The old one stops working.</p>
      <form @submit=${this.#recover}>
        <div class="field">
          <label for="phrase">Recovery phrase</label>
          <textarea
            id="phrase"
            rows="3"
            autocomplete="off"
            autocapitalize="none"
            spellcheck="false"
            required
            aria-invalid=${this.wrong ? "true" : nothing}
            aria-describedby=${this.wrong ? "phrase-error" : nothing}
            .value=${this.secret}
            @input=${(event: InputEvent) => this.#typed((event.target as HTMLTextAreaElement).value)}
          ></textarea>
          ${this.wrong ? html`<p class="field-error" id="phrase-error">${icon("circle-alert", "s")}${this.wrong}</p>` : nothing}
        </div>
        <hf-new-password @chosen=${(event: CustomEvent<string>) => (this.newPassword = event.detail)}></hf-new-password>
        <hf-wait .until=${this.waitUntil} @over=${() => (this.waitUntil = 0)}></hf-wait>
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Open with the phrase", this.busy, "Opening your vault…", this.waitUntil > Date.now() || this.newPassword === "")}
      </form>
      <div class="links">
        <button class="link" type="button" @click=${() => this.#switch("password")}>I know my password</button>
      </div>
      <p class="hint">Nobody else can open your vault, also not the people who run this server. Without password and phrase, what is in it is lost.</p>`;
  }

  #connection(): TemplateResult | typeof nothing {
    const now = link.value;
    if (now.at === "waiting") return html`<p class="connection-line">${icon("wifi-off", "s")} ${now.reason} <button class="link" type="button" @click=${() => void connect()}>Try now</button></p>`;
    if (now.at === "connecting") return html`<p class="connection-line" role="status">${icon("loader-circle", "s")} ${now.hint === "starting_keeper" ? "Starting your vault’s keeper…" : "Reaching your vault…"} You can type already.</p>`;
    return nothing;
  }

  #switch(way: Way): void {
    this.way = way;
    this.secret = "";
    this.wrong = "";
    this.problem = "";
  }

  #typed(value: string): void {
    this.secret = value;
    this.wrong = "";
    // The keeper starts while the person types.
    if (link.peek().at === "resting") void connect();
  }

  #refused(error: unknown, wrongWords: string): void {
    if (!(error instanceof ChannelError)) throw error;
    if (error.retryAfterMs !== undefined) this.waitUntil = Date.now() + error.retryAfterMs;
    if (error.code === "wrong_secret") {
      this.wrong = wrongWords;
      announce(wrongWords);
    } else if (error.code === "backoff") this.wrong = "Too many wrong tries, so the vault makes you wait.";
    else throw error;
  }

  #unlock = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      try {
        await unlock("password", this.secret);
        this.secret = "";
      } catch (error) {
        this.#refused(error, "That is not the password.");
      }
    });
  };

  #recover = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const { checkPhrase } = await import("../channel/phrase");
      const check = checkPhrase(this.secret);
      if (!check.ok) {
        this.wrong = check.problem;
        return;
      }
      const password = this.newPassword;
      try {
        await unlock("recovery_phrase", check.phrase);
      } catch (error) {
        this.#refused(error, "These words do not open this vault.");
        return;
      }
      this.secret = "";
      try {
        await setSlot("password", password);
        announce("Your password is changed");
      } catch (error) {
        // The vault is open and this page is gone: say it where it is seen.
        await confirmBox({ title: "Your password is not changed", words: `Your vault is open, but the new password was not taken: ${sentence(error)} Set it under “Me” before you leave.`, yes: "OK", no: "Close" });
      }
    });
  };
}

customElements.define("hf-unlock", UnlockPage);
