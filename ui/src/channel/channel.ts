/**
 * An established channel: requests with answers, events, cancellation. It is only handed out after the keeper's first frame
 * has opened, which proves that the other end knows the session key. A connection that has gone silent is closed: the page is
 * not told of the platform's pings, and the operating system may take a quarter of an hour to notice.
 */
import { fromUtf8, utf8 } from "./bytes";
import { FrameOpener, FrameSealer, JSON_KIND } from "./frames";
import type { DirectionKeys } from "./keys";
import { ChannelError, type KeeperMessage, type ReadyEvent } from "./messages";
import type { Wire, WireMessage } from "./wire";

/** A request that has no answer by then is given up; what it did is unknown. */
export const ANSWER_MS = 30_000;
/** How long the keeper may take for a look at whether it is there. */
export const PROBE_MS = 10_000;

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

function tampered(error: unknown): ChannelError {
  return new ChannelError("tampered", error instanceof Error ? error.message : String(error));
}

export class Channel {
  readonly ready: ReadyEvent;
  readonly #wire: Wire;
  readonly #sealer: FrameSealer;
  readonly #opener: FrameOpener;
  readonly #pending = new Map<number, Pending>();
  readonly #early: [string, unknown][] = [];
  #nextId = 1;
  /** How many frames of the other end have opened. */
  #heard = 0;
  #probing = false;
  #onEvent: ((event: string, data: unknown) => void) | undefined;
  onclose: ((error: ChannelError) => void) | undefined;
  #ended: ChannelError | undefined;

  /** Rejects an end that cannot seal the first frame: it does not know the keys, so it is not the keeper. */
  static establish(wire: Wire, keys: DirectionKeys, first: Uint8Array): Channel {
    const opener = new FrameOpener(keys.keeperToClient);
    let message: { event?: string; data?: ReadyEvent };
    try {
      const { kind, body } = opener.open(first);
      message = kind === JSON_KIND ? (JSON.parse(fromUtf8(body)) as typeof message) : {};
    } catch (error) {
      throw tampered(error);
    }
    if (message.event !== "ready" || !message.data) throw new ChannelError("malformed", "The other end answered out of order.");
    return new Channel(wire, new FrameSealer(keys.clientToKeeper), opener, message.data);
  }

  private constructor(wire: Wire, sealer: FrameSealer, opener: FrameOpener, ready: ReadyEvent) {
    this.ready = ready;
    this.#wire = wire;
    this.#sealer = sealer;
    this.#opener = opener;
    wire.onclose = () => this.#end(new ChannelError("closed", "The connection ended."));
    wire.consume((message) => this.#receive(message));
  }

  /** Where events go; those that came before are handed over now. */
  listen(onEvent: (event: string, data: unknown) => void): void {
    this.#onEvent = onEvent;
    for (const [event, data] of this.#early.splice(0)) onEvent(event, data);
  }

  #receive(raw: WireMessage): void {
    if (this.#ended) return;
    let message: KeeperMessage;
    try {
      if (typeof raw === "string") throw new ChannelError("malformed", "A message came in clear inside the encrypted connection.");
      const { kind, body } = this.#opener.open(raw);
      if (kind !== JSON_KIND) throw new ChannelError("malformed", "A message had an unknown kind.");
      message = JSON.parse(fromUtf8(body)) as KeeperMessage;
      this.#heard++;
    } catch (error) {
      // Dropped, repeated, changed or invented: nothing on this connection can be trusted any more.
      this.#end(error instanceof ChannelError ? error : tampered(error));
      this.#wire.close();
      return;
    }
    if ("event" in message) {
      if (this.#onEvent) this.#onEvent(message.event, message.data);
      else this.#early.push([message.event, message.data]);
      return;
    }
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if ("error" in message) pending?.reject(ChannelError.from(message.error));
    else pending?.resolve(message.result);
  }

  #end(error: ChannelError): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    this.onclose?.(error);
  }

  get closed(): boolean {
    return this.#ended !== undefined;
  }

  /** Asks the keeper. Rejects with {@link ChannelError}; code `no_answer` or `closed` means that it may have been done. */
  request<T>(method: string, params: object = {}, options: { signal?: AbortSignal; answerMs?: number } = {}): Promise<T> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    const heard = this.#heard;
    return new Promise<T>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        options.signal?.removeEventListener("abort", cancel);
        this.#pending.delete(id);
      };
      const giveUp = (error: ChannelError) => {
        settle();
        if (!this.#ended) this.#send({ cancel: id });
        reject(error);
      };
      const cancel = () => giveUp(new ChannelError("cancelled", "Cancelled."));
      const timer = setTimeout(() => {
        giveUp(new ChannelError("no_answer", "There was no answer in time."));
        // Nothing at all since then, though all is sent: dead. Else it may only be slow, or behind something large.
        if (this.#heard === heard && this.#wire.unsent === 0) this.#silent();
        else this.probe();
      }, options.answerMs ?? ANSWER_MS);
      options.signal?.addEventListener("abort", cancel, { once: true });
      this.#pending.set(id, {
        resolve: (result) => {
          settle();
          resolve(result as T);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      try {
        this.#send({ id, method, params });
      } catch (error) {
        settle();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** Looks whether the other end is still there, and closes the connection if it says nothing. Does not keep the vault from locking. */
  probe(): void {
    if (this.#ended || this.#probing) return;
    this.#probing = true;
    const heard = this.#heard;
    let unsent = this.#wire.unsent;
    const look = () => {
      if (this.#ended || this.#heard !== heard) {
        this.#probing = false;
        return;
      }
      // Something large goes out before it, and does go out.
      if (this.#wire.unsent < unsent) {
        unsent = this.#wire.unsent;
        setTimeout(look, PROBE_MS);
      } else this.#silent();
    };
    this.#send({ id: this.#nextId++, method: "vault.status", params: {} });
    setTimeout(look, PROBE_MS);
  }

  #silent(): void {
    this.#end(new ChannelError("closed", "The connection had gone silent."));
    this.#wire.close();
  }

  #send(message: object): void {
    this.#wire.send(this.#sealer.seal(JSON_KIND, utf8(JSON.stringify(message))));
  }

  close(): void {
    this.#end(new ChannelError("closed", "The connection was closed."));
    this.#wire.close();
  }
}
