/** The secrets of passkeys and backup keys, against the same known answers as the keeper's side; and what a slip of the pen is told. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { backupKeyText, checkBackupKey, newBackupKey } from "../src/channel/backup-key";
import { fromBase64Url } from "../src/channel/bytes";
import { backupKeySecret, looksLikeBackupKey, passkeySecret } from "../src/channel/slot-secret";

const known = JSON.parse(readFileSync(new URL("../../crates/vault/tests/vectors/slot-secrets.json", import.meta.url), "utf8")) as {
  passkey: { prf_output: string; prf_salt: string; rp_id: string; secret: string };
  backup_key: { text: string; secret: string };
};

describe("a passkey", () => {
  it("gives the known secret", () => {
    const { prf_output, prf_salt, rp_id, secret } = known.passkey;
    expect(passkeySecret(fromBase64Url(prf_output), fromBase64Url(prf_salt), rp_id)).toBe(secret);
  });
});

describe("a backup key", () => {
  it("has the known text and secret", () => {
    const read = checkBackupKey(known.backup_key.text);
    if (!read.ok) throw new Error(read.problem);
    expect(backupKeyText(read.key)).toBe(known.backup_key.text);
    expect(backupKeySecret(read.key)).toBe(known.backup_key.secret);
  });

  it("reads back whatever its case, spaces and look-alikes", () => {
    for (let round = 0; round < 50; round++) {
      const key = newBackupKey();
      const text = backupKeyText(key);
      const typed = `  ${text.slice(4).toLowerCase().replaceAll("-", " \n").replaceAll("0", "o").replaceAll("1", "l")}`;
      expect(checkBackupKey(`hfk1${typed}`)).toEqual({ ok: true, key });
    }
  });

  it("names a slip", () => {
    const text = known.backup_key.text;
    const problem = (typed: string) => {
      const read = checkBackupKey(typed);
      return read.ok ? "" : read.problem;
    };
    expect(problem("abandon ability")).toContain("begins with HFK1");
    expect(problem(text.slice(0, 30))).toContain("this has 20 characters");
    expect(problem(`${text.slice(0, 11)}U${text.slice(12)}`)).toContain("Group 2");
    expect(problem(text.replace("KG3T", "KG3V"))).toContain("do not belong together");
    expect(problem(text.replace("MPJT-B9D5", "B9D5-MPJT"))).toContain("do not belong together");
  });

  it("is told from a phrase", () => {
    expect(looksLikeBackupKey(" hfk1-abcd")).toBe(true);
    expect(looksLikeBackupKey("half the words")).toBe(false);
  });
});
