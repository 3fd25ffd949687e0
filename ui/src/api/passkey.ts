/**
 * Passkeys for signing in (WebAuthn Level 3): what the server asks for goes to the browser, what the browser gives goes back.
 * Those that open a vault are others (channel/passkey.ts).
 */
import { fromBase64Url, toBase64Url } from "../channel/bytes";
import { api, Problem, type MadePasskey, type ShownPasskey } from "./http";

/** Only where the server's passkeys belong to the address of this page. */
export function passkeysHere(site: string | undefined): boolean {
  return site !== undefined && location.hostname === site && "PublicKeyCredential" in globalThis && "credentials" in navigator;
}

/** Whether the browser offers passkeys while somebody fills in a field. */
export async function offeredInFields(): Promise<boolean> {
  try {
    return (await PublicKeyCredential.isConditionalMediationAvailable?.()) ?? false;
  } catch {
    return false;
  }
}

function refusal(error: unknown): Error {
  if (!(error instanceof DOMException)) return error instanceof Error ? error : new Error(String(error));
  if (error.name === "InvalidStateError") return new Problem(0, "passkey_known", "This device already has a passkey for signing in here.");
  if (error.name === "NotAllowedError" || error.name === "AbortError") return new Problem(0, "passkey_cancelled", "The passkey was not used. Try again, or use another way.");
  return new Problem(0, "passkey_failed", "This browser or device could not use a passkey.");
}

function encoded(buffer: ArrayBuffer): string {
  return toBase64Url(new Uint8Array(buffer));
}

/** Has one of this person's passkeys sign. With `inField` the browser offers them in the field that asks for it, until `signal`. */
export async function showPasskey(options: { inField?: boolean; signal?: AbortSignal } = {}): Promise<ShownPasskey> {
  const asked = await api.passkeyChallenge();
  let credential: PublicKeyCredential | null;
  try {
    credential = (await navigator.credentials.get({
      publicKey: { challenge: fromBase64Url(asked.challenge), rpId: asked.rp_id, userVerification: "required", timeout: asked.timeout_ms },
      ...(options.inField ? { mediation: "conditional" as const } : {}),
      ...(options.signal ? { signal: options.signal } : {}),
    })) as PublicKeyCredential | null;
  } catch (error) {
    throw refusal(error);
  }
  if (!credential) throw new Problem(0, "passkey_failed", "This browser or device could not use a passkey.");
  const answer = credential.response as AuthenticatorAssertionResponse;
  return {
    id: encoded(credential.rawId),
    authenticator_data: encoded(answer.authenticatorData),
    client_data: encoded(answer.clientDataJSON),
    signature: encoded(answer.signature),
    user_handle: answer.userHandle ? encoded(answer.userHandle) : "",
  };
}

/** Makes a passkey for who is signed in, on a device that has none of theirs yet. */
export async function makePasskey(): Promise<MadePasskey> {
  const begun = await api.beginPasskey();
  let credential: PublicKeyCredential | null;
  try {
    credential = (await navigator.credentials.create({
      publicKey: {
        challenge: fromBase64Url(begun.challenge),
        rp: { id: begun.rp_id, name: begun.site },
        user: { id: fromBase64Url(begun.user.id), name: begun.user.name, displayName: begun.user.display_name },
        pubKeyCredParams: [-7, -8].map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
        attestation: "none",
        excludeCredentials: begun.exclude.map((id) => ({ type: "public-key", id: fromBase64Url(id) })),
        timeout: begun.timeout_ms,
      },
    })) as PublicKeyCredential | null;
  } catch (error) {
    throw refusal(error);
  }
  if (!credential) throw new Problem(0, "passkey_failed", "This browser or device could not make a passkey.");
  const answer = credential.response as AuthenticatorAttestationResponse;
  return { id: encoded(credential.rawId), client_data: encoded(answer.clientDataJSON), attestation: encoded(answer.attestationObject) };
}
