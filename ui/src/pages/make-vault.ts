/** Making the vault, in steps that can be left and taken up again: password, recovery phrase, and then the model. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { signOutAndSay } from "../app/leave";
import { createVault, phraseConfirmed, refreshStatus, request, unlocked } from "../app/link";
import { setSlot } from "../app/ways-in";
import { go } from "../app/router";
import { modelConfigured } from "../app/model";
import { connectionLine } from "../parts/connection-line";
import { brand, notice, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { working } from "../parts/working";
import "../parts/new-password";
import { FormPage } from "./page";

export class MakeVaultPage extends FormPage {
  @state() private password = "";
  @state() private restores = false;
  @state() private words: readonly string[] = [];
  @state() private stage: "show" | "confirm" = "show";
  @state() private asked: readonly number[] = [];
  @state() private answers: Record<number, string> = {};
  #slot = "";

  protected override render(): TemplateResult {
    return html`<main class="page-card">
      ${brand()}
      <ol class="steps" aria-label="Steps">
        ${["Password", "Recovery phrase", "Model"].map((name, at) => {
          const now = unlocked.value ? 1 : 0;
          return html`<li class=${at < now ? "done" : at === now ? "now" : ""} aria-current=${at === now ? "step" : nothing}><span>${at < now ? icon("check", "s") : at + 1}</span>${name}</li>`;
        })}
      </ol>
      ${!unlocked.value ? this.#choosePassword() : this.stage === "show" ? this.#showPhrase() : this.#confirmPhrase()}
    </main>`;
  }

  #choosePassword(): TemplateResult {
    return html`<h1>Make your vault</h1>
      <p class="lead">Your vault holds your conversations, your agent’s memory and your keys. This password opens it. It never leaves this browser, so nobody can reset it for you.</p>
      <form @submit=${this.#create}>
        <input class="sr-only" type="text" name="username" autocomplete="username" .value=${me()?.user.email ?? ""} tabindex="-1" aria-hidden="true" readonly>
        <hf-new-password .label=${"Vault password"} .focusFirst=${true} @chosen=${(event: CustomEvent<string>) => (this.password = event.detail)}></hf-new-password>
        ${this.problem ? notice("error", this.problem) : nothing}
        <label class="check"><input type="checkbox" .checked=${this.restores} @change=${(event: Event) => (this.restores = (event.target as HTMLInputElement).checked)}> I have a backup file (.hfb) to restore</label>
        ${submitButton("Make my vault", this.busy, "Making your vault…", this.password === "")}
      </form>
      ${connectionLine("You can choose a password already.", "Preparing your vault’s place…")}
      <div class="links"><button class="link" type="button" @click=${() => void this.work(signOutAndSay)}>Sign out</button></div>`;
  }

  #create = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      await createVault(this.password);
      this.password = "";
      announce("Your vault is made");
      go(this.restores ? "/backup" : "/vault", { replace: true });
    });
  };

  #showPhrase(): TemplateResult {
    return html`<h1>Your recovery phrase</h1>
      <p class="lead">If you forget your password, these 12 words are the only other way in. Write them on paper and keep it where you keep important papers.</p>
      ${this.words.length === 0
        ? html`${phraseConfirmed.value ? notice("ok", "You have a confirmed recovery phrase. Making a new one ends the old one.") : nothing}
            ${this.problem ? notice("error", this.problem) : nothing}
            <button class="button primary wide" type="button" ?disabled=${this.busy} @click=${() => void this.#make()}>${this.busy ? working("Making the phrase…") : "Show my recovery phrase"}</button>
            <p class="hint">Make sure that nobody looks over your shoulder. The words are shown this once.</p>`
        : html`<ol class="phrase" aria-label="Recovery phrase">${this.words.map((word) => html`<li><span>${word}</span></li>`)}</ol>
            <div class="row">
              <button class="button" type="button" @click=${() => print()}>${icon("printer", "s")} Print</button>
              <button class="button" type="button" @click=${this.#save}>${icon("download", "s")} Save as a file</button>
            </div>
            <button class="button primary wide" type="button" @click=${this.#ask}>I have written them down</button>`}
      <div class="links"><button class="link" type="button" @click=${() => this.#next()}>${phraseConfirmed.value ? "Keep the one I have" : "Later (a red dot reminds you)"}</button></div>`;
  }

  #confirmPhrase(): TemplateResult {
    return html`<h1>Show that you have them</h1>
      <p class="lead">Look at your paper and type these two words.</p>
      <form @submit=${this.#confirm}>
        ${this.asked.map(
          (at) => html`<div class="field">
            <label for="word-${at}">Word ${at + 1}</label>
            <input id="word-${at}" autocomplete="off" autocapitalize="none" spellcheck="false" required .value=${this.answers[at] ?? ""} @input=${(event: InputEvent) => (this.answers = { ...this.answers, [at]: (event.target as HTMLInputElement).value })}>
          </div>`,
        )}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Confirm", this.busy)}
      </form>
      <div class="links">
        <button class="link" type="button" @click=${() => (this.stage = "show")}>Show the words again</button>
        <button class="link" type="button" @click=${() => this.#next()}>Later (a red dot reminds you)</button>
      </div>`;
  }

  async #make(): Promise<void> {
    await this.work(async () => {
      const { newPhrase } = await import("../channel/phrase");
      const phrase = newPhrase();
      this.#slot = await setSlot("recovery_phrase", phrase);
      this.words = phrase.split(" ");
    });
  }

  #save = (): void => {
    const text = `Holdfast recovery phrase\n${me()?.user.email ?? ""}\n${new Date().toISOString().slice(0, 10)}\n\n${this.words.map((word, at) => `${at + 1}. ${word}`).join("\n")}\n\nWhoever has these words can open your vault. Keep them on paper, not in a mailbox.\n`;
    const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    const anchor = document.createElement("a");
    anchor.href = url;
    anchor.download = "holdfast-recovery-phrase.txt";
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };

  #ask = (): void => {
    const first = crypto.getRandomValues(new Uint32Array(2));
    const one = (first[0] ?? 0) % 12;
    const two = (one + 1 + ((first[1] ?? 0) % 11)) % 12;
    this.asked = [one, two].sort((a, b) => a - b);
    this.answers = {};
    this.problem = "";
    this.stage = "confirm";
  };

  #confirm = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const wrong = this.asked.find((at) => (this.answers[at] ?? "").trim().toLowerCase() !== this.words[at]);
      if (wrong !== undefined) throw new Error(`Word ${wrong + 1} is not what was shown. Look at your paper again.`);
      await request("slot.confirm_phrase", { slot: this.#slot });
      await refreshStatus();
      announce("Recovery phrase confirmed");
      this.#next();
    });
  };

  #next(): void {
    this.words = [];
    this.answers = {};
    this.stage = "show";
    go(modelConfigured.peek() ? "/" : "/model", { replace: true });
  }
}

customElements.define("hf-make-vault", MakeVaultPage);
