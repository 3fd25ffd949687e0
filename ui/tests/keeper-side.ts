/** A socket of the browser's whose other end a test plays: it hears what the page sends, and says what a keeper would, sealed as a keeper does. */
import { fromUtf8, utf8 } from "../src/channel/bytes";
import { FrameOpener, FrameSealer, JSON_KIND } from "../src/channel/frames";
import type { DirectionKeys } from "../src/channel/keys";
import { ChannelError } from "../src/channel/messages";

export interface Call {
  id: number;
  method: string;
  params: Record<string, unknown>;
}

export class FakeSocket extends EventTarget {
  static opened: FakeSocket[] = [];
  /** Told of each new socket, so that a test can play the handshake. */
  static onopen: ((socket: FakeSocket) => void) | undefined;

  binaryType = "blob";
  bufferedAmount = 0;
  closed = false;
  readonly sent: (string | Uint8Array)[] = [];
  onsend: ((message: string | Uint8Array) => void) | undefined;

  constructor() {
    super();
    FakeSocket.opened.push(this);
    FakeSocket.onopen?.(this);
    queueMicrotask(() => this.dispatchEvent(new Event("open")));
  }

  send(message: string | Uint8Array): void {
    this.sent.push(message);
    this.onsend?.(message);
  }

  /** As over a dead line: the other end does not hear of it, and nothing is said here. */
  close(): void {
    this.closed = true;
  }

  deliver(message: string | Uint8Array): void {
    const data = typeof message === "string" ? message : message.slice().buffer;
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
}

/** The keeper's end of an established channel. */
export class KeeperSide {
  readonly calls: Call[] = [];
  readonly #socket: FakeSocket;
  readonly #opener: FrameOpener;
  readonly #sealer: FrameSealer;
  /** What it answers to a call; undefined is no answer, and an error a refusal. */
  answer: (call: Call) => unknown = () => undefined;

  constructor(socket: FakeSocket, keys: DirectionKeys) {
    this.#socket = socket;
    this.#opener = new FrameOpener(keys.clientToKeeper);
    this.#sealer = new FrameSealer(keys.keeperToClient);
    socket.onsend = (frame) => {
      if (typeof frame === "string") return;
      const message = JSON.parse(fromUtf8(this.#opener.open(frame.slice()).body)) as Call | { cancel: number };
      if (!("method" in message)) return;
      this.calls.push(message);
      const result = this.answer(message);
      if (result === undefined) return;
      const said = result instanceof ChannelError ? { error: { code: result.code, message: result.message, retry_after_ms: result.retryAfterMs } } : { result };
      queueMicrotask(() => this.#socket.deliver(this.seal({ id: message.id, ...said })));
    };
  }

  seal(message: object): Uint8Array {
    return this.#sealer.seal(JSON_KIND, utf8(JSON.stringify(message)));
  }

  say(event: string, data: unknown): void {
    this.#socket.deliver(this.seal({ event, data }));
  }

  get methods(): string[] {
    return this.calls.map(({ method }) => method);
  }
}
