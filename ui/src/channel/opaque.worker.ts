/** The client's side of OPAQUE (RFC 9807) with Argon2id (64 MiB, t = 3, p = 4), away from the page's thread. */
import { client, ready } from "@serenity-kit/opaque";

export type OpaqueCall =
  | { op: "startRegistration"; secret: string }
  | { op: "finishRegistration"; secret: string; state: string; response: string; identifiers: { client: string; server: string } }
  | { op: "startLogin"; secret: string }
  | { op: "finishLogin"; secret: string; state: string; response: string; identifiers: { client: string; server: string } };

export type OpaqueAnswer = Record<string, string> | null;

const keyStretching = "memory-constrained";

function run(call: OpaqueCall): OpaqueAnswer {
  switch (call.op) {
    case "startRegistration": {
      const { clientRegistrationState, registrationRequest } = client.startRegistration({ password: call.secret });
      return { state: clientRegistrationState, request: registrationRequest };
    }
    case "finishRegistration": {
      const { registrationRecord, exportKey, serverStaticPublicKey } = client.finishRegistration({
        password: call.secret,
        clientRegistrationState: call.state,
        registrationResponse: call.response,
        identifiers: call.identifiers,
        keyStretching,
      });
      return { record: registrationRecord, exportKey, serverStaticPublicKey };
    }
    case "startLogin": {
      const { clientLoginState, startLoginRequest } = client.startLogin({ password: call.secret });
      return { state: clientLoginState, request: startLoginRequest };
    }
    case "finishLogin": {
      const result = client.finishLogin({
        password: call.secret,
        clientLoginState: call.state,
        loginResponse: call.response,
        identifiers: call.identifiers,
        keyStretching,
      });
      if (result === undefined) return null;
      const { finishLoginRequest, sessionKey, exportKey, serverStaticPublicKey } = result;
      return { finish: finishLoginRequest, sessionKey, exportKey, serverStaticPublicKey };
    }
  }
}

addEventListener("message", (event: MessageEvent<{ id: number; call: OpaqueCall }>) => {
  const { id, call } = event.data;
  void (async () => {
    await ready;
    try {
      postMessage({ id, answer: run(call) });
    } catch (error) {
      postMessage({ id, failed: String(error) });
    }
  })();
});
