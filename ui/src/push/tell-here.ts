/** Whether this device is told that something waits, and which others are. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type PushDevices } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { FormPage } from "../pages/page";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { deviceHere, type Obstacle, obstacle, removeDevice, turnOff, turnOn } from "./push";

const OBSTACLES: Record<Obstacle, string> = {
  unsupported: "This browser cannot do it. Chrome, Edge, Firefox and Safari can, but not in their private windows.",
  home_screen: "On an iPhone or iPad, put Holdfast on your home screen first: in Safari tap Share, then “Add to Home Screen”. Open it from there and turn this on.",
  blocked: "This browser does not let Holdfast show notifications. Allow them in the settings of this site, which open beside the address, or in those of your device; then load this page again.",
};

export class TellHere extends FormPage {
  @state() private known: PushDevices | undefined;
  /** The id of this device, where it is on. */
  @state() private here: string | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load().catch((error: unknown) => (this.problem = sentence(error)));
  }

  async #load(): Promise<void> {
    const user = me()?.user.id ?? "";
    const [known, here] = await Promise.all([api.push(), deviceHere(user)]);
    this.here = known.devices.some((each) => each.id === here) ? here : undefined;
    this.known = known;
  }

  protected override render(): TemplateResult {
    return html`<section class="card" aria-labelledby="tell-title">
      <h2 id="tell-title">When something waits for you</h2>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.known ? this.#setting(this.known) : nothing}
      ${this.known ? this.#others(this.known) : nothing}
    </section>`;
  }

  #setting(known: PushDevices): TemplateResult {
    const on = this.here !== undefined;
    const why = on ? undefined : obstacle();
    const missing = known.public_key === undefined ? "Whoever runs this server has turned it off." : why && OBSTACLES[why];
    const words = missing ?? `${on ? "On. This device shows" : "Off. This device could show"} “Something waits for you” when your agent needs your answer, calls were paused, a command ran without your word, or another agent has sent you something, and you are not here. Nothing else is said. The push service of your browser’s maker learns that this device was called, and when.`;
    return html`<div class="setting">
      <p><strong>Tell me on this device</strong><br><span class="muted" id="tell-words">${words}</span></p>
      ${on || missing === undefined
        ? html`<button class="button" type="button" ?disabled=${this.busy} aria-label="${on ? "Turn off" : "Turn on"}: tell me on this device" aria-describedby="tell-words" @click=${() => this.#set(!on)}>${on ? "Turn off" : "Turn on"}</button>`
        : nothing}
    </div>`;
  }

  #others({ devices }: PushDevices): TemplateResult | typeof nothing {
    const others = devices.filter((each) => each.id !== this.here);
    if (others.length === 0) return nothing;
    return html`<p class="muted">Told as well:</p>
      <ul class="people" aria-label="Other devices that are told">
        ${others.map(
          (each) => html`<li>
            <span class="avatar" aria-hidden="true">${icon("monitor", "s")}</span>
            <span class="people-name">
              <strong>${each.name || "Unknown device"}</strong>
              <span class="muted">since ${day(each.created_at)}${each.last_told_at === undefined ? "" : `, last told ${new Date(each.last_told_at).toLocaleString()}`}</span>
            </span>
            <button class="button small" type="button" ?disabled=${this.busy} aria-label="Remove ${each.name || "the unknown device"}" @click=${() => this.#remove(each.id)}>Remove</button>
          </li>`,
        )}
      </ul>`;
  }

  #set(on: boolean): void {
    void this.work(async () => {
      const user = me()?.user.id;
      const key = this.known?.public_key;
      if (!on) await turnOff();
      else if (user !== undefined && key !== undefined) await turnOn(user, key);
      await this.#load();
      announce(on ? "You are told on this device" : "You are not told on this device any more");
    });
  }

  #remove(id: string): void {
    void this.work(async () => {
      await removeDevice(id);
      await this.#load();
      announce("It is told nothing any more");
    });
  }
}

function day(at: number): string {
  return new Date(at).toLocaleDateString();
}

customElements.define("hf-tell-here", TellHere);
