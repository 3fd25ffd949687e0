import { describe, expect, it } from "vitest";
import { readBitwarden } from "../src/secrets/import-bitwarden";
import { readEnv } from "../src/secrets/import-env";
import { readOnePassword } from "../src/secrets/import-one-password";
import { type Found, ImportError } from "../src/secrets/import-types";
import { zip } from "./archive";

function told({ secrets }: Found): string[] {
  return secrets.map(({ name, kind, username, url, value }) => [name, kind, username, url, value].filter(Boolean).join("|"));
}

describe("a .env file", () => {
  it("is read as shells and dotenv write it, and nothing in it is expanded", () => {
    const found = readEnv(`\uFEFF# keys\r\nexport A=plain # note\nB = "two \\"words\\"\\nand a line"\nC='$A \\n #no'\nD=\nE=a#b=c\n\nPEM="-----BEGIN\nx\n-----END"\nF=last`);
    expect(told(found)).toEqual(["A|api_key|plain", 'B|text|two "words"\nand a line', "C|api_key|$A \\n #no", "E|api_key|a#b=c", "PEM|text|-----BEGIN\nx\n-----END", "F|api_key|last"]);
    expect(found.left).toEqual(["D: it is empty"]);
    expect(found.secrets.every(({ agent }) => agent === "nothing")).toBe(true);
  });

  it("that is none is refused with the line", () => {
    expect(() => readEnv("A=1\nhello there\n")).toThrow("Line 2 is not NAME=value.");
    expect(() => readEnv('A=1\nB="open\n')).toThrow("The quote in line 2 has no end.");
    expect(() => readEnv("# only words\n")).toThrow(ImportError);
  });
});

describe("an export of Bitwarden", () => {
  it("gives logins, notes, keys, cards, one-time codes and own fields", () => {
    const items = [
      { type: 1, name: "GitHub", notes: "spare codes", login: { username: "anna", password: "pw", totp: "otpauth://totp/x", uris: [{ uri: "https://github.com" }], fido2Credentials: [{}] }, fields: [{ name: "pin", value: "1234", type: 1 }, { name: "link", value: null, type: 3 }] },
      { type: 2, name: "Wifi", notes: "hunter2" },
      { type: 3, name: "Card", card: { number: "4111", code: "123", brand: null } },
      { type: 5, name: "Server", sshKey: { privateKey: "-----BEGIN" } },
      { type: 1, name: "Empty", login: { username: "anna", password: null } },
    ];
    const found = readBitwarden(JSON.stringify({ encrypted: false, items }));
    expect(told(found)).toEqual([
      "GitHub|login|anna|https://github.com|pw",
      "GitHub (one-time codes)|text|https://github.com|otpauth://totp/x",
      "GitHub (notes)|text|spare codes",
      "GitHub: pin|api_key|1234",
      "Wifi|text|hunter2",
      "Card|text|number: 4111\ncode: 123",
      "Server|text|-----BEGIN",
    ]);
    expect(found.left).toEqual(["GitHub: its passkey cannot be moved", "Empty: it is empty"]);
  });

  it("that is encrypted, or none, says so", () => {
    expect(() => readBitwarden('{"encrypted":true,"data":"2.x"}')).toThrow("This export is encrypted.");
    for (const other of ["", "{", "[]", "{}", '{"items":7}', "null"]) expect(() => readBitwarden(other)).toThrow(ImportError);
    // Any shape inside is survived.
    expect(readBitwarden('{"items":[null,7,[],{"type":1,"login":[],"fields":{}}]}').secrets).toEqual([]);
  });
});

/** A ZIP archive with one file in it. */
describe("an export of 1Password", () => {
  const item = (title: string, details: object, categoryUuid = "001") => ({ categoryUuid, overview: { title, url: "https://x.example" }, details });
  const data = JSON.stringify({
    accounts: [
      {
        vaults: [
          {
            items: [
              item("Shop", { loginFields: [{ designation: "username", value: "anna" }, { designation: "password", value: "pw" }], notesPlain: "n", sections: [{ fields: [{ title: "codes", value: { totp: "JBSW" } }, { title: "date", value: { date: 7 } }] }] }),
              item("Key", { sections: [{ fields: [{ title: "credential", value: { concealed: "sk-1" } }] }] }, "112"),
              { item: item("Old", { password: "older" }) },
              item("Nothing", {}),
            ],
          },
        ],
      },
    ],
  });

  it("gives passwords, credentials, one-time codes and notes out of the archive", async () => {
    const found = await readOnePassword(zip("export.data", data));
    expect(told(found)).toEqual([
      "Shop|login|anna|https://x.example|pw",
      "Shop: codes|text|https://x.example|JBSW",
      "Shop (notes)|text|n",
      "Key: credential|api_key|https://x.example|sk-1",
      "Old|login|https://x.example|older",
    ]);
    expect(found.left).toEqual(["Nothing: there is nothing secret in it that can be taken over"]);
  });

  it("that is cut, changed, huge or another archive is refused", async () => {
    const archive = zip("export.data", data);
    for (let length = 0; length < archive.length; length += 7) await expect(readOnePassword(archive.slice(0, length))).rejects.toThrow(ImportError);
    for (let at = 0; at < archive.length; at += 3) {
      const changed = archive.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x55;
      await readOnePassword(changed).catch((error: unknown) => expect(error).toBeInstanceOf(ImportError));
    }
    await expect(readOnePassword(zip("other.txt", "x"))).rejects.toThrow("no export.data");
    await expect(readOnePassword(zip("export.data", " ".repeat(17 * 1024 * 1024)))).rejects.toThrow("larger than 16 MiB");
    await expect(readOnePassword(zip("export.data", "{}"))).rejects.toThrow("no accounts");
  }, 60_000);
});
