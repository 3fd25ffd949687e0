/** Downloading a backup of everything, and putting one in the place of what is here. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online, vault } from "../app/link";
import { ProofDeclined } from "../app/proof";
import { typedSecret } from "../app/ways-in";
import { ChannelError, type SlotInfo, type SlotKind } from "../channel/messages";
import { askPasskey, passkeysHere, passkeySupport } from "../channel/passkey";
import { confirmBox } from "../parts/confirm-box";
import { notice, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { kindWords } from "../parts/slot-kind";
import { working } from "../parts/working";
import "../parts/typed-way";
import { FormPage } from "../pages/page";
import { makeBackup, Restore, saveFile } from "./files";

const TYPABLE: SlotKind[] = ["password", "recovery_phrase", "backup_key"];

export class BackupPage extends FormPage {
  @state() private making: number | undefined;
  @state() private made = "";
  @state() private restore: Restore | undefined;
  @state() private fileName = "";
  @state() private chosen: SlotInfo | undefined;
  @state() private text = "";
  @state() private wrong = "";
  @state() private read: number | undefined;
  @state() private checked = false;
  @state() private passkeysWork = false;
  #stop: AbortController | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void passkeySupport().then((support) => (this.passkeysWork = support !== "no"));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.abort();
    this.text = "";
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      <p><a class="link" href="/me">${icon("arrow-left", "s")} Me</a></p>
      <h1>Backup</h1>
      <p class="lead">One encrypted file of your vault and everything that your agent keeps. It opens with your password, your recovery phrase or a printed backup key, on any installation of Holdfast; with a passkey only at the address that it was made for. Contacts cannot open it.</p>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.#download()} ${this.#restoreCard()}
    </div>`;
  }

  #download(): TemplateResult {
    const percent = Math.round((this.making ?? 0) * 100);
    return html`<section class="card" aria-labelledby="download-title">
      <h2 id="download-title">Download a backup</h2>
      <p>Your agent goes on meanwhile. Keep the file anywhere: whoever finds it still needs one of your ways in. Changing your password does not change files that you made before.</p>
      ${this.made ? notice("ok", this.made) : nothing}
      ${this.making === undefined
        ? html`<button class="button primary" type="button" ?disabled=${this.busy || !online.value} @click=${() => void this.#make()}>${icon("download", "s")} Download a backup</button>`
        : html`<div class="field"><label for="making">Making the backup, ${percent} %</label><progress id="making" max="100" .value=${percent}></progress></div>
            <button class="button" type="button" @click=${() => this.#stop?.abort()}>Stop</button>`}
    </section>`;
  }

  async #make(): Promise<void> {
    await this.work(async () => {
      this.made = "";
      this.making = 0;
      this.#stop = new AbortController();
      try {
        const file = await makeBackup((done) => (this.making = done), this.#stop.signal);
        saveFile(file, `holdfast-${new Date().toISOString().slice(0, 10)}.hfb`);
        this.made = `Your backup is made (${size(file.size)}). Your browser keeps it where it keeps downloads.`;
        announce("Your backup is made");
      } catch (error) {
        if (!(error instanceof ChannelError) || error.code !== "cancelled") throw error;
      } finally {
        this.making = undefined;
      }
    });
  }

  #restoreCard(): TemplateResult {
    return html`<section class="card" aria-labelledby="restore-title">
      <h2 id="restore-title">Restore a backup</h2>
      <p>Everything in this vault, and all files of your agent, are replaced by what is in the backup. Your ways into this vault stay. All of it is checked first: a file that was damaged or changed replaces nothing.</p>
      ${this.restore === undefined ? this.#chooseFile() : this.checked ? this.#confirm(this.restore) : this.#open(this.restore)}
    </section>`;
  }

  #chooseFile(): TemplateResult {
    return html`<div class="field">
      <label for="backup-file">Backup file (.hfb)</label>
      <input id="backup-file" type="file" accept=".hfb" ?disabled=${this.busy || !online.value} @change=${this.#chose}>
      ${this.busy && this.making === undefined ? html`<p class="hint" role="status">${working("Reading the file…")}</p>` : nothing}
    </div>`;
  }

  #chose = (event: Event): void => {
    const input = event.target as HTMLInputElement;
    const file = input.files?.[0];
    if (!file) return;
    void this.work(async () => {
      this.fileName = file.name;
      input.value = "";
      const restore = await Restore.begin(file);
      this.chosen = this.#usable(restore)[0];
      this.restore = restore;
    });
  };

  /** What can open it here: what is typed, and one passkey for all of this site, first. */
  #usable(restore: Restore): SlotInfo[] {
    const { slots } = restore.state;
    const passkeys = this.passkeysWork ? passkeysHere(slots).slice(0, 1) : [];
    return [...passkeys, ...TYPABLE.flatMap((kind) => slots.filter((slot) => slot.kind === kind))];
  }

  #open(restore: Restore): TemplateResult {
    const usable = this.#usable(restore);
    const slot = this.chosen;
    const elsewhere = restore.state.slots.some(({ kind }) => kind === "passkey") && !usable.some(({ kind }) => kind === "passkey");
    if (slot === undefined)
      return html`${notice("error", elsewhere ? "Only passkeys open this backup, and they work on the address that they were made for, in a browser that has them." : "This backup has no way in that can be used in a browser.")}<button class="button" type="button" @click=${() => this.#leave()}>Choose another file</button>`;
    const percent = Math.round((this.read ?? 0) * 100);
    return html`<p><strong>${this.fileName}</strong></p>
      <form @submit=${(event: SubmitEvent) => this.#submit(event, restore, slot)}>
        ${slot.kind === "passkey"
          ? html`<p>A passkey that opened the vault when the backup was made opens the backup.</p>${this.wrong ? notice("error", this.wrong) : nothing}`
          : html`<hf-typed-way .kind=${slot.kind} .field=${"backup-secret"} .label=${`${kindWords(slot.kind)} of the backup`} .value=${this.text} .error=${this.wrong} .focusFirst=${true} @typed=${(event: CustomEvent<string>) => this.#typed(event.detail)}></hf-typed-way>
              <p class="hint">As it was when the backup was made.</p>`}
        ${this.read === undefined ? nothing : html`<div class="field"><label for="reading">Checking the backup, ${percent} %</label><progress id="reading" max="100" .value=${percent}></progress></div>`}
        ${submitButton(slot.kind === "passkey" ? "Open with a passkey and check" : "Open and check", this.busy, "Opening and checking…")}
      </form>
      <div class="links">
        ${usable.filter((other) => other.id !== slot.id).map((other) => html`<button class="link" type="button" ?disabled=${this.busy} @click=${() => this.#choose(other)}>Use ${other.kind === "passkey" ? "a passkey" : `${kindWords(other.kind).toLocaleLowerCase()}${other.kind === "backup_key" ? ` “${other.name}”` : ""}`}</button>`)}
        <button class="link" type="button" ?disabled=${this.busy} @click=${() => this.#leave()}>Choose another file</button>
      </div>`;
  }

  #choose(slot: SlotInfo): void {
    this.chosen = slot;
    this.#typed("");
  }

  #typed(text: string): void {
    this.text = text;
    this.wrong = "";
  }

  #leave(): void {
    this.restore = undefined;
    this.checked = false;
    this.read = undefined;
    this.#typed("");
  }

  #submit(event: SubmitEvent, restore: Restore, slot: SlotInfo): void {
    event.preventDefault();
    void this.work(async () => {
      try {
        const used = slot.kind === "passkey" ? await askPasskey(passkeysHere(restore.state.slots)) : { slot, secret: await typedSecret(slot.kind, this.text) };
        await restore.open(used.slot, used.secret, (done) => (this.read = done));
        this.text = "";
        this.checked = true;
        announce("The backup is whole");
      } catch (error) {
        if (error instanceof ChannelError && (["typed", "wrong_secret"].includes(error.code) || error.code.startsWith("passkey_"))) {
          this.wrong = error.message;
          announce(error.message);
          return;
        }
        this.#leave();
        throw error;
      }
    });
  }

  #confirm(restore: Restore): TemplateResult {
    const { files, conversations } = restore.state;
    return html`${notice("ok", html`<strong>${this.fileName}</strong> is whole: ${conversations} ${conversations === 1 ? "conversation" : "conversations"}, ${files} ${files === 1 ? "file" : "files"} and folders.`)}
      <div class="row end">
        <button class="button" type="button" ?disabled=${this.busy} @click=${() => this.#leave()}>Cancel</button>
        <button class="button danger" type="button" ?disabled=${this.busy} @click=${() => void this.#apply(restore)}>${this.busy ? working("Restoring…") : "Replace everything with it"}</button>
      </div>`;
  }

  async #apply(restore: Restore): Promise<void> {
    const sure = await confirmBox({ title: "Replace everything?", words: "What is in this vault now and is not in the backup is gone. Afterwards your vault is locked: open it as you open it today.", yes: "Replace", danger: true });
    if (!sure) return;
    await this.work(async () => {
      try {
        await restore.apply();
      } catch (error) {
        if (error instanceof ProofDeclined) return;
        // The lock that ends a restore may have come before its answer.
        if (vault.peek() !== "locked") throw error;
      }
    });
  }
}

function size(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

customElements.define("hf-backup", BackupPage);
