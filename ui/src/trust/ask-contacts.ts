/** For somebody who is locked out: asking the contacts, reading them the digits, and setting a new password when enough have helped. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { Problem } from "../api/http";
import { signOutAndSay } from "../app/leave";
import { isWatched } from "../app/presence";
import { setSlot } from "../app/ways-in";
import { go } from "../app/router";
import { confirmBox } from "../parts/confirm-box";
import { notice, sentence, submitButton } from "../parts/form";
import { working } from "../parts/working";
import "../parts/new-password";
import { FormPage } from "../pages/page";
import { digits } from "./digits";
import { ask, done, hints, lookAround, openWith, type Progress, progress } from "./recovery";

const LOOK_MS = 10_000;

export class AskContacts extends FormPage {
  @state() private now: Progress | undefined;
  @state() private loaded = false;
  @state() private password = "";
  #timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#look();
    this.#timer = setInterval(() => isWatched() && void this.#look(), LOOK_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
    this.now?.secret?.fill(0);
    this.now = undefined;
  }

  async #look(): Promise<void> {
    try {
      await lookAround();
      this.now = await progress();
      this.loaded = true;
    } catch (error) {
      this.problem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    if (!this.loaded) return html`${this.problem ? notice("error", this.problem) : html`<p class="lead" role="status">${working("Looking…")}</p>`}`;
    const names = (hints.value?.contacts ?? []).map((each) => each.name).join(", ");
    return html`${this.problem ? notice("error", this.problem) : nothing}
      ${this.now === undefined ? this.#begin(names) : this.now.secret ? this.#enough(this.now) : this.#waiting(this.now, names)}`;
  }

  #begin(names: string): TemplateResult {
    return html`<p class="lead">Ask ${names || "your contacts"} to let you back in. Each of them holds a part; ${hints.value?.threshold ?? "some"} parts together open your vault.</p>
      <p>They wait for a time that you once set, and you need to speak with each of them. Come back to this browser: only it can use what they send.</p>
      ${hints.value?.request ? notice("warn", "Somebody has asked already, in another browser. If that was you, go on there; asking here starts anew.") : nothing}
      <button class="button primary wide" type="button" ?disabled=${this.busy} @click=${() => void this.#ask()}>${this.busy ? working("One moment…") : "Ask my contacts"}</button>`;
  }

  async #ask(): Promise<void> {
    await this.work(async () => {
      try {
        await ask();
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== "sign_in_again") throw error;
        return this.#signInAgain();
      }
      announce("Your contacts are asked");
      await this.#look();
    });
  }

  /** Whoever only finds this browser open gets no further. */
  async #signInAgain(): Promise<void> {
    const sure = await confirmBox({
      title: "Sign in again first",
      words: "Your contacts are asked only by somebody who has signed in within the last ten minutes, with everything that you sign in with; a site that lets you in without asking who you are does not count. Sign out and in again now. Then choose “Lost everything? Ask your contacts” on the page that you come to.",
      yes: "Sign out and in again",
    });
    if (sure) await signOutAndSay();
  }

  #wrong(now: Progress): TemplateResult | typeof nothing {
    return now.wrong.length > 0 ? notice("warn", `What came from ${now.wrong.join(" and ")} does not belong to the rest, so it is not used.`) : nothing;
  }

  #waiting(now: Progress, names: string): TemplateResult {
    return html`<p class="lead">Speak with ${names}, by phone or face to face, and read them these digits:</p>
      ${digits(now.code, "Your digits")}
      <p role="status"><strong>${now.have} of ${now.threshold}</strong> have helped so far.</p>
      ${this.#wrong(now)}
      <p class="hint">They type the digits under “Trusted people”. Their parts come by themselves when the waiting time is over and their vaults are open. You may close this page and come back.</p>`;
  }

  #enough(now: Progress): TemplateResult {
    return html`<p class="lead">Enough of your contacts have helped. Choose a new password; the old one stops working.</p>
      ${this.#wrong(now)}
      <form @submit=${this.#open}>
        <hf-new-password .focusFirst=${true} @chosen=${(event: CustomEvent<string>) => (this.password = event.detail)}></hf-new-password>
        ${submitButton("Open my vault", this.busy, "Opening your vault…", this.password === "")}
      </form>`;
  }

  #open = (event: SubmitEvent): void => {
    event.preventDefault();
    const secret = this.now?.secret;
    const password = this.password;
    if (!secret) return;
    void this.work(async () => {
      await openWith(secret);
      // The vault is open and this page is gone from here on.
      try {
        await setSlot("password", password);
        await done();
        announce("Your password is changed");
        go("/trusted");
        await confirmBox({ title: "You are back in", words: "Your new password is set. Now choose your contacts again: the parts that they hold were used once.", yes: "OK", no: "Close" });
      } catch (error) {
        await confirmBox({ title: "Your password is not changed", words: `Your vault is open, but the new password was not taken: ${sentence(error)} Set it under “Ways in” before you leave.`, yes: "OK", no: "Close" });
      }
    });
  };
}

customElements.define("hf-ask-contacts", AskContacts);
