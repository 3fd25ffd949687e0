import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fromBase64Url, utf8 } from "../src/channel/bytes";
import { type ExportedSecret, isSealedExport, openExport, sealExport, toEnv, toJson } from "../src/secrets/export-format";
import { readEnv } from "../src/secrets/import-env";
import { readHoldfast } from "../src/secrets/import-holdfast";
import type { Json } from "../src/secrets/import-types";

const SECRETS: ExportedSecret[] = [
  { name: "GitHub, Büro", kind: "api_key", username: "", url: "https://github.com", value: "ghp_x" },
  { name: "github buro", kind: "login", username: "anna", url: "", value: '$HOME `id` "two"\\n\nlines\t#' },
  { name: "1. Ü", kind: "text", username: "", url: "", value: "'" },
];

describe("exported secrets", () => {
  it("in a .env file are read again as they were, and nothing in them is expanded", () => {
    const text = toEnv(SECRETS);
    expect(readEnv(text).secrets.map(({ name, value }) => [name, value])).toEqual([
      ["GITHUB_BURO", "ghp_x"],
      ["GITHUB_BURO_USERNAME", "anna"],
      ["GITHUB_BURO_2", SECRETS[1]?.value],
      ["_1_U", "'"],
    ]);
    expect(text).not.toMatch(/(^|[^\\])[$`]/m);
  });

  it("in JSON are read again as they were, and the agent may do nothing with them", () => {
    const found = readHoldfast(JSON.parse(toJson(SECRETS)) as Json);
    expect(found.secrets).toEqual(SECRETS.map((secret) => ({ ...secret, agent: "nothing" })));
    expect(() => readHoldfast({ holdfast_secrets: 2, secrets: [] })).toThrow("newer");
  });

  it("sealed under a password agree with the vault crate, byte for byte", { timeout: 120_000 }, async () => {
    const { password, plaintext, salt, nonce, file } = JSON.parse(readFileSync("../crates/vault/tests/vectors/secrets-export.json", "utf8")) as Record<string, string>;
    const kept = fromBase64Url(file ?? "");
    expect(isSealedExport(kept)).toBe(true);
    expect(await openExport(password ?? "", kept)).toBe(plaintext);
    expect(await sealExport(password ?? "", plaintext ?? "", fromBase64Url(salt ?? ""), fromBase64Url(nonce ?? ""))).toEqual(kept);
    await expect(openExport(`${password} `, kept)).rejects.toThrow("not the password");
    const changed = kept.slice();
    changed[kept.length - 20] = (changed[kept.length - 20] ?? 0) ^ 1;
    await expect(openExport(password ?? "", changed)).rejects.toThrow("changed");
    await expect(openExport(password ?? "", kept.subarray(0, 80))).rejects.toThrow("cut");
    await expect(openExport("x", utf8("hello"))).rejects.toThrow("no file of exported secrets");
  });
});
