/** Opening the vault: with a passkey, with the password, or with what is on paper and a new password. The start of the agent is shown meanwhile. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { NOT_SAVED, signOutAndSay } from "../app/leave";
import { link, lockReason, savedBeforeLock, slots, stillSignedIn, unlock, unlockSlot, connect } from "../app/link";
import { setSlot, typedSecret } from "../app/ways-in";
import { api } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { askPasskey, NO_PRF, passkeysHere, passkeySupport, type PasskeySupport } from "../channel/passkey";
import { ChannelError, type SlotInfo } from "../channel/messages";
import { looksLikeBackupKey } from "../channel/slot-secret";
import { confirmBox } from "../parts/confirm-box";
import { connectionLine } from "../parts/connection-line";
import { brand, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import "../parts/password-field";
import "../parts/strength";
import "../parts/typed-way";
import "../parts/new-password";
import "../parts/wait-time";
import { FormPage } from "./page";

type Way = "passkey" | "password" | "paper" | "contacts";

export class UnlockPage extends FormPage {
  /** None until the person has chosen: then the first that there is. */
  @state() private chosen: Way | undefined;
  @state() private support: PasskeySupport = "perhaps";
  @state() private secret = "";
  @state() private wrong = "";
  @state() private waitUntil = 0;
  @state() private newPassword = "";
  /** Another vault has sent something, which is at the relay until this one fetches it. */
  @state() private somethingWaits = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void passkeySupport().then((support) => (this.support = support));
    document.addEventListener("visibilitychange", this.#looked);
    this.#looked();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("visibilitychange", this.#looked);
  }

  readonly #looked = (): void => void this.#look();

  /**
   * Asks whether they are signed in still, and whether something waits, whenever somebody looks at this page. Without an answer nothing is said
   * of it: unlocking fetches it anyway.
   */
  async #look(): Promise<void> {
    if (document.visibilityState !== "visible") return;
    await stillSignedIn();
    if (!me()) return;
    try {
      this.somethingWaits = (await api.cell()).something_waits === true;
    } catch {
      // Then it is not known.
    }
  }

  #has(kind: SlotInfo["kind"]): boolean {
    return slots.value.some((slot) => slot.kind === kind);
  }

  #passkeys(): SlotInfo[] {
    return this.support === "no" ? [] : passkeysHere(slots.value);
  }

  /** A passkey first, when there is one and this browser can; not any more once somebody types. */
  #way(): Way {
    if (this.chosen) return this.chosen;
    if (this.#passkeys().length > 0 && this.secret === "") return "passkey";
    return this.#has("password") || slots.value.length === 0 ? "password" : "paper";
  }

  protected override render(): TemplateResult {
    const name = me()?.user.name ?? "";
    const way = this.#way();
    return html`<main class="page-card">
      ${brand()}
      <div class="page-icon">${icon("lock", "l")}</div>
      <h1>${way === "paper" ? this.#paperTitle() : way === "contacts" ? "Ask your contacts" : "Unlock your vault"}</h1>
      <div role="status">${savedBeforeLock.value ? nothing : notice("warn", NOT_SAVED)}</div>
      ${way === "contacts" ? nothing : html`<hf-recovery-banner></hf-recovery-banner>`}
      <div role="status">${this.somethingWaits ? notice("info", "Another agent has sent you something. Unlock to see what it is and to answer.") : nothing}</div>
      ${way === "contacts" ? this.#contacts() : way === "paper" ? this.#paper() : way === "passkey" ? this.#passkey(name) : this.#password(name)}
      ${connectionLine("You can type already.")}
    </main>`;
  }

  #contacts(): TemplateResult {
    void import("../trust/ask-contacts");
    return html`<hf-ask-contacts class="stack"></hf-ask-contacts>
      <div class="links">${this.#otherWays("contacts")}</div>`;
  }

  #paperTitle(): string {
    if (!this.#has("backup_key")) return "Use your recovery phrase";
    return this.#has("recovery_phrase") ? "Use your phrase or backup key" : "Use your backup key";
  }

  #passkey(name: string): TemplateResult {
    return html`<p class="lead">Hello ${name}. ${this.#reason()}</p>
      <form @submit=${this.#unlockWithPasskey}>
        ${this.problem ? notice("error", this.problem) : nothing}
        <hf-wait .until=${this.waitUntil} @over=${() => (this.waitUntil = 0)}></hf-wait>
        ${submitButton("Unlock with a passkey", this.busy, "Opening your vault…", this.waitUntil > Date.now())}
      </form>
      <div class="links">${this.#otherWays("passkey")}</div>`;
  }

  #otherWays(now: Way): TemplateResult {
    const paper = this.#has("backup_key") ? "Use another way: phrase or backup key" : "Forgotten it? Use your recovery phrase";
    return html`${now !== "passkey" && this.#passkeys().length > 0 ? html`<button class="link" type="button" @click=${() => this.#switch("passkey")}>Use a passkey</button>` : nothing}
      ${now !== "password" && this.#has("password") ? html`<button class="link" type="button" @click=${() => this.#switch("password")}>${now === "paper" ? "I know my password" : "Use your password"}</button>` : nothing}
      ${now !== "paper" ? html`<button class="link" type="button" @click=${() => this.#switch("paper")}>${paper}</button>` : nothing}
      ${now !== "contacts" && this.#has("social") ? html`<button class="link" type="button" @click=${() => this.#switch("contacts")}>Lost everything? Ask your contacts</button>` : nothing}
      <button class="link" type="button" @click=${() => void this.work(signOutAndSay)}>Sign out</button>`;
  }

  #reason(): string {
    if (lockReason.value === "idle") return "Locked because it was not used for a while. What you had typed is safe.";
    if (lockReason.value === "asked") return "Locked. Nothing can be read here until you unlock it; what you had typed is safe.";
    if (lockReason.value === "unusual") return "Locked because several of your services were called far more often than usual. Unlock to see which, and by whom: they stay paused until you let them go on.";
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
      <div class="links">${this.#otherWays("password")}</div>
      ${this.support === "no" && this.#has("passkey") ? html`<p class="hint">${NO_PRF}</p>` : nothing}
      ${this.support !== "no" && this.#has("passkey") && this.#passkeys().length === 0 ? html`<p class="hint">Your passkey belongs to another address of this server, so it cannot be used here.</p>` : nothing}`;
  }

  #paper(): TemplateResult {
    const label = !this.#has("backup_key") ? "Recovery phrase" : this.#has("recovery_phrase") ? "Recovery phrase or backup key" : "Backup key";
    return html`<p class="lead">Type what is on your paper, and choose a new password. The old one stops working.</p>
      <form @submit=${this.#recover}>
        <hf-typed-way .kind=${"recovery_phrase"} .field=${"phrase"} .label=${label} .value=${this.secret} .error=${this.wrong} @typed=${(event: CustomEvent<string>) => this.#typed(event.detail)}></hf-typed-way>
        <hf-new-password @chosen=${(event: CustomEvent<string>) => (this.newPassword = event.detail)}></hf-new-password>
        <hf-wait .until=${this.waitUntil} @over=${() => (this.waitUntil = 0)}></hf-wait>
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Open my vault", this.busy, "Opening your vault…", this.waitUntil > Date.now() || this.newPassword === "")}
      </form>
      <div class="links">${this.#otherWays("paper")}</div>
      <p class="hint">Nobody else can open your vault, also not the people who run this server. Without any of the ways into it, what is in it is lost.</p>`;
  }

  #switch(way: Way): void {
    this.chosen = way;
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
    if (error.code === "typed") this.wrong = error.message;
    else if (error.code === "wrong_secret") {
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

  #unlockWithPasskey = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      try {
        // Asked at once: browsers want the click that it comes from to be a moment ago.
        const { slot, secret } = await askPasskey(this.#passkeys());
        await unlockSlot(slot, secret);
      } catch (error) {
        this.#refused(error, "");
        this.problem = error instanceof ChannelError && error.code === "wrong_secret" ? "This passkey does not open this vault: it was removed, or what your vault told this browser was changed on the way." : this.wrong;
      }
    });
  };

  /** Several backup keys look alike: each is tried, and the wrong ones cost an attempt of their own slot alone. */
  async #openWithPaper(): Promise<void> {
    const kind = looksLikeBackupKey(this.secret) ? "backup_key" : "recovery_phrase";
    const secret = await typedSecret(kind, this.secret);
    if (kind === "recovery_phrase") return unlock(kind, secret);
    const keys = slots.peek().filter((slot) => slot.kind === kind);
    let wrong: unknown = new ChannelError("wrong_secret", "This vault has no backup key.");
    for (const slot of keys) {
      try {
        return await unlockSlot(slot, secret);
      } catch (error) {
        wrong = error;
        if (!(error instanceof ChannelError) || !["wrong_secret", "backoff"].includes(error.code)) throw error;
      }
    }
    throw wrong;
  }

  #recover = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const password = this.newPassword;
      try {
        await this.#openWithPaper();
      } catch (error) {
        this.#refused(error, "This does not open this vault.");
        return;
      }
      this.secret = "";
      try {
        await setSlot("password", password);
        announce("Your password is changed");
      } catch (error) {
        // The vault is open and this page is gone: say it where it is seen.
        await confirmBox({ title: "Your password is not changed", words: `Your vault is open, but the new password was not taken: ${sentence(error)} Set it under “Ways in” before you leave.`, yes: "OK", no: "Close" });
      }
    });
  };
}

customElements.define("hf-unlock", UnlockPage);
