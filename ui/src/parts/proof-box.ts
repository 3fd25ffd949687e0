/** A dialog in which a person shows that it is them, with any way into the vault; or checks one of them. */
import { html, nothing, render, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { slots } from "../app/link";
import { prove, typedSecret } from "../app/ways-in";
import { askPasskey, passkeysHere, passkeySupport } from "../channel/passkey";
import { ChannelError, type SlotInfo, type SlotKind } from "../channel/messages";
import { FormPage } from "../pages/page";
import { notice, submitButton } from "./form";
import { kindWords } from "./slot-kind";
import "./typed-way";
import "./wait-time";

const ORDER: SlotKind[] = ["password", "recovery_phrase", "backup_key"];

export class ProofBox extends FormPage {
  /** Only this one: it is to be checked. */
  @property({ attribute: false }) only: SlotInfo | undefined;
  @state() private chosen: SlotInfo | undefined;
  @state() private passkeysWork = false;
  @state() private text = "";
  @state() private wrong = "";
  @state() private waitUntil = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.chosen = this.only;
    void passkeySupport().then((support) => {
      this.passkeysWork = support !== "no";
      this.chosen ??= (this.#passkeys()[0] ?? this.#typable()[0]);
    });
  }

  #passkeys(): SlotInfo[] {
    return this.passkeysWork ? passkeysHere(slots.value) : [];
  }

  #typable(): SlotInfo[] {
    return ORDER.flatMap((kind) => slots.value.filter((slot) => slot.kind === kind));
  }

  protected override render(): TemplateResult {
    const slot = this.chosen;
    const title = this.only ? `Check “${this.only.name}”` : "Show that it is you";
    const words = this.only ? "Nothing is changed by this: your vault says whether it would open." : "This needs a fresh proof, so that nobody does it at a screen that you left open. It is good for 5 minutes.";
    return html`<h2 id="box-title">${title}</h2>
      <p>${words}</p>
      ${slot === undefined
        ? notice("error", "None of the ways into this vault can be used in this browser.")
        : html`<form @submit=${(event: SubmitEvent) => this.#submit(event, slot)}>
            ${slot.kind === "passkey"
              ? nothing
              : html`<hf-typed-way
                  .kind=${slot.kind}
                  .field=${"proof-secret"}
                  .label=${slot.kind === "backup_key" && !this.only ? `Backup key “${slot.name}”` : ""}
                  .value=${this.text}
                  .error=${this.wrong}
                  .focusFirst=${true}
                  @typed=${(event: CustomEvent<string>) => this.#typed(event.detail)}
                ></hf-typed-way>`}
            <hf-wait .until=${this.waitUntil} @over=${() => (this.waitUntil = 0)}></hf-wait>
            ${this.problem ? notice("error", this.problem) : nothing}
            ${submitButton(slot.kind === "passkey" ? "Use a passkey" : this.only ? "Check" : "Continue", this.busy, "One moment…", this.waitUntil > Date.now())}
          </form>`}
      <div class="links">
        ${this.only ? nothing : this.#others().map((other) => html`<button class="link" type="button" @click=${() => this.#choose(other)}>Use ${kindWords(other.kind).toLocaleLowerCase()}${other.kind === "backup_key" ? ` “${other.name}”` : ""}</button>`)}
        <button class="link" type="button" @click=${() => this.#end(false)}>Cancel</button>
      </div>`;
  }

  #others(): SlotInfo[] {
    const current = this.chosen;
    const passkey = current?.kind === "passkey" ? [] : this.#passkeys().slice(0, 1);
    return [...passkey, ...this.#typable().filter((slot) => slot.id !== current?.id)];
  }

  #choose(slot: SlotInfo): void {
    this.chosen = slot;
    this.#typed("");
    this.problem = "";
  }

  #typed(text: string): void {
    this.text = text;
    this.wrong = "";
  }

  #end(proved: boolean): void {
    this.text = "";
    this.dispatchEvent(new CustomEvent("ended", { detail: proved }));
  }

  #submit(event: SubmitEvent, slot: SlotInfo): void {
    event.preventDefault();
    void this.work(async () => {
      try {
        if (slot.kind === "passkey") {
          const used = await askPasskey(this.only ? [slot] : this.#passkeys());
          await prove(used.slot, used.secret);
        } else await prove(slot, await typedSecret(slot.kind, this.text));
        this.#end(true);
      } catch (error) {
        if (!(error instanceof ChannelError)) throw error;
        if (error.retryAfterMs !== undefined) this.waitUntil = Date.now() + error.retryAfterMs;
        if (error.code === "typed") this.wrong = error.message;
        else if (error.code === "wrong_secret") this.wrong = slot.kind === "passkey" ? "" : `That is not the ${kindWords(slot.kind).toLocaleLowerCase()} of this vault.`;
        else if (error.code === "backoff") this.wrong = "Too many wrong tries, so the vault makes you wait.";
        else throw error;
        if (slot.kind === "passkey") this.problem = error.message;
        announce(this.wrong || this.problem);
      }
    });
  }
}

customElements.define("hf-proof", ProofBox);

/** True when a way in was proved; false when the person closed the dialog. */
export function askProof(only?: SlotInfo): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "box";
    dialog.setAttribute("aria-labelledby", "box-title");
    let proved = false;
    const ended = (event: CustomEvent<boolean>) => {
      proved = event.detail;
      dialog.close();
    };
    render(html`<hf-proof .only=${only} @ended=${ended}></hf-proof>`, dialog);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(proved);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
