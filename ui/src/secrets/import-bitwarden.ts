/** Reads an export of Bitwarden, unencrypted JSON: logins, notes, cards, identities and keys, with their one-time codes and own fields. */
import { Collector, type Found, ImportError, type Json, list, object, text } from "./import-types";

const LOGIN = 1;
const NOTE = 2;
const SSH_KEY = 5;

/** What has many small fields becomes one text with a line for each. */
function lines(fields: { [key: string]: Json }): string {
  return Object.entries(fields)
    .map(([name, value]) => [name, text(value)] as const)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}

export function readBitwarden(source: string): Found {
  let root: { [key: string]: Json };
  try {
    root = object(JSON.parse(source) as Json);
  } catch {
    throw new ImportError("This is no JSON file.");
  }
  if (root["encrypted"] === true) throw new ImportError("This export is encrypted. Export from Bitwarden as “.json”, without a password, and delete the file afterwards.");
  if (!Array.isArray(root["items"])) throw new ImportError("This is no export of Bitwarden: it has no items.");
  const collector = new Collector("Bitwarden");
  for (const each of list(root["items"])) {
    const item = object(each);
    const name = text(item["name"]);
    const notes = text(item["notes"]);
    switch (item["type"]) {
      case LOGIN: {
        const login = object(item["login"]);
        const url = text(object(list(login["uris"])[0])["uri"]);
        const username = text(login["username"]);
        const password = text(login["password"]);
        const totp = text(login["totp"]);
        if (password !== "" || (totp === "" && notes === "")) collector.add({ name, kind: "login", username, url, value: password });
        if (totp !== "") collector.add({ name: `${name} (one-time codes)`, kind: "text", url, value: totp });
        if (notes !== "") collector.add({ name: `${name} (notes)`, kind: "text", value: notes });
        if (list(login["fido2Credentials"]).length > 0) collector.found.left.push(`${name}: its passkey cannot be moved`);
        break;
      }
      case NOTE:
        collector.add({ name, kind: "text", value: notes });
        break;
      case SSH_KEY:
        collector.add({ name, kind: "text", value: text(object(item["sshKey"])["privateKey"]) });
        if (notes !== "") collector.add({ name: `${name} (notes)`, kind: "text", value: notes });
        break;
      default: {
        const body = lines({ ...object(item["card"]), ...object(item["identity"]) });
        collector.add({ name, kind: "text", value: [body, notes].filter(Boolean).join("\n\n") });
      }
    }
    for (const own of list(item["fields"])) {
      const field = object(own);
      // 3 is a link to another field, 2 a yes or no.
      if (field["type"] === 3 || field["type"] === 2) continue;
      const value = text(field["value"]);
      if (value !== "") collector.add({ name: `${name}: ${text(field["name"])}`, kind: field["type"] === 1 ? "api_key" : "text", value });
    }
    if (list(item["attachments"]).length > 0) collector.found.left.push(`${name}: its attachments are not in the export`);
  }
  return collector.found;
}
