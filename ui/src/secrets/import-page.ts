/** Bringing secrets in from a file: it is read in this page, shown first, and what is chosen goes into the vault. The file goes nowhere. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { request } from "../app/link";
import type { Bytes } from "../channel/bytes";
import { ChannelError, type SecretInput } from "../channel/messages";
import { FormPage } from "../pages/page";
import { notice, submitButton } from "../parts/form";
import "../parts/password-field";
import { isSealedExport, openExport } from "./export-format";
import { readBitwarden } from "./import-bitwarden";
import { readEnv } from "./import-env";
import { isHoldfast, readHoldfast } from "./import-holdfast";
import { readOnePassword } from "./import-one-password";
import { type Found, IMPORT_BYTES, ImportError, type Json } from "./import-types";
import { KINDS, loadSecrets } from "./secrets";
import { tabs } from "./tabs";

/** What one message may hold, with room to spare for what surrounds it. */
const BATCH_BYTES = 256 * 1024;
const BATCH = 500;

function readJson(words: string): Found {
  let root: Json;
  try {
    root = JSON.parse(words) as Json;
  } catch {
    throw new ImportError("This is no JSON file.");
  }
  return isHoldfast(root) ? readHoldfast(root) : readBitwarden(words);
}

function read(bytes: Bytes): Promise<Found> | Found {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return readOnePassword(bytes);
  let words: string;
  try {
    words = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ImportError("This is neither a text nor an archive that can be read here.");
  }
  return words.trimStart().startsWith("{") ? readJson(words) : readEnv(words);
}

function batches(secrets: readonly SecretInput[]): SecretInput[][] {
  const out: SecretInput[][] = [];
  let now: SecretInput[] = [];
  let bytes = 0;
  for (const secret of secrets) {
    const size = JSON.stringify(secret).length * 3;
    if (now.length >= BATCH || (now.length > 0 && bytes + size > BATCH_BYTES)) {
      out.push(now);
      [now, bytes] = [[], 0];
    }
    now.push(secret);
    bytes += size;
  }
  if (now.length > 0) out.push(now);
  return out;
}

export class ImportPage extends FormPage {
  @state() private found: Found | undefined;
  @state() private chosen = new Set<SecretInput>();
  @state() private done = "";
  /** An export of ours that waits for its password. */
  @state() private sealed: Uint8Array | undefined;
  @state() private password = "";
  @state() private wrong = "";

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.found = undefined;
    this.chosen = new Set();
    this.#leave();
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      ${tabs()}
      <h1>Bring secrets in</h1>
      <p class="lead">From a <code>.env</code> file, an unencrypted JSON export of Bitwarden, a <code>.1pux</code> export of 1Password, or what was exported here. The file is read in this page; you choose what goes into your vault.</p>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.done ? notice("ok", html`${this.done} <a href="/secrets">Look at them</a>. Your agent may do nothing with them until you say so. Delete the file now: everything in it is readable.`) : nothing}
      ${this.found ? this.#preview(this.found) : this.sealed ? this.#ask(this.sealed) : html`<div class="field"><label for="import-file">File</label><input id="import-file" type="file" accept=".env,.json,.1pux,.txt,.hfs,text/plain" ?disabled=${this.busy} @change=${this.#pick}></div>`}
    </div>`;
  }

  #pick = (event: Event): void => {
    const file = (event.target as HTMLInputElement).files?.[0];
    if (!file) return;
    void this.work(async () => {
      this.done = "";
      if (file.size > IMPORT_BYTES) throw new ImportError("The file is larger than 16 MiB.");
      const bytes = new Uint8Array(await file.arrayBuffer());
      if (isSealedExport(bytes)) this.sealed = bytes;
      else this.#show(await read(bytes));
    });
  };

  #show(found: Found): void {
    this.found = found;
    this.chosen = new Set(found.secrets);
    announce(`${found.secrets.length} secrets found`);
  }

  #leave(): void {
    this.sealed = undefined;
    this.password = "";
    this.wrong = "";
  }

  #ask(sealed: Uint8Array): TemplateResult {
    return html`<form @submit=${(event: SubmitEvent) => this.#open(event, sealed)}>
      <hf-password .field=${"export-password"} .label=${"Password of the file"} .autocomplete=${"off"} .value=${this.password} .error=${this.wrong} .focusFirst=${true} @typed=${(event: CustomEvent<string>) => ([this.password, this.wrong] = [event.detail, ""])}></hf-password>
      <p class="hint">The one that was typed when the file was made.</p>
      <div class="row end">
        <button class="button" type="button" ?disabled=${this.busy} @click=${() => this.#leave()}>Cancel</button>
        ${submitButton("Open the file", this.busy, "Opening…", this.password === "")}
      </div>
    </form>`;
  }

  #open(event: SubmitEvent, sealed: Uint8Array): void {
    event.preventDefault();
    void this.work(async () => {
      try {
        const found = readJson(await openExport(this.password, sealed));
        this.#leave();
        this.#show(found);
      } catch (error) {
        if (!(error instanceof ChannelError) || error.code !== "wrong_secret") throw error;
        this.wrong = error.message;
        announce(error.message);
      }
    });
  }

  #preview(found: Found): TemplateResult {
    const all = found.secrets.length;
    return html`<form @submit=${this.#save}>
      <p>Found in ${found.from}: <strong>${all === 1 ? "one secret" : `${all.toLocaleString()} secrets`}</strong>. Values are not shown.</p>
      ${all > 1
        ? html`<div class="row">
            <button class="button small" type="button" @click=${() => (this.chosen = new Set(found.secrets))}>Choose all</button>
            <button class="button small" type="button" @click=${() => (this.chosen = new Set())}>Choose none</button>
          </div>`
        : nothing}
      <ul class="rows import-rows">
        ${found.secrets.map(
          (each) => html`<li><label class="check"><input type="checkbox" .checked=${this.chosen.has(each)} @change=${() => this.#toggle(each)}> <span><strong>${each.name}</strong><span class="hint">${[KINDS[each.kind], each.username, each.url].filter(Boolean).join(" · ")}</span></span></label></li>`,
        )}
      </ul>
      ${found.left.length > 0 ? html`<details><summary>Left out: ${found.left.length}</summary><ul class="log">${found.left.map((words) => html`<li>${words}</li>`)}</ul></details>` : nothing}
      <div class="row end">
        <button class="button" type="button" ?disabled=${this.busy} @click=${() => (this.found = undefined)}>Cancel</button>
        ${submitButton(`Add ${this.chosen.size.toLocaleString()} to my vault`, this.busy, "Adding…", this.chosen.size === 0)}
      </div>
    </form>`;
  }

  #toggle(each: SecretInput): void {
    const chosen = new Set(this.chosen);
    if (!chosen.delete(each)) chosen.add(each);
    this.chosen = chosen;
  }

  #save = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const { found } = this;
      if (!found) return;
      const wanted = found.secrets.filter((each) => this.chosen.has(each));
      let added = 0;
      for (const batch of batches(wanted)) {
        await request("secret.add", { secrets: batch, from: found.from });
        added += batch.length;
        // Should the next batch fail, what is in the vault is not added again.
        this.found = { ...found, secrets: wanted.slice(added) };
      }
      this.found = undefined;
      this.done = `${added === 1 ? "One secret is" : `${added.toLocaleString()} secrets are`} in your vault.`;
      announce(this.done);
      await loadSecrets();
    });
  };
}

customElements.define("hf-import", ImportPage);
