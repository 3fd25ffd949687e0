/** What an import finds: secrets as they would be added, and what could not be taken over. */
import type { SecretInput } from "../channel/messages";

export interface Found {
  /** What the file is, in words. */
  from: string;
  secrets: SecretInput[];
  /** Names of what is left out, each with the reason. */
  left: string[];
}

/** The file is not what it was taken for. The words are for the person. */
export class ImportError extends Error {
  override name = "ImportError";
}

/** The largest file that is read, in bytes. */
export const IMPORT_BYTES = 16 * 1024 * 1024;
/** As the keeper limits them. */
export const VALUE_BYTES = 64 * 1024;
const NAME_BYTES = 200;
const FIELD_BYTES = 2000;

const encoder = new TextEncoder();

function cut(text: string, bytes: number): string {
  let short = text.trim();
  while (encoder.encode(short).length > bytes) short = short.slice(0, -1 - Math.floor((encoder.encode(short).length - bytes) / 4));
  return short;
}

/** Collects what is found; what has no value is left out, and said. */
export class Collector {
  readonly found: Found;

  constructor(from: string) {
    this.found = { from, secrets: [], left: [] };
  }

  add(secret: Omit<SecretInput, "agent" | "username" | "url"> & { username?: string; url?: string }): void {
    const value = secret.value ?? "";
    const name = cut(secret.name, NAME_BYTES) || "Without a name";
    if (value === "") this.found.left.push(`${name}: it is empty`);
    else if (encoder.encode(value).length > VALUE_BYTES) this.found.left.push(`${name}: it is longer than 64 KiB`);
    // Nothing that comes from elsewhere is given to the agent before its owner says so.
    else this.found.secrets.push({ name, kind: secret.kind, agent: "nothing", username: cut(secret.username ?? "", FIELD_BYTES), url: cut(secret.url ?? "", FIELD_BYTES), value });
  }
}

/** JSON of somebody else: any shape. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export function text(value: Json | undefined): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

export function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function object(value: Json | undefined): { [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}
