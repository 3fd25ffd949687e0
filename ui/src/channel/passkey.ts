/**
 * Passkeys as ways into the vault: an authenticator's PRF (WebAuthn Level 3, "prf") gives 32 bytes for a salt, on this site only.
 * The signature that comes along is thrown away; nothing of this is a sign-in, and nothing of it is sent anywhere.
 */
import { fromBase64Url, randomBytes, toBase64Url, type Bytes } from "./bytes";
import { ChannelError, type PasskeyRequest, type SlotInfo } from "./messages";
import { passkeySecret } from "./slot-secret";

const SALT_BYTES = 32;
/** A person looks for a key in a bag. */
const PATIENCE_MS = 120_000;

export type PasskeySupport = "yes" | "no" | "perhaps";

export const NO_PRF = "This browser cannot open a vault with a passkey: it lacks the part of passkeys (“PRF”) that makes a key. Up-to-date Chrome, Edge, Safari and Firefox have it on most systems.";
const PRF_MISSING = "This passkey can sign you in to sites, but it cannot make a key (“PRF”), so it cannot open a vault. Try another one: a phone, a security key, or your browser’s own.";

/** Whether this browser can; "perhaps" when it does not say. */
export async function passkeySupport(): Promise<PasskeySupport> {
  if (!("PublicKeyCredential" in globalThis) || !navigator.credentials) return "no";
  const ask = (PublicKeyCredential as unknown as { getClientCapabilities?: () => Promise<Record<string, boolean>> }).getClientCapabilities;
  if (!ask) return "perhaps";
  try {
    const can = (await ask.call(PublicKeyCredential))["extension:prf"];
    return can === undefined ? "perhaps" : can ? "yes" : "no";
  } catch {
    return "perhaps";
  }
}

/** The passkeys that this address may ask for: a passkey belongs to a site. */
export function passkeysHere(slots: readonly SlotInfo[]): SlotInfo[] {
  const here = location.hostname;
  return slots.filter(({ kind, passkey }) => kind === "passkey" && passkey !== undefined && (here === passkey.rp_id || here.endsWith(`.${passkey.rp_id}`)));
}

interface PrfResults {
  prf?: { enabled?: boolean; results?: { first?: BufferSource } };
}

function output(credential: PublicKeyCredential): Bytes | undefined {
  const first = (credential.getClientExtensionResults() as PrfResults).prf?.results?.first;
  if (first === undefined) return undefined;
  return first instanceof ArrayBuffer ? new Uint8Array(first) : new Uint8Array(first.buffer as ArrayBuffer, first.byteOffset, first.byteLength);
}

/** What browsers throw, in words. */
function refusal(error: unknown): Error {
  if (error instanceof DOMException) {
    if (error.name === "NotAllowedError" || error.name === "AbortError") return new ChannelError("passkey_cancelled", "The passkey was not used. Try again, or use another way.");
    if (error.name === "InvalidStateError") return new ChannelError("passkey_exists", "This device already has a passkey for this vault.");
    if (error.name === "SecurityError") return new ChannelError("passkey_site", "A passkey works on the address it was made for. This page has another one.");
    return new ChannelError("passkey_failed", "This browser or device could not use a passkey.");
  }
  return error instanceof Error ? error : new Error(String(error));
}

function secretOf(result: Bytes, request: PasskeyRequest): string {
  if (result.length !== 32) throw new ChannelError("passkey_failed", PRF_MISSING);
  const secret = passkeySecret(result, fromBase64Url(request.prf_salt), request.rp_id);
  result.fill(0);
  return secret;
}

/** Asks for one of these passkeys and gives the one that was used, with its secret. They must belong to one site. */
export async function askPasskey(slots: readonly SlotInfo[]): Promise<{ slot: SlotInfo; secret: string }> {
  const asked = slots.filter((slot) => slot.passkey?.rp_id === slots[0]?.passkey?.rp_id);
  const rpId = asked[0]?.passkey?.rp_id;
  if (rpId === undefined) throw new ChannelError("unknown_slot", "This vault has no passkey.");
  const salts: Record<string, { first: Bytes }> = {};
  for (const { passkey } of asked) if (passkey) salts[passkey.credential_id] = { first: fromBase64Url(passkey.prf_salt) };
  let credential: PublicKeyCredential | null;
  try {
    credential = (await navigator.credentials.get({
      publicKey: {
        challenge: randomBytes(32),
        rpId,
        allowCredentials: asked.map(({ passkey }) => ({ type: "public-key", id: fromBase64Url(passkey?.credential_id ?? "") })),
        // The PRF of an authenticator is another one without verification.
        userVerification: "required",
        timeout: PATIENCE_MS,
        extensions: { prf: { evalByCredential: salts } },
      },
    })) as PublicKeyCredential | null;
  } catch (error) {
    throw refusal(error);
  }
  const slot = asked.find(({ passkey }) => passkey?.credential_id === toBase64Url(new Uint8Array(credential?.rawId ?? new ArrayBuffer(0))));
  if (!credential || !slot?.passkey) throw new ChannelError("passkey_failed", "The browser gave another passkey than it was asked for.");
  const result = output(credential);
  if (!result) throw new ChannelError("passkey_failed", (await passkeySupport()) === "no" ? NO_PRF : PRF_MISSING);
  return { slot, secret: secretOf(result, slot.passkey) };
}

/** Makes a passkey for this vault on a device that has none for it yet. */
export async function createPasskey(account: string, slots: readonly SlotInfo[]): Promise<{ request: PasskeyRequest; secret: string }> {
  const salt = randomBytes(SALT_BYTES);
  const rpId = location.hostname;
  let credential: PublicKeyCredential | null;
  try {
    credential = (await navigator.credentials.create({
      publicKey: {
        challenge: randomBytes(32),
        rp: { id: rpId, name: "Holdfast" },
        // An id of its own, so that no passkey for signing in is written over.
        user: { id: randomBytes(32), name: `${account} (vault)`, displayName: `${account} (vault)` },
        pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
        excludeCredentials: passkeysHere(slots).map(({ passkey }) => ({ type: "public-key", id: fromBase64Url(passkey?.credential_id ?? "") })),
        timeout: PATIENCE_MS,
        extensions: { prf: { eval: { first: salt } } },
      },
    })) as PublicKeyCredential | null;
  } catch (error) {
    throw refusal(error);
  }
  if (!credential) throw new ChannelError("passkey_failed", "This browser or device could not make a passkey.");
  const request = { credential_id: toBase64Url(new Uint8Array(credential.rawId)), prf_salt: toBase64Url(salt), rp_id: rpId };
  if (!(credential.getClientExtensionResults() as PrfResults).prf?.enabled) throw new ChannelError("passkey_failed", (await passkeySupport()) === "no" ? NO_PRF : PRF_MISSING);
  const result = output(credential);
  if (result) return { request, secret: secretOf(result, request) };
  // Many authenticators evaluate only when they are used: ask once more.
  const { secret } = await askPasskey([{ id: "", kind: "passkey", name: "", passkey: request }]);
  return { request, secret };
}
