/** The one Trusted Types policy of our own: it blesses the worker scripts that were built with the page, and nothing else. */
import opaqueWorkerUrl from "./opaque.worker.ts?worker&url";

const ALLOWED: ReadonlySet<string> = new Set([opaqueWorkerUrl]);

interface UrlPolicy {
  createScriptURL(url: string): unknown;
}

interface TrustedTypesFactory {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): UrlPolicy;
}

function onlyOurs(url: string): string {
  if (!ALLOWED.has(url)) throw new TypeError("this script does not belong to the page");
  return url;
}

const factory = (globalThis as { trustedTypes?: TrustedTypesFactory }).trustedTypes;
const policy: UrlPolicy = factory?.createPolicy("hf-url", { createScriptURL: onlyOurs }) ?? { createScriptURL: onlyOurs };

/** A worker for OPAQUE and its Argon2id, which would stop the page for a third of a second. */
export function opaqueWorker(): Worker {
  return new Worker(policy.createScriptURL(opaqueWorkerUrl) as string, { type: "module", name: "opaque" });
}
