/** Reads what this program exported: readable JSON, which is also what is inside a sealed file. */
import type { SecretKind } from "../channel/messages";
import { Collector, type Found, ImportError, type Json, list, object, text } from "./import-types";

const KINDS: readonly string[] = ["api_key", "oauth_token", "login", "text"] satisfies SecretKind[];

/** Whether this JSON is an export of ours. */
export function isHoldfast(root: Json): boolean {
  return "holdfast_secrets" in object(root);
}

export function readHoldfast(root: Json): Found {
  const file = object(root);
  if (file["holdfast_secrets"] !== 1) throw new ImportError("This file was made by a newer Holdfast.");
  const collector = new Collector("Holdfast");
  for (const each of list(file["secrets"])) {
    const secret = object(each);
    const kind = text(secret["kind"]);
    collector.add({ name: text(secret["name"]), kind: KINDS.includes(kind) ? (kind as SecretKind) : "text", username: text(secret["username"]), url: text(secret["url"]), value: text(secret["value"]) });
  }
  return collector.found;
}
