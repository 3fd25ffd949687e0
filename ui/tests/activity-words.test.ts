/** Everything that a keeper notes is a sentence, and has no code of the keeper's in it. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ActivityEntry } from "../src/channel/messages";
import { activityWords } from "../src/secrets/activity-words";

const DAY_MS = 24 * 60 * 60 * 1000;
const rust = (path: string): string => readFileSync(new URL(`../../crates/${path}`, import.meta.url), "utf8");

/** What a keeper can write, out of its own list. */
function kinds(): string[] {
  const [, list = ""] = /pub enum What \{([^}]*)\}/.exec(rust("keeper/src/activity/entry.rs")) ?? [];
  const names = list.split("\n").map((line) => /^\s*([A-Z][A-Za-z]*),$/.exec(line)?.[1] ?? "");
  return names.filter(Boolean).map((name) => name.replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase());
}

/** The codes of the errors in these files. */
function codes(...paths: string[]): string[] {
  const said = (path: string) => rust(path).split("fn code(")[1] ?? "";
  return paths.flatMap((path) => [...said(path).matchAll(/=> "([a-z_]+)"/g)].map(([, code]) => code ?? ""));
}

/** What the agent can ask for, out of the keeper's list. */
function askedKinds(): string[] {
  return [...rust("keeper/src/approvals/action.rs").matchAll(/of_kind\("([a-z_]+)"/g)].map(([, kind]) => kind ?? "").concat("share");
}

function entry(what: string, rest: Partial<ActivityEntry> = {}): ActivityEntry {
  return { what, first: 0, last: 0, count: 1, ...rest };
}

function words(what: string, rest: Partial<ActivityEntry> = {}): string {
  return activityWords(entry(what, rest));
}

/** A sentence for anybody: no code, no word of the protocol, nothing left out in the middle. */
function isPlain(sentence: string): boolean {
  return /^[A-Z“]/.test(sentence) && !/[a-z]_[a-z]|capabilit|envelope|undefined|null|  |“”| at $|: $/i.test(sentence);
}

describe("the activity", () => {
  it("has words for every kind that a keeper can write, with and without what there is to say of it", () => {
    const all = kinds();
    expect(all.length).toBeGreaterThan(40);
    for (const what of all) {
      const bare = words(what);
      expect(bare, what).not.toContain("no words for");
      for (const said of [bare, words(what, { to: "Bob", why: "word", name: "Key" }), words(what, { to: "" })]) expect(isPlain(said), `${what}: ${said}`).toBe(true);
    }
  });

  it("says of what a newer keeper notes that there are no words for it, and whom it is about", () => {
    const later = words("something_of_later", { to: "Bob", why: "a_code" });
    expect(later).toContain("no words for yet; it has to do with Bob");
    expect(isPlain(later), later).toBe(true);
  });

  it("says what was shared, with whom, how and for how long, and calls it no change", () => {
    const asked = { kind: "share", service: "calendar", scope: ["read", "list"], until: 7 * DAY_MS };
    const of = (what: string, why?: string) => words(what, { to: "Bob", asked, ...(why === undefined ? {} : { why }) });
    expect(of("approval_asked")).toBe("Your agent asked you to let it share “calendar” with Bob: read only, for 7 days");
    expect(of("approval_given", "once")).toBe("You let your agent share “calendar” with Bob: read only, for 7 days (once)");
    expect(of("approval_given", "by Carol, the second person")).toBe("Carol, the second person, let your agent share “calendar” with Bob: read only, for 7 days");
    expect(of("approval_denied")).toBe("You did not let your agent share “calendar” with Bob: read only, for 7 days");
    expect(of("approval_used")).toBe("Your agent did what you had allowed: to share “calendar” with Bob: read only, for 7 days");
    expect(of("shared")).toBe("You shared “calendar” with Bob: read only, for 7 days");
    expect(of("shared", "by Eva")).toBe("Eva, who manages it for you, shared your “calendar” with Bob: read only, for 7 days");
    const writes = { ...asked, scope: ["read", "list", "write"], until: 5 * 60 * 60 * 1000 };
    expect(words("shared", { to: "Bob", asked: writes })).toBe("You shared “calendar” with Bob: they may read it, see what is there and change it, for 5 hours");
    expect(words("share_used", { to: "Bob", why: "calendar" })).toBe("Bob used “calendar”, which you share");
  });

  it("says what else the agent asked for, whatever it is", () => {
    const all = askedKinds();
    expect(all.length).toBe(5);
    const said = (kind: string) => words("approval_given", { to: "Bob", asked: { kind, service: "calendar" }, why: "once" });
    for (const kind of all) expect(said(kind), kind).not.toContain("has to do with");
    expect(said("call_service")).toBe("You let your agent change something at Bob (once)");
    expect(said("call_shared")).toBe("You let your agent change something at “calendar”, which Bob shares with you (once)");
    expect(said("ask_for_share")).toBe("You let your agent ask Bob to share something (once)");
    expect(said("run_command")).toBe("You let your agent run a command (once)");
    // Of keepers of before this, and of after.
    expect(words("approval_given", { to: "Bob", why: "once" })).toBe("You let your agent do something that has to do with Bob (once)");
    expect(words("approval_given", { to: "command", why: "once" })).toBe("You let your agent run a command (once)");
    expect(said("something_new")).toBe("You let your agent do something that has to do with Bob (once)");
  });

  it("says who was refused what is shared, and why, and has no code in it", () => {
    expect(words("share_refused", { to: "Bob", why: "revoked" })).toBe("Bob, or their agent, was refused what you share: you had stopped sharing it");
    expect(words("share_refused", { why: "not_held" })).toBe("Somebody whom you do not know was refused what you share: it was shared with somebody else");
    expect(words("share_refused", { to: "Bob", why: "bad_signature" })).toContain("is not genuine");
    expect(words("share_refused", { to: "Bob", why: "code_of_later" })).toBe("Bob, or their agent, was refused what you share");
    // What a presentation itself is refused for has a reason each; of the rest some are refusals of one's own and never come here.
    const capability = codes("vault/src/capability/error.rs");
    expect(capability.length).toBeGreaterThan(15);
    for (const why of capability) expect(words("share_refused", { to: "Bob", why }), why).toContain(": ");
    for (const why of codes("keeper/src/shares/error.rs", "keeper/src/broker/routes/error.rs")) expect(isPlain(words("share_refused", { to: "Bob", why })), why).toBe(true);
  });

  it("says why the agent was refused a service, by name, and has no code in it", () => {
    expect(words("secret_refused", { to: "mail", why: "approval_denied" })).toBe("Refused: your agent tried to use the service mail: you said no");
    expect(words("secret_refused", { name: "Key", why: "your agent may not see it" })).toBe("Refused: your agent tried to use “Key”: your agent may not see it");
    const all = codes("keeper/src/broker/routes/error.rs");
    expect(all.length).toBeGreaterThan(15);
    for (const why of all) expect(isPlain(words("secret_refused", { to: "mail", why })), why).toBe(true);
  });
});

it("no field of the pages on which something is shared or allowed is called by a word of the protocol", () => {
  const fields = ["shared", "approvals"].flatMap((folder) => {
    const at = new URL(`../src/${folder}/`, import.meta.url);
    const sources = readdirSync(at).map((file) => readFileSync(new URL(file, at), "utf8"));
    return sources.flatMap((source) => [...source.matchAll(/\b(?:label|hint|error): (?:[^"`,]*\? )?["`]([^"`]*)/g)].map(([, text]) => text ?? ""));
  });
  expect(fields.length).toBeGreaterThan(15);
  expect(fields.filter((text) => /capabilit|envelope|steer|\bpath\b|\bquer|json|argument|header/i.test(text))).toEqual([]);
});
