/** Shown wherever the person is, locked or not: somebody asks their contacts to open their vault. And a word when others need help. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { unlocked } from "../app/link";
import { announce } from "../app/announcer";
import { confirmBox } from "../parts/confirm-box";
import { notice } from "../parts/form";
import { FormPage } from "../pages/page";
import { hints, recovery, stopRequest } from "./recovery";

export class RecoveryBanner extends FormPage {
  @state() private stopped = false;

  protected override render(): TemplateResult | typeof nothing {
    const own = hints.value?.request;
    const asked = (recovery.value?.asked ?? []).filter((each) => each.answer === "open");
    if (own)
      return html`<div class="recovery-banner" role="alert">
        ${notice(
          "warn",
          html`<p><strong>Your contacts are being asked to open your vault</strong>, since ${new Date(own.at).toLocaleString()}.${this.#earliest(own.at)} If that is you, go on. If it is not, stop it.</p>
            ${this.problem ? html`<p>${this.problem}</p>` : nothing}
            <button class="button danger small" type="button" ?disabled=${this.busy} @click=${() => void this.#stop()}>Stop it</button>`,
        )}
      </div>`;
    if (this.stopped) return html`<aside class="recovery-banner" aria-label="Recovery">${notice("ok", "Stopped. Nobody is asked any more. Sign out everywhere, and tell the people who run this server.")}</aside>`;
    if (unlocked.value && asked.length > 0)
      return html`<aside class="recovery-banner" aria-label="Recovery">${notice("info", html`${asked.map((each) => each.name).join(" and ")} ${asked.length === 1 ? "asks" : "ask"} for your help to get back into a vault. <a href="/trusted">Look at it</a>`)}</aside>`;
    return nothing;
  }

  /** Until when there is time to stop it: each contact's keeper counts from when it first saw the request. */
  #earliest(asked: number): string {
    const wait = hints.value?.wait_ms ?? 0;
    return wait === 0 ? "" : ` They can release nothing before ${new Date(asked + wait).toLocaleString()}.`;
  }

  async #stop(): Promise<void> {
    const own = hints.value?.request;
    if (!own) return;
    const words = unlocked.value ? "Your contacts release nothing for this request, and their keepers are told so." : "The request ends now. Unlock your vault afterwards: then your contacts’ keepers are told too.";
    if (!(await confirmBox({ title: "Stop the recovery of your vault?", words, yes: "Stop it", danger: true }))) return;
    await this.work(async () => {
      await stopRequest(own);
      this.stopped = true;
      announce("Stopped");
    });
  }
}

customElements.define("hf-recovery-banner", RecoveryBanner);
