/** Which page stands, given who is signed in, how the connection is, and whether the vault is open. */
import { effect, untracked } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { clearConversations, takeUp } from "../chat/conversations";
import { clearDrafts, flushDrafts, loadDrafts } from "../chat/drafts";
import { clearOutbox } from "../chat/outbox";
import { confirmBox } from "../parts/confirm-box";
import { reaching } from "../parts/connection-line";
import { brand, notice } from "../parts/form";
import { icon } from "../parts/icon";
import { working } from "../parts/working";
import type { PinProblem } from "../storage/pins";
import { readTicket } from "../storage/resume";
import { account, loadAccount, me } from "./account";
import { alertText, politeText } from "./announcer";
import { signOutAndSay } from "./leave";
import { connect, link, locking, onOpen, trustAnew, unlocked, vault } from "./link";
import { go, path } from "./router";
import { View } from "./view";
import { signInFrom, takeWayBack } from "./way-back";

const OPEN_PAGES = new Set(["/setup", "/sign-in", "/join"]);

export class App extends View {
  @state() private hasTicket: boolean | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    onOpen(() => void loadDrafts().then(takeUp));
    effect(() => this.#follow());
    effect(() => {
      if (unlocked.value) return;
      // Locked: what was readable goes from memory; drafts and unsent messages are sealed already.
      untracked(() => void flushDrafts().finally(() => !unlocked.peek() && this.#clear()));
    });
    if (!OPEN_PAGES.has(location.pathname)) void loadAccount().then(() => this.#comeBack());
  }

  /** Who signed in at another site is sent to the first page, whatever the page was that they left. */
  #comeBack(): void {
    const { at } = account.peek();
    if ((at === "in" || at === "half") && path.peek() === "/") go(takeWayBack(), { replace: true });
  }

  #clear(): void {
    clearConversations();
    clearDrafts();
    clearOutbox();
  }

  /** Signed in: connect. Signed out: the sign-in page, unless an open page was asked for. */
  #follow(): void {
    const who = account.value;
    const at = path.value;
    if (who.at === "out" && !OPEN_PAGES.has(at)) untracked(() => go(signInFrom(who.why === "asked" ? "/" : at, who.organisation), { replace: true }));
    if (who.at === "unknown" && !OPEN_PAGES.has(at)) untracked(() => void loadAccount());
    if (who.at !== "in") this.hasTicket = undefined;
    if (who.at === "in" && this.hasTicket === undefined)
      void readTicket(who.me.user.id).then((ticket) => {
        this.hasTicket = ticket !== undefined;
        void connect();
      });
  }

  protected override render(): TemplateResult {
    return html`${this.#page()}
      <div class="sr-only" role="status" aria-live="polite" id="announcer">${politeText.value}</div>
      <div class="sr-only" role="alert" id="alerter">${alertText.value}</div>`;
  }

  #page(): TemplateResult | typeof nothing {
    if (!isSecureContext || !globalThis.crypto?.subtle) return this.#insecure();
    switch (path.value) {
      case "/setup":
        return html`<hf-setup></hf-setup>`;
      case "/sign-in":
        return html`<hf-sign-in></hf-sign-in>`;
      case "/join":
        return html`<hf-join></hf-join>`;
    }
    const who = account.value;
    if (who.at === "error") return this.#unreachable(who.message);
    if (who.at === "half") return html`<hf-finish-sign-in .pending=${who.pending}></hf-finish-sign-in>`;
    if (who.at !== "in" || this.hasTicket === undefined) return this.#opening("Holdfast");
    const now = link.value;
    if (now.at === "refused") return this.#refused(now.problem, now.message);
    if (locking.value !== undefined) return this.#locking(locking.value);
    if (unlocked.value) return path.value === "/vault" ? html`<hf-make-vault></hf-make-vault>` : html`<hf-shell></hf-shell>`;
    if (vault.value === "new") return html`<hf-make-vault></hf-make-vault>`;
    if (vault.value === "unknown" && now.at === "connecting") return this.#opening("Opening your vault");
    if (vault.value === "unlocked" && this.hasTicket && now.at === "connecting") return this.#opening("Opening your vault");
    return html`<hf-unlock></hf-unlock>`;
  }

  /** What is busy is not what says so: a screen reader keeps silent about all that is busy. */
  #opening(words: string): TemplateResult {
    const now = link.value;
    return html`<main class="page-card quiet-card">
      ${brand()}
      <h1 aria-busy="true">${words}</h1>
      <p class="lead" role="status">${now.at === "connecting" ? reaching(now) : working("One moment…")}</p>
    </main>`;
  }

  #locking(since: number): TemplateResult {
    return html`<main class="page-card quiet-card">
      ${brand()}
      <div class="page-icon">${icon("lock", "l")}</div>
      <h1 aria-busy="true">Locking your vault</h1>
      <p class="lead" role="status">${working("Sealing what your agent remembers…", since)}</p>
    </main>`;
  }

  #unreachable(message: string): TemplateResult {
    return html`<main class="page-card">
      ${brand()}
      <div class="page-icon">${icon("server-off", "l")}</div>
      <h1>Holdfast does not answer</h1>
      <p class="lead">${message}</p>
      <button class="button primary wide" type="button" @click=${() => void loadAccount()}>Try again</button>
    </main>`;
  }

  #insecure(): TemplateResult {
    return html`<main class="page-card">
      ${brand()}
      <h1>This page needs a secure address</h1>
      <p class="lead">Browsers encrypt only on https addresses, and on localhost. Ask the person who runs this server for its https address.</p>
    </main>`;
  }

  #refused(problem: PinProblem | "version", message: string): TemplateResult {
    if (problem === "version")
      return html`<main class="page-card">${brand()}<h1>Reload this page</h1><p class="lead">${message}</p><button class="button primary wide" type="button" @click=${() => location.reload()}>Reload</button></main>`;
    const title = { rolled_back: "This vault was rolled back", emptied: "This vault was emptied" }[problem as string] ?? "This is not your vault";
    return html`<main class="page-card">
      ${brand()}
      <div class="page-icon bad">${icon("triangle-alert", "l")}</div>
      <h1>${title}</h1>
      <p class="lead">${message} Nothing was opened and nothing was sent.</p>
      ${notice("warn", "A restored backup looks like this, and so does an attack. Ask the people who run this server what happened before you go on.")}
      <button class="button wide" type="button" @click=${() => location.reload()}>Check again</button>
      <div class="links">
        <button class="link" type="button" @click=${() => void this.#goOn(problem)}>I know what happened…</button>
        <button class="link" type="button" @click=${() => void signOutAndSay()}>Sign out</button><span class="muted">${me()?.user.email}</span>
      </div>
    </main>`;
  }

  /** Only the person can know whether there was a reason. */
  async #goOn(problem: PinProblem): Promise<void> {
    const what = {
      rolled_back: "What was changed after that copy is gone, and a way in that you have replaced since may open it again: look at your ways in, and replace the old ones.",
      emptied: "You make a new vault, with a password that you have not used here before. A backup file of yours can be restored into it.",
    }[problem as string];
    const words = `Go on only if the people who run this server gave you a reason that you believe, and not because this page says so. ${what ?? "This browser then takes it for yours, and knows nothing of the one before."}`;
    if (await confirmBox({ title: "Take this vault for yours?", words, yes: "Go on with this vault", danger: true })) await trustAnew(problem);
  }
}

customElements.define("hf-app", App);
