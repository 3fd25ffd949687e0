/** The ways into the vault: what there is, when it was used last, and adding, checking, renaming and removing them. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { phraseConfirmed, refreshStatus, request, slots } from "../app/link";
import { ProofDeclined } from "../app/proof";
import { addBackupKey, addPasskey, addWay, removeWay, renameWay } from "../app/ways-in";
import { NO_PRF, passkeySupport, type PasskeySupport } from "../channel/passkey";
import type { SlotInfo, SlotKind } from "../channel/messages";
import { askText, confirmBox } from "../parts/confirm-box";
import { thisDevice } from "../parts/device";
import { notice, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { kindSign, kindWords } from "../parts/slot-kind";
import "../parts/new-password";
import { FormPage } from "./page";

const NAME_CHARS = 100;

/** A day is enough of a time for what is looked at once a month. */
function day(at: number): string {
  const then = new Date(at);
  const today = new Date();
  if (then.toDateString() === today.toDateString()) return `today, ${then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
  return then.toLocaleDateString([], { day: "numeric", month: "long", year: "numeric" });
}

export class WaysInPage extends FormPage {
  @state() private changing = false;
  @state() private password = "";
  @state() private done = "";
  @state() private printed = "";
  @state() private printedName = "";
  @state() private code: TemplateResult | typeof nothing = nothing;
  @state() private support: PasskeySupport = "perhaps";

  override connectedCallback(): void {
    super.connectedCallback();
    void passkeySupport().then((support) => (this.support = support));
    void refreshStatus().catch(() => undefined);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.printed = "";
    this.code = nothing;
  }

  protected override render(): TemplateResult {
    if (this.printed) return this.#printPage();
    return html`<div class="page">
      <p><a class="link" href="/me">${icon("arrow-left", "s")} Me</a></p>
      <h1>Ways in</h1>
      <p class="lead">Each of these opens your vault by itself. Nobody else has any of them, also not the people who run this server. Keep at least two, in different places.</p>
      ${this.problem ? notice("error", this.problem) : nothing} ${this.done ? notice("ok", this.done) : nothing}
      ${slots.value.length === 1 ? notice("warn", "There is one way into your vault. If you lose it, what is in the vault is lost. Add another one.") : nothing}
      <ul class="card ways" aria-label="Ways into your vault">
        ${slots.value.map((slot) => this.#way(slot))}
      </ul>
      ${this.#add()}
    </div>`;
  }

  #way(slot: SlotInfo): TemplateResult {
    const unconfirmed = slot.kind === "recovery_phrase" && phraseConfirmed.value === false;
    const facts = [kindWords(slot.kind), slot.created === undefined ? "" : `made ${day(slot.created)}`, slot.last_used === undefined ? "not used yet" : `used ${day(slot.last_used)}`].filter(Boolean);
    return html`<li class="way">
      <span class="way-sign" aria-hidden="true">${icon(kindSign(slot.kind))}</span>
      <div class="way-words">
        <strong>${slot.name}</strong>${unconfirmed ? html` <span class="dot" role="img" aria-label="not confirmed"></span>` : nothing}<br>
        <span class="muted">${facts.join(" · ")}${unconfirmed ? " · you have not shown yet that you wrote it down" : ""}</span>
      </div>
      <div class="way-buttons">${this.#buttons(slot)}</div>
      ${slot.kind === "password" && this.changing ? this.#newPassword() : nothing}
    </li>`;
  }

  #buttons(slot: SlotInfo): TemplateResult {
    const only = slots.value.length === 1;
    const button = (words: string, action: () => void, disabled = false, expanded?: boolean) =>
      html`<button class="button small" type="button" aria-label="${words} “${slot.name}”" aria-expanded=${expanded === undefined ? nothing : String(expanded)} ?disabled=${this.busy || disabled} @click=${action}>${words}</button>`;
    return html`${slot.kind === "password" ? button("Change", () => (this.changing = !this.changing), false, this.changing) : nothing}
      ${slot.kind === "recovery_phrase" ? html`<a class="button small" href="/vault">Make a new one</a>` : nothing}
      ${slot.kind === "social" ? nothing : slot.kind === "password" ? nothing : button("Check", () => void this.#check(slot))}
      ${slot.kind === "passkey" || slot.kind === "backup_key" ? button("Rename", () => void this.#rename(slot)) : nothing}
      ${button("Remove", () => void this.#remove(slot), only)}`;
  }

  #newPassword(): TemplateResult {
    return html`<form class="inset way-form" @submit=${(event: SubmitEvent) => this.#setPassword(event, true)}>
      <hf-new-password .focusFirst=${true} @chosen=${(event: CustomEvent<string>) => (this.password = event.detail)}></hf-new-password>
      ${submitButton("Change password", this.busy, "Changing…", this.password === "")}
    </form>`;
  }

  #add(): TemplateResult {
    const has = (kind: SlotKind) => slots.value.some((slot) => slot.kind === kind);
    return html`<section class="card" aria-labelledby="add-title">
      <h2 id="add-title">Add a way in</h2>
      <div class="setting">
        <p><strong>Passkey</strong><br><span class="muted">${this.support === "no" ? NO_PRF : "Your face, finger or PIN on this device, on your phone, or a security key."}</span></p>
        <button class="button" type="button" ?disabled=${this.busy || this.support === "no"} @click=${() => void this.#addPasskey()}>Add a passkey</button>
      </div>
      <div class="setting">
        <p><strong>Printed backup key</strong><br><span class="muted">A page for the safe: a code to scan or to type.</span></p>
        <button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.#addBackupKey()}>Make a backup key</button>
      </div>
      ${has("recovery_phrase")
        ? nothing
        : html`<div class="setting">
            <p><strong>Recovery phrase</strong><br><span class="muted">12 words that you write down.</span></p>
            <a class="button" href="/vault">Make a phrase</a>
          </div>`}
      ${has("password")
        ? nothing
        : html`<div class="setting">
              <p><strong>Password</strong><br><span class="muted">One that you know by heart.</span></p>
              <button class="button" type="button" aria-expanded=${String(this.changing)} @click=${() => (this.changing = !this.changing)}>Choose a password</button>
            </div>
            ${this.changing
              ? html`<form class="inset" @submit=${(event: SubmitEvent) => this.#setPassword(event, false)}>
                  <hf-new-password .focusFirst=${true} @chosen=${(event: CustomEvent<string>) => (this.password = event.detail)}></hf-new-password>
                  ${submitButton("Add the password", this.busy, "Adding…", this.password === "")}
                </form>`
              : nothing}`}
    </section>`;
  }

  /** What is on paper afterwards: made for print, and gone from the page when it is left. */
  #printPage(): TemplateResult {
    const groups = this.printed.split("-");
    return html`<div class="page kit">
      <h1>Backup key “${this.printedName}”</h1>
      <p class="lead">This page opens the vault of ${me()?.user.email} on ${location.host}. Made ${new Date().toLocaleDateString()}. Keep it like a passport.</p>
      ${this.code}
      <div class="backup-key" role="group" aria-label="Backup key">${groups.map((group) => html`<span>${group}</span> `)}</div>
      <p>To use it: open ${location.host}, sign in, choose “Use another way” and type the key, or paste what a phone’s camera reads from the code. Upper and lower case and the spaces do not matter.</p>
      <p class="hint">The key is shown this once. Whoever has the page can open the vault; if it is lost or seen, remove it under “Ways in”.</p>
      <div class="row">
        <button class="button primary" type="button" @click=${() => print()}>${icon("printer", "s")} Print</button>
        <button class="button" type="button" @click=${this.#printedDone}>I have it on paper</button>
      </div>
    </div>`;
  }

  #printedDone = (): void => {
    this.printed = "";
    this.code = nothing;
    this.done = `The backup key “${this.printedName}” opens your vault from now on.`;
  };

  /** As `work`; closing a dialog is not a failure. */
  async #try(action: () => Promise<void>): Promise<void> {
    this.done = "";
    await this.work(async () => {
      try {
        await action();
      } catch (error) {
        if (!(error instanceof ProofDeclined)) throw error;
      }
    });
  }

  #say(words: string): void {
    this.done = words;
    announce(words);
  }

  async #addPasskey(): Promise<void> {
    const name = await askText("Add a passkey", "What shall it be called?", thisDevice(), NAME_CHARS);
    if (name === undefined) return;
    await this.#try(async () => {
      await addPasskey(me()?.user.email ?? "", name);
      this.#say(`The passkey “${name}” opens your vault from now on.`);
    });
  }

  async #addBackupKey(): Promise<void> {
    const name = await askText("Make a backup key", "Where will it be kept?", "In the safe", NAME_CHARS);
    if (name === undefined) return;
    await this.#try(async () => {
      const { qrCode } = await import("../parts/qr");
      this.printedName = name;
      const text = await addBackupKey(name);
      this.code = qrCode(text, "The same key as a QR code");
      this.printed = text;
      announce("The backup key is shown: print it now");
    });
  }

  #setPassword(event: SubmitEvent, replaces: boolean): void {
    event.preventDefault();
    void this.#try(async () => {
      await addWay({ kind: "password", secret: this.password });
      this.password = "";
      this.changing = false;
      this.#say(replaces ? "Your password is changed. The old one does not open your vault any more." : "Your password opens your vault from now on.");
    });
  }

  async #check(slot: SlotInfo): Promise<void> {
    const { askProof } = await import("../parts/proof-box");
    if (!(await askProof(slot))) return;
    await this.#try(async () => {
      if (slot.kind === "recovery_phrase") await request("slot.confirm_phrase", { slot: slot.id });
      await refreshStatus();
      this.#say(`“${slot.name}” is right: it opens your vault.`);
    });
  }

  async #rename(slot: SlotInfo): Promise<void> {
    const name = await askText(`Rename “${slot.name}”`, "Name", slot.name, NAME_CHARS);
    if (name === undefined || name === slot.name) return;
    await this.#try(async () => {
      await renameWay(slot, name);
      announce("Renamed");
    });
  }

  async #remove(slot: SlotInfo): Promise<void> {
    const words = slot.kind === "passkey" ? "It does not open your vault any more. Your device may keep the passkey in its list; you can delete it there." : "It does not open your vault any more, and whoever is connected through it has to leave.";
    if (!(await confirmBox({ title: `Remove “${slot.name}”?`, words, yes: "Remove", danger: true }))) return;
    await this.#try(async () => {
      await removeWay(slot);
      this.#say(`“${slot.name}” does not open your vault any more.`);
    });
  }
}

customElements.define("hf-ways-in", WaysInPage);
