/** The known answers of the keeper's side (`crates/vault/tests/vectors`): both ends must derive, seal and log in the same. */
import { readFileSync } from "node:fs";
import { client, ready, server } from "@serenity-kit/opaque";
import { beforeAll, describe, expect, it } from "vitest";
import { fromBase64Url, toBase64Url, utf8 } from "../src/channel/bytes";
import { FrameOpener, FrameSealer, JSON_KIND } from "../src/channel/frames";
import { directionKeys, resumedSessionKey, sealResumeSecret, slotKek } from "../src/channel/keys";
import { identifiers, normalisedPassword } from "../src/channel/opaque-names";

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../crates/vault/tests/vectors/${name}.json`, import.meta.url), "utf8")) as T;
}

function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

describe("the known answers", () => {
  it("of the key schedule", async () => {
    const { kek, channel, resumption } = vectors<{
      kek: { export_key: string; slot: string; kek: string };
      channel: { session_key: string; client_to_keeper: string; keeper_to_client: string };
      resumption: { secret: string; client_nonce: string; keeper_nonce: string; session_key: string; client_to_keeper: string; keeper_to_client: string };
    }>("key-schedule");
    expect(toHex(slotKek(hex(kek.export_key), kek.slot))).toBe(kek.kek);
    const keys = directionKeys(hex(channel.session_key));
    expect([toHex(keys.clientToKeeper), toHex(keys.keeperToClient)]).toEqual([channel.client_to_keeper, channel.keeper_to_client]);
    const session = await resumedSessionKey(await sealResumeSecret(hex(resumption.secret)), hex(resumption.client_nonce), hex(resumption.keeper_nonce));
    expect(toHex(session)).toBe(resumption.session_key);
    const resumed = directionKeys(session);
    expect([toHex(resumed.clientToKeeper), toHex(resumed.keeperToClient)]).toEqual([resumption.client_to_keeper, resumption.keeper_to_client]);
  });

  it("of frames, in both directions", () => {
    const { key, frames } = vectors<{ key: string; frames: { frame: string; json: string }[] }>("frames");
    const sealer = new FrameSealer(hex(key));
    const opener = new FrameOpener(hex(key));
    for (const { frame, json } of frames) {
      expect(toHex(sealer.seal(JSON_KIND, utf8(json)))).toBe(frame);
      const { kind, body } = opener.open(hex(frame));
      expect([kind, new TextDecoder().decode(body)]).toEqual([JSON_KIND, json]);
    }
  });
});

describe("OPAQUE with the keeper's registration", () => {
  const vector = vectors<{ cell: string; slot: string; password: string; opaque_secret: string; record: string; server_setup: string; export_key: string; kek: string }>("opaque");
  const names = identifiers(vector.slot, vector.cell);

  beforeAll(() => ready);

  function login(password: string, cell = vector.cell) {
    const secret = normalisedPassword(password);
    const { clientLoginState, startLoginRequest } = client.startLogin({ password: secret });
    const { serverLoginState, loginResponse } = server.startLogin({
      serverSetup: toBase64Url(hex(vector.server_setup)),
      userIdentifier: vector.slot,
      registrationRecord: toBase64Url(hex(vector.record)),
      startLoginRequest,
      identifiers: names,
    });
    const result = client.finishLogin({ password: secret, clientLoginState, loginResponse, identifiers: identifiers(vector.slot, cell), keyStretching: "memory-constrained" });
    return { result, serverLoginState };
  }

  it("gives the known export key and key-encryption key, and one session key on both sides", () => {
    expect(toHex(utf8(normalisedPassword(vector.password)))).toBe(vector.opaque_secret);
    const { result, serverLoginState } = login(vector.password);
    expect(toHex(fromBase64Url(result?.exportKey ?? ""))).toBe(vector.export_key);
    expect(toHex(slotKek(fromBase64Url(result?.exportKey ?? ""), vector.slot))).toBe(vector.kek);
    const { sessionKey } = server.finishLogin({ serverLoginState, finishLoginRequest: result?.finishLoginRequest ?? "", identifiers: names });
    expect(result?.sessionKey).toBe(sessionKey);
  });

  it("refuses a wrong password and a keeper of another cell", () => {
    expect(login("Grüße, 2 Pferde").result).toBeUndefined();
    expect(login(vector.password, "0198a2c4-1b7e-7c3a-9d11-00000000ffff").result).toBeUndefined();
  });
});
