/** Reads an export of 1Password (`.1pux`): the items of every vault in it, with the fields that hold something secret. */
import { Collector, type Found, ImportError, type Json, list, object, text } from "./import-types";
import { unzip } from "./zip";

const API_CREDENTIAL = "112";

function readItem(collector: Collector, item: { [key: string]: Json }): void {
  const overview = object(item["overview"]);
  const details = object(item["details"]);
  const name = text(overview["title"]);
  const url = text(overview["url"]);
  const category = text(item["categoryUuid"]);
  let username = "";
  let password = text(details["password"]);
  for (const each of list(details["loginFields"])) {
    const field = object(each);
    if (field["designation"] === "username") username = text(field["value"]);
    if (field["designation"] === "password") password = text(field["value"]);
  }
  if (password !== "") collector.add({ name, kind: username === "" && category === API_CREDENTIAL ? "api_key" : "login", username, url, value: password });
  let taken = password === "" ? 0 : 1;
  for (const section of list(details["sections"])) {
    for (const each of list(object(section)["fields"])) {
      const field = object(each);
      const value = object(field["value"]);
      const title = text(field["title"]);
      const known: [string, "api_key" | "text"][] = [
        [text(value["concealed"]), category === API_CREDENTIAL ? "api_key" : "text"],
        [text(value["totp"]), "text"],
        [text(object(value["sshKey"])["privateKey"]), "text"],
        [text(value["creditCardNumber"]), "text"],
        [text(value["string"]), "text"],
      ];
      for (const [secret, kind] of known) {
        if (secret === "") continue;
        taken++;
        collector.add({ name: title === "" ? name : `${name}: ${title}`, kind, url, value: secret });
      }
    }
  }
  const notes = text(details["notesPlain"]);
  if (notes !== "") collector.add({ name: taken === 0 ? name : `${name} (notes)`, kind: "text", value: notes });
  else if (taken === 0) collector.found.left.push(`${name || "Without a name"}: there is nothing secret in it that can be taken over`);
  if (Object.keys(object(details["documentAttributes"])).length > 0) collector.found.left.push(`${name}: files are not taken over`);
}

/** The archive's `export.data`. */
export function readOnePasswordData(source: string): Found {
  let root: { [key: string]: Json };
  try {
    root = object(JSON.parse(source) as Json);
  } catch {
    throw new ImportError("The data in the archive is no JSON.");
  }
  if (!Array.isArray(root["accounts"])) throw new ImportError("This is no export of 1Password: it has no accounts.");
  const collector = new Collector("1Password");
  for (const account of list(root["accounts"]))
    for (const vault of list(object(account)["vaults"]))
      for (const each of list(object(vault)["items"])) {
        const item = object(each);
        // Older exports wrap each item once more.
        readItem(collector, "item" in item ? object(item["item"]) : item);
      }
  return collector.found;
}

export async function readOnePassword(archive: Uint8Array<ArrayBuffer>): Promise<Found> {
  return readOnePasswordData(await unzip(archive, "export.data"));
}
