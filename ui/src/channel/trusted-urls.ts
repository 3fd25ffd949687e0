/** The one Trusted Types policy of our own: it blesses the worker scripts that came with the page, and nothing else. */
import opaqueWorkerUrl from "./opaque.worker.ts?worker&url";

/** At the root, so that it stands for all pages, and under one name in all versions. */
const PUSH_WORKER = "/push-worker.js";

const ALLOWED: ReadonlySet<string> = new Set([opaqueWorkerUrl, PUSH_WORKER]);

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

/** The worker that shows that something waits, also while no page is open; once it is ready. */
export async function registerPushWorker(): Promise<ServiceWorkerRegistration> {
  await navigator.serviceWorker.register(policy.createScriptURL(PUSH_WORKER) as string);
  return navigator.serviceWorker.ready;
}
