/** Requests, shares and sealed messages must be the same here as in the keepers (`crates/vault/tests/vectors`). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { toBase64Url } from "../src/channel/bytes";
import { makeKey, type OneTimeKey, openSealedTo, SealedToError } from "../src/channel/sealed-to";
import { decodeShare, encodeRequest, joinShares, requestCode, requestId } from "../src/channel/shares";
import { differs } from "../src/trust/recovery";

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../crates/vault/tests/vectors/${name}.json`, import.meta.url), "utf8")) as T;
}

function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function toHex(bytes: Uint8Array | undefined): string {
  return [...(bytes ?? [])].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

describe("recovery by contacts", () => {
  const { secret, shares, request } = vectors<{
    secret: string;
    shares: string[];
    request: { cell: string; slot: string; key: string; made: number; encoded: string; id: string; code: string };
  }>("recovery");
  const read = shares.map((share) => decodeShare(hex(share)));

  it("joins any three of five shares to the known secret, and two to nothing", () => {
    for (const chosen of [[0, 1, 2], [4, 2, 0], [1, 3, 4], [0, 1, 2, 3, 4]]) expect(toHex(joinShares(chosen.map((at) => read[at])).secret)).toBe(secret);
    expect(joinShares([read[0], read[3]])).toEqual({ secret: undefined, have: 2, threshold: 3, wrong: [] });
    expect(joinShares([read[0], read[0], read[1]]).secret, "one share twice is one share").toBeUndefined();
  });

  it("names a share that was changed or belongs to another recovery", () => {
    const changed = hex(shares[1] ?? "");
    changed[changed.length - 1] = (changed[changed.length - 1] ?? 0) ^ 1;
    expect(decodeShare(changed)).toBeUndefined();
    const elsewhere = { ...read[1]!, set: "another" };
    for (const wrong of [decodeShare(changed), elsewhere]) {
      const joined = joinShares([read[0], wrong, read[2], read[3]]);
      expect(toHex(joined.secret)).toBe(secret);
      expect(joined.wrong).toEqual([1]);
    }
  });

  it("reads no share from what is none", () => {
    for (let length = 0; length < 80; length++) expect(decodeShare(crypto.getRandomValues(new Uint8Array(length)))).toBeUndefined();
  });

  it("makes the known request, with its id and its code", () => {
    const bytes = encodeRequest({ cell: request.cell, slot: request.slot, key: hex(request.key), made: request.made });
    expect(toHex(bytes)).toBe(request.encoded);
    expect([requestId(bytes), requestCode(bytes)]).toEqual([request.id, request.code]);
  });
});

describe("what the platform knows of the contacts", () => {
  const own = { slot: "s", version: 1, threshold: 2, wait_ms: 5, made: 0, contacts: [{ user: "a", name: "A" }, { user: "b", name: "B" }], signature: "" };
  const seen = { threshold: 2, wait_ms: 5, contacts: [{ id: "b", name: "B" }, { id: "a", name: "A" }] };

  it("is told again only where it is not what the keeper has", () => {
    expect(differs(own, seen)).toBe(false);
    for (const other of [{ contacts: [] }, { contacts: seen.contacts.slice(1) }, { contacts: [{ id: "a", name: "" }, { id: "c", name: "" }] }, { threshold: 3 }, { wait_ms: 0 }])
      expect(differs(own, { ...seen, ...other }), JSON.stringify(other)).toBe(true);
  });
});

describe("what is sealed to a key", () => {
  const { sender, receiver, sealed } = vectors<{
    sender: { bundle: string };
    receiver: { secret: string; bundle: string };
    sealed: { purpose: string; context: string; message: string; sealed: string };
  }>("identity");

  async function key(): Promise<OneTimeKey> {
    const [d, x] = [hex(receiver.secret).slice(33), hex(receiver.bundle).slice(33, 65)];
    const jwk = { kty: "OKP", crv: "X25519", d: toBase64Url(d), x: toBase64Url(x) };
    return { secret: await crypto.subtle.importKey("jwk", jwk, { name: "X25519" }, false, ["deriveBits"]), public: x };
  }

  it("opens for that key, and names its sender", async () => {
    const opened = await openSealedTo(await key(), sealed.purpose, hex(sealed.context), hex(sealed.sealed));
    expect([toHex(opened.sender), toHex(opened.message)]).toEqual([sender.bundle, sealed.message]);
  });

  it("opens for no other key, purpose or context, and not when a byte was changed", async () => {
    const right = await key();
    const bytes = hex(sealed.sealed);
    const refused = async (opened: Promise<unknown>) => expect(opened).rejects.toBeInstanceOf(SealedToError);
    await refused(openSealedTo(await makeKey(), sealed.purpose, hex(sealed.context), bytes));
    await refused(openSealedTo(right, "another", hex(sealed.context), bytes));
    await refused(openSealedTo(right, sealed.purpose, hex("00"), bytes));
    for (const at of [0, 1, 40, 100, 200, bytes.length - 1]) {
      const changed = new Uint8Array(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await refused(openSealedTo(right, sealed.purpose, hex(sealed.context), changed));
    }
  });
});
