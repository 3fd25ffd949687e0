/** The conversation that is looked at: its messages, what is on its way, how the agent is, and where one writes. */
import { effect } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { state } from "lit/decorators.js";
import { me } from "../app/account";
import { waiting } from "../approvals/approvals";
import { paused } from "../approvals/paused";
import { announce, alertNow } from "../app/announcer";
import { byThisClock } from "../app/keeper-clock";
import { cell, online } from "../app/link";
import { model } from "../app/model";
import { View } from "../app/view";
import type { Message } from "../channel/messages";
import { confirmBox } from "../parts/confirm-box";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { seconds, working } from "../parts/working";
import type { Composer } from "./composer";
import "./composer";
import { abort, conversations, currentId, isNew, load, loadOlder, threadFor, type Thread } from "./conversations";
import { AT_END_PX, Following, type Stand } from "./following";
import type { MessageView } from "./message";
import "./message";
import { discard, enqueue, inConversation, isStuck, onlyHere, type Outgoing, retry, type WaitsFor, waitsFor } from "./outbox";
import { starting } from "./start-card";
import "./start-card";
import { ranTools } from "./thread";

const STILL_WORKING_MS = 8_000;

const PHASES: Record<string, string> = {
  preparing_workspace: "Preparing its workspace",
  preparing_context: "Reading the conversation",
  starting_model: "Asking the model",
};

const WAITS: Record<WaitsFor, string> = {
  person: "Waits behind the message before it: retry or discard that one",
  connection: "Waiting for the connection",
  one_before: "Goes out after the message before it",
  one_elsewhere: "Goes out after a message in another conversation",
  passing: "Goes out soon",
  answer: "Goes out when the answer is finished",
  agent: "Goes out when your agent is ready",
  nothing: "Going out…",
};

const ONLY_HERE = "This message is only in this page: this browser stores nothing more. Leave the page open, and your vault unlocked, until it is sent.";

const SUGGESTIONS = ["What can you do for me?", "Make a plan for my week with me", "Write a small script and run it"];

