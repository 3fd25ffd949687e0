/** The frame of an unlocked vault: conversations at the side, pages below them, and the one place that tells the connection. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { state } from "lit/decorators.js";
import { alertNow, announce } from "./announcer";
import { cell, extend, grantedUntil, link, locksIn, online, phraseConfirmed, connect } from "./link";
import { GROUP, isChat, pageAt } from "./pages";
import { path } from "./router";
import { lockAndSay, signOutAndSay } from "./leave";
import { View } from "./view";
import { inboxCount } from "../approvals/approvals";
import type { Conversation } from "../channel/messages";
import { conversations, currentId, draftConversation, listProblem, loadList, newConversationId, remove, rename, show } from "../chat/conversations";
import { dropDraft } from "../chat/drafts";
import { dropConversation, inConversation, unsentCount } from "../chat/outbox";
import { askText, confirmBox } from "../parts/confirm-box";
import { sentence } from "../parts/form";
import { icon } from "../parts/icon";
import type { IconName } from "../parts/icon-names";

const TITLE_CHARS = 200;

export class Shell extends View {
  @state() private filter = "";
  @state() private menuOpen = false;
  @state() private now = Date.now();
  #timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("keydown", this.#keys);
    this.#timer = setInterval(() => {
      if (locksIn.peek() !== undefined || link.peek().at === "waiting") this.now = Date.now();
    }, 1000);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.#keys);
    clearInterval(this.#timer);
  }

  protected override render(): TemplateResult {
    return html`<div class="shell ${this.menuOpen ? "menu-open" : ""}">
      <a class="skip" href="#main" @click=${this.#skip}>Skip to the conversation</a>
      ${this.#sidebar()}
      <button class="backdrop" type="button" aria-label="Close the list" tabindex="-1" @click=${() => (this.menuOpen = false)}></button>
      <div class="stage">
        ${this.#top()} ${this.#lockWarning()}
        <hf-recovery-banner></hf-recovery-banner>
        <main id="main" tabindex="-1">${this.#page()}</main>
      </div>
      ${this.#bottomBar()}
    </div>`;
  }

  #skip = (event: Event): void => {
    event.preventDefault();
    this.querySelector<HTMLElement>("#main")?.focus();
  };

  #isChat(): boolean {
    return isChat(path.value);
  }

  #page(): TemplateResult {
    if (this.#isChat()) return html`<hf-chat></hf-chat>`;
    const page = pageAt(path.value);
    if (!page) return html`<div class="page"><h1>There is nothing here</h1><p class="lead">The address may be old or mistyped.</p><p><a class="button" href="/">Go to your conversations</a></p></div>`;
    void page.load?.();
    return page.body;
  }

  #sidebar(): TemplateResult {
    return html`<nav class="sidebar" aria-label="Conversations and pages">
      <div class="sidebar-head">
        <a class="brand" href="/"><img src="/favicon.svg" alt="" width="24" height="24"><span>Holdfast</span></a>
        <button class="icon-button" type="button" aria-label="New conversation" title="New conversation (Ctrl+Shift+O)" @click=${this.#new}>${icon("square-pen")}</button>
      </div>
      <div class="find">
        ${icon("search", "s")}<input type="search" aria-label="Find a conversation" placeholder="Find a conversation" .value=${this.filter} @input=${(event: InputEvent) => (this.filter = (event.target as HTMLInputElement).value)}>
      </div>
      <div class="conversations">${this.#list()}</div>
      <div class="sidebar-foot">${this.#pageLinks()} ${this.#status()}</div>
    </nav>`;
  }

  #list(): TemplateResult {
    const all = conversations.value;
    if (!all)
      return listProblem.value
        ? html`<p class="list-note">${listProblem.value} <button class="link" type="button" @click=${() => void loadList()}>Try again</button></p>`
        : html`<div class="skeleton-list" role="status" aria-label="Loading your conversations"><i></i><i></i><i></i></div>`;
    const words = this.filter.trim().toLocaleLowerCase();
    const found = words === "" ? all : all.filter((each) => each.title.toLocaleLowerCase().includes(words));
    if (found.length === 0) return html`<p class="list-note">${words === "" ? "Your conversations will stand here." : "No title has these words."}</p>`;
    const current = currentId();
    return html`<ul>
      ${repeat(found, (each) => each.id, (each) => this.#row(each, each.id === current && this.#isChat()))}
    </ul>`;
  }

  #row(each: Conversation, current: boolean): TemplateResult {
    const title = each.title || "New conversation";
    const waiting = inConversation(each.id).length > 0;
    const mark = each.running ? "is being answered" : waiting ? "has a message on its way" : each.unread && !current ? "has something new" : "";
    return html`<li class="conversation ${current ? "current" : ""}">
      <a href="/c/${encodeURIComponent(each.id)}" aria-current=${current ? "page" : nothing} @click=${() => (this.menuOpen = false)}>
        <span class="conversation-title">${title}</span>
        ${mark ? html`<span class="dot ${each.running ? "running" : ""}" role="img" aria-label=${mark}></span>` : nothing}
      </a>
      <button class="icon-button" type="button" aria-label="Rename “${title}”" title="Rename" ?disabled=${!online.value} @click=${() => void this.#rename(each)}>${icon("pencil", "s")}</button>
      <button class="icon-button" type="button" aria-label="Delete “${title}”" title="Delete" ?disabled=${!online.value} @click=${() => void this.#delete(each)}>${icon("trash-2", "s")}</button>
    </li>`;
  }

  #pageLinks(): TemplateResult {
    return html`<div class="page-links">
      ${this.#inboxLink()} ${this.#pageLink("/people", "People", "users-round")} ${this.#pageLink("/shared", "Shared", "share-2")} ${this.#pageLink("/secrets", "Secrets", "key-round")} ${this.#pageLink("/me", "Me", "settings", phraseConfirmed.value === false)}
      <button class="page-link" type="button" ?disabled=${!online.value} @click=${() => void lockAndSay()}>${icon("lock")}<span>Lock now</span></button>
      <button class="page-link" type="button" @click=${() => void signOutAndSay()}>${icon("log-out")}<span>Sign out</span></button>
    </div>`;
  }

  #inboxLink(): TemplateResult {
    const count = inboxCount.value;
    return html`<a class="page-link" href="/inbox" aria-current=${path.value === "/inbox" ? "page" : nothing} @click=${() => (this.menuOpen = false)}>
      ${icon("inbox")}<span>Inbox</span>${count > 0 ? html`<span class="count">${count}<span class="sr-only"> waiting for you</span></span>` : nothing}
    </a>`;
  }

  #pageLink(href: string, words: string, sign: IconName, dot = false): TemplateResult {
    return html`<a class="page-link" href=${href} aria-current=${path.value === href ? "page" : nothing} @click=${() => (this.menuOpen = false)}>
      ${icon(sign)}<span>${words}</span>${dot ? html`<span class="dot" role="img" aria-label="Recovery phrase not confirmed"></span>` : nothing}
    </a>`;
  }

  #statusWords(): { words: string; kind: "ok" | "busy" | "bad" } {
    const now = link.value;
    if (now.at === "waiting") {
      const seconds = Math.max(0, Math.ceil((now.retryAt - this.now) / 1000));
      return { words: `${navigator.onLine ? "Connection lost" : "You are offline"}. Next try in ${seconds} s`, kind: "bad" };
    }
    if (now.at !== "open") return { words: "Connecting…", kind: "busy" };
    switch (cell.value?.phase) {
      case "ready":
        return { words: "Agent ready", kind: "ok" };
      case "paused":
        return { words: "Agent rests; a message wakes it", kind: "ok" };
      case "asleep":
        return { words: "Agent asleep; a message wakes it", kind: "ok" };
      case "failed":
        return { words: "Agent did not start", kind: "bad" };
      case undefined:
        return { words: "Connected", kind: "ok" };
      default:
        return { words: "Agent is starting…", kind: "busy" };
    }
  }

  #status(): TemplateResult {
    const { words, kind } = this.#statusWords();
    return html`<div class="status status-${kind}">
      <i aria-hidden="true"></i><span>${words}</span>
      ${grantedUntil.value === undefined ? nothing : html`<a class="tag" href="/locking">Open until ${new Date(grantedUntil.value).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}</a>`}
      ${unsentCount.value > 0 ? html`<span class="tag">${unsentCount.value} waiting</span>` : nothing}
      ${link.value.at === "waiting" ? html`<button class="link" type="button" @click=${() => void connect()}>Try now</button>` : nothing}
    </div>`;
  }

  #title(): string {
    if (!this.#isChat()) return pageAt(path.value)?.title ?? "";
    return conversations.value?.find((each) => each.id === currentId())?.title || "New conversation";
  }

  /** Only on phones, where the sidebar is away. */
  #top(): TemplateResult {
    const { kind, words } = this.#statusWords();
    return html`<header class="top">
      <button class="icon-button" type="button" aria-label="Conversations" aria-expanded=${this.menuOpen ? "true" : "false"} @click=${() => (this.menuOpen = !this.menuOpen)}>${icon("menu")}</button>
      <span class="top-title">${this.#title()}</span>
      <button class="icon-button" type="button" aria-label="New conversation" @click=${this.#new}>${icon("square-pen")}</button>
      ${kind === "ok" ? nothing : html`<div class="top-status status-${kind}">${words}</div>`}
    </header>`;
  }

  #bottomBar(): TemplateResult {
    const item = (href: string, words: string, sign: IconName, current: boolean, dot = false, dotWords = "Recovery phrase not confirmed") =>
      html`<a href=${href} aria-current=${current ? "page" : nothing}>${icon(sign)}<span>${words}</span>${dot ? html`<span class="dot" role="img" aria-label=${dotWords}></span>` : nothing}</a>`;
    return html`<nav class="bottom-bar" aria-label="Pages">
      ${item("/", "Chat", "message-circle", this.#isChat())} ${item("/inbox", "Inbox", "inbox", path.value === "/inbox", inboxCount.value > 0, "Something waits for you")}
      ${item("/people", "People", "users-round", path.value.startsWith("/people") || path.value === "/groups" || path.value.startsWith(GROUP))}
      ${item("/shared", "Shared", "share-2", path.value === "/shared")}
      ${item("/secrets", "Secrets", "key-round", ["/secrets", "/secrets/import", "/secrets/export", "/services", "/activity"].includes(path.value))}
      ${item("/me", "Me", "user-round", ["/me", "/model", "/models", "/ways-in", "/trusted", "/backup", "/locking", "/security", "/audit", "/alerts", "/keys", "/providers"].includes(path.value), phraseConfirmed.value === false)}
    </nav>`;
  }

  #lockWarning(): TemplateResult | typeof nothing {
    const until = locksIn.value;
    if (until === undefined) return nothing;
    const seconds = Math.max(0, Math.ceil((until - this.now) / 1000));
    return html`<div class="lock-warning" role="alert">
      ${icon("lock", "s")}<span>Your vault locks soon because it was not used.</span><span class="seconds" aria-hidden="true">${seconds} s</span>
      <button class="button small" type="button" @click=${() => void extend()}>Stay unlocked</button>
    </div>`;
  }

  #new = (): void => {
    this.menuOpen = false;
    if (inConversation(draftConversation.peek()).length > 0) draftConversation.value = newConversationId();
    show(draftConversation.peek());
    void this.updateComplete.then(() => this.querySelector<HTMLElement>("hf-composer")?.focus());
  };

  #keys = (event: KeyboardEvent): void => {
    if (event.isComposing || !(event.ctrlKey || event.metaKey)) return;
    if (event.shiftKey && event.key.toLowerCase() === "o") {
      event.preventDefault();
      this.#new();
    } else if (!event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      this.menuOpen = true;
      this.querySelector<HTMLInputElement>(".find input")?.focus();
    }
  };

  async #rename(each: Conversation): Promise<void> {
    const title = await askText("Rename the conversation", "Title", each.title, TITLE_CHARS);
    if (title === undefined || title === each.title) return;
    try {
      await rename(each.id, title);
      announce("Renamed");
    } catch (error) {
      alertNow(sentence(error));
    }
  }

  async #delete(each: Conversation): Promise<void> {
    const sure = await confirmBox({ title: `Delete “${each.title || "New conversation"}”?`, words: "The conversation is removed from your vault and cannot be brought back.", yes: "Delete", danger: true });
    if (!sure) return;
    try {
      if (currentId() === each.id) show(draftConversation.peek());
      await remove(each.id);
      dropDraft(each.id);
      dropConversation(each.id);
      announce("Deleted");
    } catch (error) {
      alertNow(sentence(error));
      void loadList();
    }
  }
}

customElements.define("hf-shell", Shell);
