/** A WebSocket as a queue: messages are kept in order until someone takes them, so that none falls between two steps of a handshake. */
import { ChannelError } from "./messages";

export type WireMessage = string | Uint8Array<ArrayBuffer>;

/** A connection that does not stand by then is given up: the network may be another one by now. */
export const CONNECT_MS = 20_000;

export class Wire {
  readonly #socket: WebSocket;
  readonly #queue: WireMessage[] = [];
  #waiting: { resolve: (message: WireMessage) => void; reject: (error: Error) => void } | undefined;
  #consumer: ((message: WireMessage) => void) | undefined;
  #closed: ChannelError | undefined;
  onclose: (() => void) | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", (event: MessageEvent<string | ArrayBuffer>) => {
      this.#take(typeof event.data === "string" ? event.data : new Uint8Array(event.data));
    });
    socket.addEventListener("close", (event) => this.#end(event.reason));
  }

  static open(url: string, protocols: string[]): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, protocols);
      socket.binaryType = "arraybuffer";
      const wire = new Wire(socket);
      const unreachable = () => {
        clearTimeout(timer);
        reject(new ChannelError("unreachable", "Your agent's address does not answer."));
      };
      const timer = setTimeout(() => {
        unreachable();
        wire.close();
      }, CONNECT_MS);
      socket.addEventListener(
        "open",
        () => {
          clearTimeout(timer);
          resolve(wire);
        },
        { once: true },
      );
      socket.addEventListener("close", unreachable, { once: true });
    });
  }

  #take(message: WireMessage): void {
    if (this.#consumer) this.#consumer(message);
    else if (this.#waiting) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve(message);
    } else this.#queue.push(message);
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.#closed = new ChannelError("closed", reason || "The connection ended.");
    this.#waiting?.reject(this.#closed);
    this.#waiting = undefined;
    this.onclose?.();
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** How many bytes wait here to be sent. */
  get unsent(): number {
    return this.#socket.bufferedAmount;
  }

  /** The next message, in order. A connection that brings none for this long is closed: it may be dead without anybody having said so. */
  next(limitMs: number): Promise<WireMessage> {
    const first = this.#queue.shift();
    if (first !== undefined) return Promise.resolve(first);
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.close(), limitMs);
      this.#waiting = {
        resolve: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  /** From now on, and for all that is queued: every message goes here. */
  consume(consumer: (message: WireMessage) => void): void {
    this.#consumer = consumer;
    for (const message of this.#queue.splice(0)) consumer(message);
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.#closed) throw this.#closed;
    this.#socket.send(message);
  }

  close(): void {
    this.#socket.close();
    this.#end("");
  }
}