export class ChatPage extends View {
  @state() private awayFromEnd = false;
  readonly #following = new Following();
  #shown = "";
  #observer: ResizeObserver | undefined;
  #stopLoading: (() => void) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #saidAt = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopLoading = effect(() => {
      const id = currentId();
      if (online.value && threadFor(id).loading.peek() === "no") queueMicrotask(() => void load(id));
    });
    this.#timer = setInterval(this.#tick, 1000);
    document.addEventListener("keydown", this.#keys);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopLoading?.();
    this.#observer?.disconnect();
    this.#observer = undefined;
    clearInterval(this.#timer);
    document.removeEventListener("keydown", this.#keys);
  }

  #tick = (): void => {
    const running = threadFor(currentId()).state.peek().running;
    if (!running) return;
    const now = Date.now();
    const started = byThisClock(running.started, now);
    if (now - Math.max(started, this.#saidAt) >= STILL_WORKING_MS) {
      this.#saidAt = now;
      announce(`Still working, ${Math.round((now - started) / 1000)} seconds`);
    }
  };

  #keys = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && !event.defaultPrevented && !event.isComposing && !document.querySelector("dialog[open]") && threadFor(currentId()).state.peek().running) void this.#stop();
  };

  protected override render(): TemplateResult {
    const id = currentId();
    const thread = threadFor(id);
    const { messages, running } = thread.state.value;
    const outgoing = inConversation(id);
    const empty = messages.length === 0 && outgoing.length === 0;
    const greets = empty && (isNew(id) || thread.loading.value === "loaded");
    return html`<div class="chat">
      ${greets ? nothing : html`<h1 class="sr-only">${conversations.value?.find((each) => each.id === id)?.title || "New conversation"}</h1>`}
      <div class="thread" @scroll=${this.#scrolled} tabindex="-1">
        <div class="thread-inner" role="log" aria-live="off" aria-label="Conversation">
          ${thread.state.value.more ? html`<button class="button small older" type="button" ?disabled=${!online.value} @click=${() => void this.#older(id)}>Show earlier messages</button>` : nothing}
          ${this.#body(thread, messages, empty)} ${outgoing.map((entry) => this.#outgoing(entry))} ${this.#working(thread)}
          ${this.#asked(id)} ${starting() ? html`<hf-start-card></hf-start-card>` : nothing}
        </div>
      </div>
      <div class="composer-area">
        ${this.awayFromEnd ? html`<button class="to-end" type="button" @click=${() => this.#toEnd(true)}>${icon("arrow-down", "s")} Latest</button>` : nothing}
        ${model.value && !model.value.configured ? html`<div class="notice notice-warn">${icon("plug-zap")}<div>Your agent has no model to think with yet. <a href="/model">Connect one</a></div></div>` : nothing}
        <hf-composer
          .conversation=${id}
          .running=${running !== null}
          .placeholder=${online.value && cell.value?.phase === "ready" ? "Message your agent" : "Write already: it goes out when your agent is ready"}
          @send=${(event: CustomEvent<string>) => this.#send(event.detail)}
          @stop=${() => void this.#stop()}
          @edit-last=${this.#editLast}
        ></hf-composer>
      </div>
    </div>`;
  }

  #body(thread: Thread, messages: readonly Message[], empty: boolean): unknown {
    const loading = thread.loading.value;
    if (typeof loading === "object" && messages.length === 0)
      return html`${notice("error", loading.error)}<button class="button" type="button" @click=${() => this.#reload(thread)}>Try again</button>`;
    if (loading !== "loaded" && messages.length === 0 && !isNew(thread.id)) return html`<div class="skeleton-thread" role="status" aria-label="Loading the conversation"><i></i><i></i><i></i></div>`;
    if (empty) return this.#empty();
    const { running, saving, notSaved } = thread.state.value;
    const idle = running === null && online.value && inConversation(thread.id).length === 0;
    return repeat(
      messages,
      (message) => `${message.role}/${message.key ?? message.id}`,
      (message, at) => html`<hf-message
        .message=${message}
        .conversation=${thread.id}
        .saving=${message.role === "assistant" && message.key !== undefined && saving.has(message.key)}
        .notSaved=${notSaved}
        .idle=${idle}
        .last=${at === messages.length - 1}
        @edited=${this.#edited}
        @again=${this.#again}
      ></hf-message>`,
    );
  }

  /** What one was reading stays where it was on the screen. */
  async #older(id: string): Promise<void> {
    const box = this.querySelector<HTMLElement>(".thread");
    const fromEnd = box ? box.scrollHeight - box.scrollTop : 0;
    this.#following.stop();
    try {
      await loadOlder(id);
      await this.updateComplete;
      box?.scrollTo({ top: box.scrollHeight - fromEnd, behavior: "instant" });
    } catch (error) {
      alertNow(sentence(error));
    }
  }

  /** What is paused; and what the agent asks for in this conversation, where the call that waits for it stands. */
  #asked(id: string): unknown {
    const here = waiting.value.filter((each) => each.conversation === id);
    if (here.length > 0) void import("../approvals/approval-card");
    if (paused.value.length > 0) void import("../approvals/paused-card");
    return html`${paused.value.length > 0 ? html`<hf-paused></hf-paused>` : nothing}${repeat(here, (each) => each.id, (each) => html`<hf-approval .approval=${each}></hf-approval>`)}`;
  }

  #reload(thread: Thread): void {
    thread.loading.value = "no";
    void load(thread.id);
  }

  #empty(): TemplateResult {
    const first = me()?.user.name.split(/\s+/)[0] ?? "";
    return html`<div class="empty">
      <img src="/favicon.svg" alt="" width="44" height="44">
      <h1>Hello${first ? `, ${first}` : ""}</h1>
      <p class="lead">What shall we do? What you write here is encrypted in this browser and opened only in your own vault.</p>
      <div class="suggestions">${SUGGESTIONS.map((words) => html`<button type="button" class="suggestion" @click=${() => this.#send(words)}>${words}</button>`)}</div>
    </div>`;
  }

  #outgoing(entry: Outgoing): TemplateResult {
    const waits = entry.state === "waiting" ? waitsFor(entry) : undefined;
    const words = waits
      ? ((waits === "passing" && entry.problem) || WAITS[waits])
      : entry.state === "unconfirmed"
        ? `Delivery unconfirmed. ${entry.problem ?? ""}`
        : `Not sent. ${entry.problem ?? ""}`;
    const stuck = isStuck(entry);
    return html`<article class="message user outgoing ${entry.state}" aria-label="You, ${entry.state === "not_sent" ? "not sent" : "on its way"}">
      ${entry.op === "regenerate" ? html`<div class="bubble quiet">Answer again</div>` : html`<div class="bubble">${entry.text}</div>`}
      <footer class="message-foot">
        <span class="delivery">${entry.state === "sending" ? working("Sending…") : html`${icon(stuck ? "triangle-alert" : "clock", "s")} ${words}`}</span>
        ${stuck ? html`<button class="link" type="button" @click=${() => void retry(entry.key)}>Retry</button>` : nothing}
        ${entry.state !== "sending" && entry.op !== "regenerate" ? html`<button class="link" type="button" @click=${() => void this.#takeBack(entry.key)}>Edit</button>` : nothing}
        ${entry.state !== "sending" ? html`<button class="link" type="button" @click=${() => void discard(entry.key)}>Discard</button>` : nothing}
      </footer>
      ${onlyHere.value.has(entry.key) ? notice("warn", ONLY_HERE) : nothing}
    </article>`;
  }

  async #takeBack(key: string): Promise<void> {
    const taken = await discard(key);
    if (taken) this.querySelector<Composer>("hf-composer")?.put(taken.text);
  }

  #working(thread: Thread): TemplateResult | typeof nothing {
    const { running, phase, messages } = thread.state.value;
    if (!running || starting()) return nothing;
    const last = messages.at(-1);
    const speaks = last?.role === "assistant" && last.status === "running" && last.parts.length > 0;
    const lastPart = last?.parts.at(-1);
    if (speaks && lastPart?.type === "text" && !phase) return nothing;
    const words = lastPart?.type === "tool" && speaks ? "Working" : ((phase && PHASES[phase]) ?? "Thinking");
    return html`<p class="working"><i class="pulse" aria-hidden="true"></i>${words}… ${seconds(byThisClock(running.started))}</p>`;
  }

  #send(text: string): void {
    this.#toEnd(false);
    void enqueue({ conversation: currentId(), op: "send", text }).then(() => this.#toEnd(false));
  }

  async #stop(): Promise<void> {
    try {
      await abort(currentId());
    } catch (error) {
      alertNow(`Could not stop it. ${sentence(error)}`);
    }
  }

  #editLast = (): void => {
    const own = [...this.querySelectorAll<MessageView>("hf-message")].findLast((each) => each.message.role === "user");
    if (own?.idle) own.edit();
  };

  #edited = async (event: CustomEvent<{ message: Message; text: string }>): Promise<void> => {
    const { message, text } = event.detail;
    await enqueue({ conversation: currentId(), op: "edit", message: message.id, text });
    this.#toEnd(false);
  };

  #again = async (event: CustomEvent<{ message: Message }>): Promise<void> => {
    const { message } = event.detail;
    if (ranTools(message)) {
      const sure = await confirmBox({ title: "Answer again?", words: "In this answer your agent used tools. Answering again may do the same things a second time.", yes: "Answer again" });
      if (!sure) return;
    }
    await enqueue({ conversation: currentId(), op: "regenerate", message: message.id, text: "" });
  };

  // Only the thread itself is moved.

  #scrolled = (event: Event): void => {
    const box = event.currentTarget as HTMLElement;
    this.#following.moved(stand(box));
    this.#sayAway(box);
  };

  #sayAway(box: HTMLElement): void {
    this.awayFromEnd = !this.#following.on && stand(box).below >= AT_END_PX;
  }

  #toEnd(smooth: boolean): void {
    const box = this.querySelector<HTMLElement>(".thread");
    if (!box) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    box.scrollTo({ top: box.scrollHeight, behavior: smooth && !calm ? "smooth" : "instant" });
    this.#following.begin(stand(box));
    this.#sayAway(box);
  }

  protected override updated(): void {
    const box = this.querySelector<HTMLElement>(".thread");
    const inner = this.querySelector(".thread-inner");
    if (box && inner && !this.#observer) {
      this.#observer = new ResizeObserver(() => {
        if (this.#following.on) this.#toEnd(false);
        else this.#sayAway(box);
      });
      this.#observer.observe(inner);
    }
    const id = currentId();
    if (id !== this.#shown) {
      this.#shown = id;
      this.#toEnd(false);
      if (matchMedia("(hover: hover)").matches) this.querySelector<Composer>("hf-composer")?.focus();
    }
  }
}

function stand(box: HTMLElement): Stand {
  return { above: box.scrollTop, below: box.scrollHeight - box.scrollTop - box.clientHeight };
}

customElements.define("hf-chat", ChatPage);
