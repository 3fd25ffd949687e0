import { describe, expect, it } from "vitest";
import { concat, fromBase64Url, randomBytes, toBase64Url, utf8 } from "../src/channel/bytes";
import { FRAME_BYTES, FrameError, FrameOpener, FrameSealer } from "../src/channel/frames";
import { directionKeys, resumedSessionKey, sealResumeSecret, slotKek } from "../src/channel/keys";
import { checkPhrase, newPhrase, tidyPhrase } from "../src/channel/phrase";
import { pinProblem } from "../src/storage/pins";

const key = new Uint8Array(32).fill(9);

describe("frames", () => {
  it("open in order with the same key", () => {
    const sealer = new FrameSealer(key);
    const opener = new FrameOpener(key);
    for (const text of ["one", "", "three"]) {
      const { kind, body } = opener.open(sealer.seal(0, utf8(text)));
      expect([kind, new TextDecoder().decode(body)]).toEqual([0, text]);
    }
  });

  it("have the form that the protocol names", () => {
    const frame = new FrameSealer(key).seal(0, utf8("x"));
    expect([...frame.subarray(0, 9)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(frame).toHaveLength(9 + 2 + 16);
  });

  it("refuse to open when repeated, moved, changed, cut, or sealed with another key", () => {
    const sealer = new FrameSealer(key);
    const frames = [sealer.seal(0, utf8("a")), sealer.seal(0, utf8("b"))] as const;
    const repeated = new FrameOpener(key);
    repeated.open(frames[0]);
    expect(() => repeated.open(frames[0])).toThrow(FrameError);
    expect(() => new FrameOpener(key).open(frames[1])).toThrow(FrameError);
    for (let at = 0; at < frames[0].length; at++) {
      const changed = frames[0].slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => new FrameOpener(key).open(changed), `byte ${at}`).toThrow(FrameError);
    }
    expect(() => new FrameOpener(key).open(frames[0].subarray(0, 20))).toThrow(FrameError);
    expect(() => new FrameOpener(new Uint8Array(32)).open(frames[0])).toThrow(FrameError);
  });

  it("have at most 1 MiB", () => {
    expect(() => new FrameSealer(key).seal(0, new Uint8Array(FRAME_BYTES))).toThrow(FrameError);
  });
});

describe("keys", () => {
  it("differ by direction and by slot", () => {
    const { clientToKeeper, keeperToClient } = directionKeys(new Uint8Array(64).fill(1));
    expect(toBase64Url(clientToKeeper)).not.toBe(toBase64Url(keeperToClient));
    expect(toBase64Url(slotKek(new Uint8Array(64), "a"))).not.toBe(toBase64Url(slotKek(new Uint8Array(64), "b")));
  });

  it("of a resumed channel come from a secret that cannot be read back", async () => {
    const bytes = randomBytes(32);
    const secret = await sealResumeSecret(bytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    expect(secret.extractable).toBe(false);
    await expect(crypto.subtle.exportKey("raw", secret)).rejects.toThrow();
    const [mine, theirs] = [randomBytes(32), randomBytes(32)];
    expect(await resumedSessionKey(secret, mine, theirs)).toHaveLength(64);
    expect(toBase64Url(await resumedSessionKey(secret, mine, theirs))).not.toBe(toBase64Url(await resumedSessionKey(secret, theirs, mine)));
  });
});

describe("base64url", () => {
  it("round-trips and refuses padding and other alphabets", () => {
    for (let length = 0; length < 20; length++) {
      const bytes = randomBytes(length);
      expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
    }
    for (const bad of ["AA==", "A+A", "A/A", "A", "A A"]) expect(() => fromBase64Url(bad), bad).toThrow();
    expect(concat(utf8("a"), utf8("b"))).toEqual(utf8("ab"));
  });
});

describe("the recovery phrase", () => {
  it("has 12 words that check out, however they are typed", () => {
    const phrase = newPhrase();
    expect(phrase.split(" ")).toHaveLength(12);
    const typed = phrase.split(" ").map((word, at) => `${at + 1}. ${word.toUpperCase()}\n`).join(" ");
    expect(tidyPhrase(typed)).toBe(phrase);
    expect(checkPhrase(typed)).toEqual({ ok: true, phrase });
  });

  it("is refused with the reason", () => {
    expect(checkPhrase("abandon abandon")).toMatchObject({ ok: false, problem: expect.stringContaining("12 words") });
    expect(checkPhrase(`${"abandon ".repeat(11)}zzzz`)).toMatchObject({ ok: false, problem: expect.stringContaining("Word 12") });
    expect(checkPhrase("abandon ".repeat(12))).toMatchObject({ ok: false, problem: expect.stringContaining("swapped") });
    expect(checkPhrase("")).toMatchObject({ ok: false });
  });
});

describe("what the browser has seen of a vault", () => {
  const pin = { cell: "c1", epoch: 5 };

  it("refuses another cell, an emptied vault and an older epoch", () => {
    expect(pinProblem(pin, { cell: "c2" })).toBe("other_cell");
    expect(pinProblem(pin, { cell: "c1", isNew: true })).toBe("emptied");
    expect(pinProblem(pin, { cell: "c1", epoch: 4 })).toBe("rolled_back");
  });

  it("accepts the same vault and a newer one", () => {
    expect(pinProblem(pin, { cell: "c1", epoch: 5 })).toBeUndefined();
    expect(pinProblem(pin, { cell: "c1", epoch: 6 })).toBeUndefined();
    expect(pinProblem(undefined, { cell: "c1", isNew: true })).toBeUndefined();
  });
});
