/** Where the agent may connect besides its model and its services. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import type { EgressMode } from "../channel/messages";
import { FormPage } from "../pages/page";
import { notice, submitButton } from "../parts/form";
import { egress, saveEgress } from "./services";

const MODES: Record<EgressMode, { name: string; words: string }> = {
  open: { name: "Anywhere on the internet", words: "Your agent can read any page. It can also send what it knows to anyone." },
  allow_list: { name: "Only to these", words: "Everything else is refused and noted." },
  none: { name: "Nowhere", words: "Only its model and the services above." },
};

export class EgressForm extends FormPage {
  @state() private mode: EgressMode | undefined;
  @state() private hosts: string | undefined;
  @state() private saved = false;

  protected override render(): TemplateResult {
    const known = egress.value;
    if (!known) return html``;
    const mode = this.mode ?? known.mode;
    const hosts = this.hosts ?? known.hosts.join("\n");
    return html`<form @submit=${this.#save}>
      <fieldset class="choices">
        <legend>Your agent may connect</legend>
        ${Object.entries(MODES).map(
          ([each, { name, words }]) => html`<label class="choice">
            <input type="radio" name="egress" .checked=${each === mode} @change=${() => this.#changed(() => (this.mode = each as EgressMode))}>
            <span><strong>${name}</strong><span class="hint">${words}</span></span>
          </label>`,
        )}
      </fieldset>
      ${mode === "allow_list"
        ? html`<div class="field"><label for="egress-hosts">Hosts, one a line</label>
            <textarea id="egress-hosts" rows="5" spellcheck="false" autocapitalize="none" aria-describedby="egress-hint" placeholder="en.wikipedia.org" .value=${hosts} @input=${(event: InputEvent) => this.#changed(() => (this.hosts = (event.target as HTMLTextAreaElement).value))}></textarea>
            <p class="hint" id="egress-hint">A host allows itself alone; *.example.org allows everything below example.org; example.org:8443 only that port.</p></div>`
        : nothing}
      <p class="muted">Addresses inside private networks are always refused.</p>
      ${this.problem ? notice("error", this.problem) : nothing} ${this.saved ? notice("ok", "Saved. What is no longer allowed was disconnected.") : nothing}
      <div class="row end">${submitButton("Save", this.busy, "Saving…", this.mode === undefined && this.hosts === undefined)}</div>
    </form>`;
  }

  #changed(change: () => void): void {
    change();
    this.saved = false;
  }

  #save = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const known = egress.peek();
      const hosts = (this.hosts ?? known?.hosts.join("\n") ?? "")
        .split(/[\s,]+/)
        .map((host) => host.trim().toLowerCase())
        .filter(Boolean);
      await saveEgress({ mode: this.mode ?? known?.mode ?? "open", hosts });
      this.mode = undefined;
      this.hosts = undefined;
      this.saved = true;
      announce("Saved");
    });
  };
}

customElements.define("hf-egress-form", EgressForm);
