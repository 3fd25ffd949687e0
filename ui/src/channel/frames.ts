/**
 * Frames of an established channel (docs/protocol.md, section 1.3): `0x01 || counter || XChaCha20-Poly1305`. A frame that is
 * repeated, out of order, cut or changed does not open, and the connection ends.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { type Bytes, utf8 } from "./bytes";

const VERSION = 0x01;
const HEADER = 9;
const TAG = 16;
const ASSOCIATED = utf8("holdfast/frame/v1");

/** Largest frame that either side accepts (`protocol::limits::FRAME_BYTES`). */
export const FRAME_BYTES = 1024 * 1024;
/** Kind byte of a JSON body. */
export const JSON_KIND = 0x00;

export class FrameError extends Error {
  override name = "FrameError";
}

function nonce(counter: bigint): Bytes {
  const bytes = new Uint8Array(24);
  new DataView(bytes.buffer).setBigUint64(16, counter);
  return bytes;
}

/** Seals what goes out; one for each direction and connection. */
export class FrameSealer {
  #counter = 0n;
  readonly #key: Bytes;

  constructor(key: Bytes) {
    this.#key = key;
  }

  seal(kind: number, body: Uint8Array): Bytes {
    if (body.length + 1 + TAG + HEADER > FRAME_BYTES) throw new FrameError("a message may have at most 1 MiB");
    const plain = new Uint8Array(body.length + 1);
    plain[0] = kind;
    plain.set(body, 1);
    const sealed = xchacha20poly1305(this.#key, nonce(this.#counter), ASSOCIATED).encrypt(plain);
    const frame = new Uint8Array(HEADER + sealed.length);
    frame[0] = VERSION;
    new DataView(frame.buffer).setBigUint64(1, this.#counter);
    frame.set(sealed, HEADER);
    this.#counter += 1n;
    return frame;
  }
}

/** Opens what comes in, in order. */
export class FrameOpener {
  #counter = 0n;
  readonly #key: Bytes;

  constructor(key: Bytes) {
    this.#key = key;
  }

  open(frame: Uint8Array): { kind: number; body: Uint8Array } {
    if (frame.length > FRAME_BYTES) throw new FrameError("the frame is larger than 1 MiB");
    if (frame.length < HEADER + TAG + 1 || frame[0] !== VERSION) throw new FrameError("the frame has an unknown form");
    const counter = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getBigUint64(1);
    if (counter !== this.#counter) throw new FrameError("a frame was repeated, dropped or moved");
    let plain: Uint8Array;
    try {
      plain = xchacha20poly1305(this.#key, nonce(counter), ASSOCIATED).decrypt(frame.subarray(HEADER));
    } catch {
      throw new FrameError("a frame was changed on its way");
    }
    this.#counter += 1n;
    return { kind: plain[0] ?? 0xff, body: plain.subarray(1) };
  }
}
