/**
 * A keeper as the browser sees it, with the real other side of OPAQUE (the server of `@serenity-kit/opaque`, which is opaque-ke as in
 * the keeper), and a platform before it that passes on what a test makes of each message.
 */
import { readFileSync } from "node:fs";
import { client, server } from "@serenity-kit/opaque";
import { fromBase64Url, randomBytes, toBase64Url, type Bytes } from "../src/channel/bytes";
import { directionKeys } from "../src/channel/keys";
import { identifiers, normalisedPassword } from "../src/channel/opaque-names";
import { type Call, type FakeSocket, KeeperSide } from "./keeper-side";

const vector = JSON.parse(readFileSync(new URL("../../crates/vault/tests/vectors/opaque.json", import.meta.url), "utf8")) as Record<"cell" | "slot" | "password" | "record" | "server_setup" | "keeper_public_key", string>;

function hex(text: string): Bytes {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

export const CELL = vector.cell;
export const SLOT = vector.slot;
export const PASSWORD = vector.password;
export const KEEPER_KEY = toBase64Url(hex(vector.keeper_public_key));

type Cost = "memory-constrained" | { "argon2id-custom": { iterations: number; memory: number; parallelism: number } };

/** A message in clear. */
export type Said = Record<string, unknown> & { type: string };

export class OpaqueKeeper {
  setup: string;
  /** Of the one slot; none while the vault is new. */
  record: string | undefined;
  version = 1;
  /** What the platform makes of what the keeper says in clear, and of the first frames. */
  tell: (message: Said) => (Said | string | Uint8Array)[] = (message) => [message];
  frames: (frames: Uint8Array[], keeper: KeeperSide) => (Uint8Array | string)[] = (frames) => frames;
  answer: (call: Call) => unknown = () => ({});
  /** All that the page said in clear. */
  readonly heard: Said[] = [];

  private constructor(setup: string, record: string | undefined) {
    this.setup = setup;
    this.record = record;
  }

  /** The one whose registration is kept with the source, as the keeper wrote it. */
  static recorded(): OpaqueKeeper {
    return new OpaqueKeeper(toBase64Url(hex(vector.server_setup)), toBase64Url(hex(vector.record)));
  }

  static empty(): OpaqueKeeper {
    return new OpaqueKeeper(server.createSetup(), undefined);
  }

  /** One with keys of its own, in which somebody registered a password. */
  static registered(password: string, keyStretching: Cost = "memory-constrained", slot = SLOT): OpaqueKeeper {
    const keeper = OpaqueKeeper.empty();
    const secret = normalisedPassword(password);
    const { clientRegistrationState, registrationRequest } = client.startRegistration({ password: secret });
    const { registrationResponse } = server.createRegistrationResponse({ serverSetup: keeper.setup, userIdentifier: slot, registrationRequest });
    keeper.record = client.finishRegistration({ password: secret, clientRegistrationState, registrationResponse, identifiers: identifiers(slot, CELL), keyStretching }).registrationRecord;
    return keeper;
  }

  get types(): string[] {
    return this.heard.map(({ type }) => type);
  }

  /** Takes a connection. */
  serve = (socket: FakeSocket): void => {
    const say = (message: Said) => {
      for (const told of this.tell(message)) socket.deliver(typeof told === "string" || told instanceof Uint8Array ? told : JSON.stringify(told));
    };
    let state = "";
    socket.onsend = (text) => {
      const said = JSON.parse(text as string) as Said & Record<string, string>;
      this.heard.push(said);
      switch (said.type) {
        case "hello": {
          const slots = this.record === undefined ? [] : [{ id: SLOT, kind: "password", name: "" }];
          return say({ type: "hello", version: this.version, cell: CELL, vault: this.record === undefined ? "new" : "locked", slots });
        }
        case "register_start": {
          const { registrationResponse } = server.createRegistrationResponse({ serverSetup: this.setup, userIdentifier: SLOT, registrationRequest: said.request ?? "" });
          return say({ type: "register_response", slot: SLOT, response: registrationResponse });
        }
        case "register_finish":
          this.record = said.record ?? "";
          return say({ type: "registered", slot: SLOT });
        case "login_start": {
          const slot = said.slot ?? "";
          const begun = server.startLogin({ serverSetup: this.setup, userIdentifier: slot, registrationRecord: this.record, startLoginRequest: said.request ?? "", identifiers: identifiers(slot, CELL) });
          state = begun.serverLoginState;
          return say({ type: "login_response", response: begun.loginResponse, retry_after_ms: 0 });
        }
        case "login_finish": {
          const { sessionKey } = server.finishLogin({ serverLoginState: state, finishLoginRequest: said.finish ?? "", identifiers: identifiers(said.slot ?? "", CELL) });
          return this.#stands(socket, fromBase64Url(sessionKey));
        }
      }
    };
  };

  #stands(socket: FakeSocket, sessionKey: Bytes): void {
    const keeper = new KeeperSide(socket, directionKeys(sessionKey));
    keeper.answer = (call) => this.answer(call);
    const ready = { ticket: toBase64Url(randomBytes(32)), secret: toBase64Url(randomBytes(32)), vault: "locked" };
    const first = [keeper.seal({ event: "ready", data: ready }), keeper.seal({ event: "cell", data: { phase: "asleep", since: 0 } })];
    for (const frame of this.frames(first, keeper)) socket.deliver(frame);
  }
}
