import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { randomBytes } from "../src/channel/bytes";
import { clearDrafts, draftOf, dropDraft, editDraft, flushDrafts, loadDrafts, setDraft } from "../src/chat/drafts";
import { adoptLocalKey, forgetLocalKey } from "../src/storage/sealed";
import { stored } from "./memory-database";

vi.mock("../src/storage/database", () => import("./memory-database"));

beforeEach(async () => {
  stored.clear();
  await adoptLocalKey("u", randomBytes(32));
});

afterEach(() => clearDrafts());

/** As a reload or a lock does: memory is empty, what was sealed stays. */
async function reload(): Promise<string[]> {
  await flushDrafts();
  clearDrafts();
  return loadDrafts();
}

describe("a draft", () => {
  it("of a conversation and of a message that is being edited come back, each in its place", async () => {
    const edit = editDraft("c", "u-1");
    setDraft("c", "half a thought");
    setDraft(edit, "a better question");
    const begun = await reload();
    expect(draftOf("c")).toBe("half a thought");
    expect(draftOf(edit)).toBe("a better question");
    expect(draftOf(editDraft("c", "u-2"))).toBe("");
    expect(begun, "an edit is no conversation").toEqual(["c"]);
  });

  it("is stored sealed only", async () => {
    setDraft(editDraft("c", "u-1"), "a better question");
    await flushDrafts();
    const kept = [...stored].filter(([key]) => key.startsWith("drafts/"));
    expect(kept).toHaveLength(1);
    expect(new TextDecoder("latin1").decode(kept[0]?.[1] as Uint8Array)).not.toContain("better");
  });

  it("waits for no pause in the typing, and what was typed last is what is kept", async () => {
    vi.useFakeTimers();
    try {
      setDraft("c", "h");
      setDraft("c", "half");
      await flushDrafts();
      setDraft("c", "half a thought");
      setDraft("d", "nothing");
      setDraft("d", "");
      while (stored.size < 2 || [...stored.keys()].some((key) => key.endsWith("/d"))) await crypto.subtle.digest("SHA-256", new Uint8Array(1));
    } finally {
      vi.useRealTimers();
    }
    await flushDrafts();
    clearDrafts();
    expect(await loadDrafts()).toEqual(["c"]);
    expect(draftOf("c")).toBe("half a thought");
  });

  it("is kept to its last letter when the vault locks while it is typed", async () => {
    const local = randomBytes(32);
    await adoptLocalKey("u", local.slice());
    setDraft("c", "half a thou");
    setDraft("c", "half a thought");
    setDraft("d", "sent a moment ago");
    setDraft("d", "");
    const written = flushDrafts();
    await forgetLocalKey("u");
    await written;
    clearDrafts();
    await adoptLocalKey("u", local);
    expect(await loadDrafts()).toEqual(["c"]);
    expect(draftOf("c")).toBe("half a thought");
  });

  it("does not come back once it was sent or thrown away, not even when all are read in the same moment", async () => {
    const edit = editDraft("c", "u-1");
    setDraft(edit, "a better question");
    await flushDrafts();
    setDraft(edit, "");
    await loadDrafts();
    expect(draftOf(edit)).toBe("");
    setDraft(edit, "a third one");
    await flushDrafts();
    clearDrafts();
    const reading = loadDrafts();
    setDraft(edit, "");
    await reading;
    expect(draftOf(edit), "what was read before").toBe("");
    await reload();
    expect(draftOf(edit)).toBe("");
  });

  it("goes with its conversation, and no other", async () => {
    for (const conversation of ["c", "cc"]) {
      setDraft(conversation, "text");
      setDraft(editDraft(conversation, "u-1"), "text");
    }
    dropDraft("c");
    await reload();
    expect(["c", editDraft("c", "u-1"), "cc", editDraft("cc", "u-1")].map(draftOf)).toEqual(["", "", "text", "text"]);
  });
});
