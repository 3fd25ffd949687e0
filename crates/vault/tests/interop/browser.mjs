// The browser's end, as docs/protocol.md has it, with the browser's own libraries. Speaks JSON lines with the test that runs it:
// one command a line on standard input, one answer a line on standard output.

import { createInterface } from "node:readline";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import * as opaque from "@serenity-kit/opaque";

await opaque.ready;

const keyStretching = "memory-constrained";
const identifiers = ({ cell, slot }) => ({ client: `holdfast/slot/${slot}`, server: `holdfast/cell/${cell}` });
const hex = (base64url) => bytesToHex(new Uint8Array(Buffer.from(base64url, "base64url")));
const derive = (ikm, salt, info, length) => hkdf(sha512, ikm, salt, utf8ToBytes(info), length);
const none = new Uint8Array();

let state;

const commands = {
  registerStart({ password }) {
    const started = opaque.client.startRegistration({ password: password.normalize("NFKC") });
    state = started.clientRegistrationState;
    return { request: started.registrationRequest };
  },
  registerFinish({ password, response, ...names }) {
    const finished = opaque.client.finishRegistration({
      password: password.normalize("NFKC"),
      clientRegistrationState: state,
      registrationResponse: response,
      identifiers: identifiers(names),
      keyStretching,
    });
    return {
      record: finished.registrationRecord,
      exportKey: hex(finished.exportKey),
      publicKey: hex(finished.serverStaticPublicKey),
    };
  },
  loginStart({ password }) {
    const started = opaque.client.startLogin({ password: password.normalize("NFKC") });
    state = started.clientLoginState;
    return { request: started.startLoginRequest };
  },
  loginFinish({ password, response, ...names }) {
    const finished = opaque.client.finishLogin({
      password: password.normalize("NFKC"),
      clientLoginState: state,
      loginResponse: response,
      identifiers: identifiers(names),
      keyStretching,
    });
    if (!finished) return { refused: true };
    return {
      finish: finished.finishLoginRequest,
      sessionKey: hex(finished.sessionKey),
      exportKey: hex(finished.exportKey),
      publicKey: hex(finished.serverStaticPublicKey),
    };
  },
  keySchedule({ exportKey, slot, sessionKey, secret, clientNonce, keeperNonce }) {
    const channel = (key) => ({
      client_to_keeper: bytesToHex(derive(key, none, "holdfast/channel/v1/client-to-keeper", 32)),
      keeper_to_client: bytesToHex(derive(key, none, "holdfast/channel/v1/keeper-to-client", 32)),
    });
    const salt = concatBytes(hexToBytes(clientNonce), hexToBytes(keeperNonce));
    const resumed = derive(hexToBytes(secret), salt, "holdfast/channel/v1/resume", 64);
    return {
      kek: bytesToHex(derive(hexToBytes(exportKey), none, `holdfast/kek/v1/${slot}`, 32)),
      channel: channel(hexToBytes(sessionKey)),
      resumption: { session_key: bytesToHex(resumed), ...channel(resumed) },
    };
  },
  seal({ key, counter, json }) {
    const number = new Uint8Array(8);
    new DataView(number.buffer).setBigUint64(0, BigInt(counter));
    const nonce = concatBytes(new Uint8Array(16), number);
    const cipher = xchacha20poly1305(hexToBytes(key), nonce, utf8ToBytes("holdfast/frame/v1"));
    const sealed = cipher.encrypt(concatBytes(Uint8Array.of(0), utf8ToBytes(json)));
    return { frame: bytesToHex(concatBytes(Uint8Array.of(1), number, sealed)) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...parameters } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(commands[command](parameters))}\n`);
}
