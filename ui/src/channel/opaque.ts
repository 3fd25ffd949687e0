/** OPAQUE as the channel uses it. The worker lives for one attempt, so its memory goes when the attempt is over. */
import { fromBase64Url, type Bytes } from "./bytes";
import { ChannelError } from "./messages";
import type { Identifiers } from "./opaque-names";
import type { OpaqueAnswer, OpaqueCall } from "./opaque.worker";
import { opaqueWorker } from "./trusted-urls";

/** What a log-in gives; the keeper has proved that it has the registration. */
export interface Proved {
  finish: string;
  sessionKey: Bytes;
  exportKey: Bytes;
  /** The keeper's public key, base64url. */
  keeper: string;
}

export class OpaqueClient {
  readonly #worker = opaqueWorker();
  readonly #secret: string;
  #id = 0;

  constructor(secret: string) {
    this.#secret = secret;
  }

  #call(call: OpaqueCall): Promise<OpaqueAnswer> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        this.#worker.removeEventListener("message", onMessage);
        this.#worker.removeEventListener("error", onError);
        settle();
      };
      const onMessage = (event: MessageEvent<{ id: number; answer?: OpaqueAnswer; failed?: string }>) => {
        if (event.data.id !== id) return;
        const { answer, failed } = event.data;
        done(() => (failed === undefined ? resolve(answer ?? null) : reject(new ChannelError("malformed", `The other end's answer is not of this protocol (${failed}).`))));
      };
      const onError = (event: ErrorEvent) => done(() => reject(new Error(event.message || "the encryption worker did not start")));
      this.#worker.addEventListener("message", onMessage);
      this.#worker.addEventListener("error", onError);
      this.#worker.postMessage({ id, call });
    });
  }

  async startRegistration(): Promise<{ state: string; request: string }> {
    return (await this.#call({ op: "startRegistration", secret: this.#secret })) as { state: string; request: string };
  }

  async finishRegistration(state: string, response: string, names: Identifiers): Promise<{ record: string; exportKey: Bytes }> {
    const answer = await this.#call({ op: "finishRegistration", secret: this.#secret, state, response, identifiers: names });
    return { record: answer?.record ?? "", exportKey: fromBase64Url(answer?.exportKey ?? "") };
  }

  async startLogin(): Promise<{ state: string; request: string }> {
    return (await this.#call({ op: "startLogin", secret: this.#secret })) as { state: string; request: string };
  }

  /** Null when the secret is wrong, or when the other end is not the keeper that registered it: OPAQUE cannot tell the two apart. */
  async finishLogin(state: string, response: string, names: Identifiers): Promise<Proved | null> {
    const answer = await this.#call({ op: "finishLogin", secret: this.#secret, state, response, identifiers: names });
    if (answer === null) return null;
    return {
      finish: answer.finish ?? "",
      sessionKey: fromBase64Url(answer.sessionKey ?? ""),
      exportKey: fromBase64Url(answer.exportKey ?? ""),
      keeper: answer.serverStaticPublicKey ?? "",
    };
  }

  close(): void {
    this.#worker.terminate();
  }
}
