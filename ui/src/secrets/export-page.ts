/** Taking secrets out: sealed under a password of its own, or readable after a warning. Either needs a fresh proof, and is in the activity. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online, request } from "../app/link";
import { ProofDeclined, withProof } from "../app/proof";
import { saveFile } from "../backup/files";
import type { Bytes } from "../channel/bytes";
import { utf8 } from "../channel/bytes";
import { FormPage } from "../pages/page";
import { confirmBox } from "../parts/confirm-box";
import { notice, submitButton } from "../parts/form";
import "../parts/new-password";
import { type ExportedSecret, sealExport, toEnv, toJson } from "./export-format";
import { tabs } from "./tabs";

type Form = "sealed" | "json" | "env";

const FORMS: Record<Form, { name: string; words: string }> = {
  sealed: { name: "Encrypted, with a password for this file", words: "Only who knows the password can read it, here or at any other Holdfast. Without the password nobody can." },
  json: { name: "Readable, as JSON", words: "Everything in clear: for moving to another program." },
  env: { name: "Readable, as a .env file", words: "Names and values in clear, a line each: for programs that read their settings from such a file." },
};

/** All of them, part by part. */
async function values(form: Form): Promise<ExportedSecret[]> {
  const all: ExportedSecret[] = [];
  let after: string | null = null;
  do {
    const page: { secrets: ExportedSecret[]; next: string | null } = await request("secret.export", { form, after });
    all.push(...page.secrets);
    after = page.next;
  } while (after !== null);
  return all;
}

export class ExportPage extends FormPage {
  @state() private form: Form = "sealed";
  @state() private password = "";
  @state() private again = "";
  @state() private done = "";

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.password = "";
    this.again = "";
  }

  protected override render(): TemplateResult {
    const sealed = this.form === "sealed";
    const differs = sealed && this.again !== "" && this.again !== this.password;
    return html`<div class="page">
      ${tabs()}
      <h1>Export secrets</h1>
      <p class="lead">A file with the names and values of all your secrets. For a copy of everything, conversations too, make a <a href="/backup">backup</a>.</p>
      ${this.problem ? notice("error", this.problem) : nothing} ${this.done ? notice("ok", this.done) : nothing}
      <form @submit=${this.#submit}>
        <fieldset class="choices">
          <legend>What kind of file?</legend>
          ${Object.entries(FORMS).map(
            ([form, { name, words }]) => html`<label class="choice">
              <input type="radio" name="form" .checked=${form === this.form} @change=${() => (this.form = form as Form)}>
              <span><strong>${name}</strong><span class="hint">${words}</span></span>
            </label>`,
          )}
        </fieldset>
        ${sealed
          ? html`<hf-new-password .label=${"Password for this file"} @chosen=${(event: CustomEvent<string>) => (this.password = event.detail)}></hf-new-password>
              <hf-password .field=${"export-again"} .label=${"The same once more"} .autocomplete=${"new-password"} .value=${this.again} .error=${differs ? "That is not the same." : ""} @typed=${(event: CustomEvent<string>) => (this.again = event.detail)}></hf-password>
              <p class="hint">Not the password of your vault: whoever opens the file should not be able to open your vault with it.</p>`
          : notice("warn", "Whoever gets this file has all your secrets: it is not encrypted, and copies of it may stay in backups of your computer, in sync folders and in the bin. Delete it as soon as you can.")}
        ${submitButton("Export", this.busy, "Exporting…", !online.value || (sealed && (this.password === "" || this.again !== this.password)))}
      </form>
    </div>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      this.done = "";
      const { form, password } = this;
      if (form !== "sealed") {
        const sure = await confirmBox({ title: "Write all secrets in clear?", words: "Everyone who can read the file can use them. It is noted in your activity.", yes: "Write them in clear", danger: true });
        if (!sure) return;
      }
      let secrets: ExportedSecret[];
      try {
        secrets = await withProof(() => values(form));
      } catch (error) {
        if (error instanceof ProofDeclined) return;
        throw error;
      }
      const bytes: Bytes = form === "sealed" ? await sealExport(password, toJson(secrets)) : utf8(form === "json" ? toJson(secrets) : toEnv(secrets));
      const day = new Date().toISOString().slice(0, 10);
      saveFile(new Blob([bytes], { type: "application/octet-stream" }), form === "sealed" ? `holdfast-secrets-${day}.hfs` : form === "json" ? `holdfast-secrets-${day}.json` : `holdfast-secrets-${day}.env`);
      this.done = `${secrets.length === 1 ? "One secret was" : `${secrets.length.toLocaleString()} secrets were`} exported. Your browser keeps the file where it keeps downloads.`;
      announce(this.done);
    });
  };
}

customElements.define("hf-export", ExportPage);
