/**
 * The handshake of a channel, in clear (docs/protocol.md, section 1.1). Nothing that the platform could say here is believed:
 * a keeper that does not hold the registration, or does not know the resume secret, cannot complete it.
 */
import { Channel } from "./channel";
import { fromBase64Url, randomBytes, toBase64Url, type Bytes } from "./bytes";
import { directionKeys, resumedSessionKey, slotKek } from "./keys";
import { ChannelError, type Hello, type KeeperHandshake, type SlotKind } from "./messages";
import { OpaqueClient } from "./opaque";
import { identifiers } from "./opaque-names";
import { Wire, type WireMessage } from "./wire";

export const VERSION = 1;

/** How long the keeper may take for one step. */
const STEP_MS = 30_000;
/** How long the platform may be silent while it starts the keeper. */
const HELLO_MS = 150_000;

export type PlatformHint = "starting_keeper" | "connected";

export interface LoggedIn {
  channel: Channel;
  slot: string;
  kek: Bytes;
  /** The public key that the keeper has proved to have, to know it again. */
  keeper: string;
}

function outOfOrder(): ChannelError {
  return new ChannelError("malformed", "The other end answered out of order.");
}

/** A message in clear; anything else is refused. */
function said(raw: WireMessage): KeeperHandshake {
  if (typeof raw !== "string") throw outOfOrder();
  let message: KeeperHandshake | null;
  try {
    message = JSON.parse(raw) as KeeperHandshake | null;
  } catch {
    message = null;
  }
  if (typeof message?.type !== "string") throw new ChannelError("malformed", "The other end's answer is not of this protocol.");
  return message;
}

export class Handshake {
  readonly hello: Hello;
  readonly #wire: Wire;

  private constructor(wire: Wire, hello: Hello) {
    this.#wire = wire;
    this.hello = hello;
  }

  /** Opens the WebSocket and says hello; the platform may take a while to start the keeper and says so through `onHint`. */
  static async open(url: string, token: string, onHint: (phase: PlatformHint) => void): Promise<Handshake> {
    const wire = await Wire.open(url, ["holdfast.channel.v1", `holdfast.token.${token}`]);
    try {
      wire.send(JSON.stringify({ type: "hello", version: VERSION }));
      const hello = await Handshake.#answer(wire, "hello", HELLO_MS, onHint);
      if (hello.version !== VERSION) throw new ChannelError("version", "This page and your vault speak different versions. Reload the page.");
      return new Handshake(wire, hello);
    } catch (error) {
      wire.close();
      throw error;
    }
  }

  static async #answer<T extends KeeperHandshake["type"]>(
    wire: Wire,
    type: T,
    limitMs: number,
    onHint?: (phase: PlatformHint) => void,
  ): Promise<Extract<KeeperHandshake, { type: T }>> {
    for (;;) {
      const message = said(await wire.next(limitMs));
      if (message.type === "platform") onHint?.(message.phase);
      else if (message.type === "platform_error") throw new ChannelError(message.code, message.message);
      else if (message.type === "error") throw ChannelError.from(message);
      else if (message.type === type) return message as Extract<KeeperHandshake, { type: T }>;
      else throw outOfOrder();
    }
  }

  #ask<T extends KeeperHandshake["type"]>(message: object, type: T): Promise<Extract<KeeperHandshake, { type: T }>> {
    this.#wire.send(JSON.stringify(message));
    return Handshake.#answer(this.#wire, type, STEP_MS);
  }

  get closed(): boolean {
    return this.#wire.closed;
  }

  onclose(then: () => void): void {
    this.#wire.onclose = then;
  }

  close(): void {
    this.#wire.close();
  }

  /** Makes the first keyslot of a new vault; the claim shows that this is the vault's owner. */
  async register(claim: string, kind: SlotKind, secret: string): Promise<string> {
    const opaque = new OpaqueClient(secret);
    try {
      const { state, request } = await opaque.startRegistration();
      const { slot, response } = await this.#ask({ type: "register_start", claim, kind, request }, "register_response");
      const { record } = await opaque.finishRegistration(state, response, identifiers(slot, this.hello.cell));
      await this.#ask({ type: "register_finish", slot, record }, "registered");
      return slot;
    } finally {
      opaque.close();
    }
  }

  /** With `known`, a keeper that has another public key is refused, and nothing more is sent to it. */
  async login(slot: string, secret: string, known?: string): Promise<LoggedIn> {
    const opaque = new OpaqueClient(secret);
    try {
      const { state, request } = await opaque.startLogin();
      const { response, retry_after_ms } = await this.#ask({ type: "login_start", slot, request }, "login_response");
      const result = await opaque.finishLogin(state, response, identifiers(slot, this.hello.cell));
      if (result === null) throw new ChannelError("wrong_secret", "That is not right.", retry_after_ms);
      if (known !== undefined && known !== result.keeper) throw new ChannelError("other_keeper", "This keeper has another public key than the one that is known.");
      const kek = slotKek(result.exportKey, slot);
      this.#wire.send(JSON.stringify({ type: "login_finish", slot, finish: result.finish }));
      const channel = await this.#established(result.sessionKey);
      return { channel, slot, kek, keeper: result.keeper };
    } finally {
      opaque.close();
    }
  }

  async resume(ticket: Uint8Array, secret: CryptoKey): Promise<Channel> {
    const nonce = randomBytes(32);
    const { nonce: keeperNonce } = await this.#ask({ type: "resume", ticket: toBase64Url(ticket), nonce: toBase64Url(nonce) }, "resumed");
    return this.#established(await resumedSessionKey(secret, nonce, fromBase64Url(keeperNonce)));
  }

  /** The first message decides: an encrypted frame that opens proves the other end, an error in clear is a refusal. */
  async #established(sessionKey: Bytes): Promise<Channel> {
    const first = await this.#wire.next(STEP_MS);
    if (typeof first === "string") {
      const message = said(first);
      throw message.type === "error" ? ChannelError.from(message) : outOfOrder();
    }
    return Channel.establish(this.#wire, directionKeys(sessionKey), first);
  }
}
