/** One's passkeys for signing in: adding, naming, removing. Says `changed`, with backup codes where some were made. */
import { html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { api, type Factors, Problem } from "../api/http";
import { makePasskey, passkeysHere } from "../api/passkey";
import { instance, loadInstance } from "../app/account";
import { FormPage } from "../pages/page";
import { askText, confirmBox } from "./confirm-box";
import { thisDevice } from "./device";
import { notice } from "./form";
import { withStepUp } from "./step-up";

const NAME_CHARS = 100;

export interface PasskeysChanged {
  words: string;
  codes: string[];
}

export class PasskeyList extends FormPage {
  @property({ attribute: false }) factors: Factors | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void loadInstance();
  }

  protected override render(): TemplateResult {
    const all = this.factors?.passkeys ?? [];
    const here = passkeysHere(instance.value?.passkey_site);
    const last = all.length === 1 && this.factors?.authenticator === false && this.factors.required;
    return html`<div class="setting">
        <p>
          <strong>Passkeys</strong><br>
          <span class="muted">${here ? "Your face, finger or PIN on this device or your phone, in place of the mail and the code. They sign you in; your vault stays closed." : "This page’s address has no passkeys: they need a name and HTTPS, and a browser that has them."}</span>
        </p>
        <button class="button" type="button" ?disabled=${this.busy || !here} @click=${this.#add}>Add a passkey</button>
      </div>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${all.length > 0
        ? html`<ul class="ways inset" aria-label="Passkeys for signing in">
            ${all.map(
              (each) => html`<li class="way way-plain">
                <div class="way-words"><strong>${each.name}</strong><br><span class="muted">made ${day(each.created_at)} · ${each.last_used_at === undefined ? "not used yet" : `used ${day(each.last_used_at)}`}</span></div>
                <div class="way-buttons">
                  <button class="button small" type="button" aria-label="Rename the passkey ${each.name}" ?disabled=${this.busy} @click=${() => this.#rename(each.id, each.name)}>Rename</button>
                  <button class="button small" type="button" aria-label="Remove the passkey ${each.name}" ?disabled=${this.busy || last} @click=${() => this.#remove(each.id, each.name)}>Remove</button>
                </div>
              </li>`,
            )}
          </ul>`
        : nothing}`;
  }

  #changed(words: string, codes: string[] = []): void {
    this.dispatchEvent(new CustomEvent<PasskeysChanged>("changed", { detail: { words, codes } }));
  }

  #act(action: () => Promise<void>): void {
    void this.work(async () => {
      try {
        await action();
      } catch (error) {
        // Closing the browser's own dialog is not a failure.
        if (!(error instanceof Problem && error.code === "passkey_cancelled")) throw error;
      }
    });
  }

  #add = (): void => {
    this.#act(async () => {
      const name = await askText("Add a passkey", "What shall it be called?", thisDevice(), NAME_CHARS);
      if (name === undefined) return;
      const made = await withStepUp(async () => api.addPasskey({ name, ...(await makePasskey()) }));
      if (made) this.#changed(`The passkey “${name}” signs you in from now on.`, made.backup_codes);
    });
  };

  #rename(id: string, before: string): void {
    this.#act(async () => {
      const name = await askText(`Rename “${before}”`, "Name", before, NAME_CHARS);
      if (name === undefined || name === before) return;
      await api.renamePasskey(id, name);
      this.#changed(`The passkey is called “${name}” now.`);
    });
  }

  #remove(id: string, name: string): void {
    this.#act(async () => {
      const words = "It does not sign you in any more. Your device may keep it in its list; you can delete it there.";
      if (!(await confirmBox({ title: `Remove “${name}”?`, words, yes: "Remove", danger: true }))) return;
      const gone = await withStepUp(async () => {
        await api.removePasskey(id);
        return true;
      });
      if (gone) this.#changed(`The passkey “${name}” is removed.`);
    });
  }
}

function day(at: number): string {
  return new Date(at).toLocaleDateString();
}

customElements.define("hf-passkeys", PasskeyList);
