/** What is shown before an answer is what would be sent. */
import { describe, expect, it } from "vitest";
import { approvalWords, asSecond, dayWords, details, secondDetails } from "../src/approvals/words";
import type { ApprovalAction, AskedAsSecond } from "../src/channel/messages";

function content(body: string): string | undefined {
  const action: ApprovalAction = { kind: "call_service", service: "mail", base_url: "https://mail.example", secret: "s", method: "POST", path: "/send", query: "", headers: [], body, body_is_text: true };
  return details(action).find(([name]) => name === "Content")?.[1];
}

describe("the content of a request", () => {
  it("is laid out where it is JSON", () => {
    expect(content('{"to": ["anna" , "bob"],"words":"a  \\"b\\" {}"}')).toBe('{\n  "to": [\n    "anna",\n    "bob"\n  ],\n  "words": "a  \\"b\\" {}"\n}');
    expect(content("Hello\n\tyou")).toBe("Hello\n\tyou");
  });

  it("stays as it is sent where laying it out would leave something out or change it", () => {
    for (const body of ['{"to":"evil","to":"boss"}', '{"amount":10000000000000001}', '{"amount":1.0}', '{"b":1,"1":2}', '{"a":"\\u0041"}', '{"a":1,}', "[1 2]"]) expect(content(body)).toBe(body);
  });

  it("has letters that nobody sees written out, and no others", () => {
    expect(content("pay \u202Emoc.live\u202C")).toBe("pay \\u{202e}moc.live\\u{202c}");
    expect(content("a\u200Bb\r\nc\u0007")).toBe("a\\u{200b}b\\u{d}\nc\\u{7}");
    expect(content('{"a":"x\u{E0041}"}')).toBe('{\n  "a": "x\\u{e0041}"\n}');
    const emoji = "👩‍👧 ❤️ क्‍ष";
    expect(content(emoji)).toBe(emoji);
  });
});

it("says the year of a day that is not of this one", () => {
  const year = new Date().getFullYear();
  expect(dayWords(new Date(year + 1, 5, 20, 12).getTime())).toContain(`${year + 1}`);
  expect(dayWords(new Date(year, 5, 20, 12).getTime())).not.toContain(`${year}`);
});

describe("whom a share is for, as a second person is shown it", () => {
  const action: ApprovalAction = { kind: "share", with: "u", name: "Carol", holder: "KEY", resource: "service/mail", scope: ["read"], until: 0, constraints: {} };
  const asked = (receiver: AskedAsSecond["receiver"]): AskedAsSecond => ({ id: "i", user: "b", name: "Bob", asked_at: 0, expires_at: 1, action, hash: "h", state: "waiting", at: null, reason: "", receiver });
  const row = (of: AskedAsSecond, name: string) => secondDetails(of).find(([label]) => label === name)?.[1];

  it("is who has the key, and not who whoever asks says it is", () => {
    const known = asked({ me: false, name: "Mallory", fingerprint: "1 2" });
    expect(approvalWords(asSecond(known), "Bob’s agent")).toContain("with Mallory,");
    expect([row(known, "With whom"), JSON.stringify(secondDetails(known)).includes("Carol")]).toEqual(["Mallory", false]);
    expect(row(asked({ me: true, name: null, fingerprint: "3 4" }), "With whom")).toBe("you");
  });

  it("is the digits, or the key, of whom this person does not know", () => {
    const digits = asked({ me: false, name: null, fingerprint: "12345 67890" });
    expect(approvalWords(asSecond(digits), "Bob’s agent")).toContain("with somebody whom you do not know,");
    expect([row(digits, "Digits of whom you do not know"), row(digits, "What Bob calls them")]).toEqual(["12345 67890", "Carol"]);
    expect(row(asked(undefined), "Digits of whom you do not know")).toBe("KEY");
  });
});

describe("whose it is that was passed on", () => {
  const of = { keys: "KEYS", name: "Anna", fingerprint: "1 2" };
  const action: ApprovalAction = { kind: "call_shared", share: "s", owner: "b", name: "Bob", of, service: "calendar", method: "DELETE", path: "/work", query: "", content_type: "", body: "" };
  const row = (of: ApprovalAction, name: string) => details(of).find(([label]) => label === name)?.[1];

  it("is who has the key, by name or by the digits, and not who passed it on", () => {
    expect(approvalWords(action)).toBe("Your agent wants to delete something at calendar of Anna, which Bob passed on to you.");
    expect([row(action, "Whose"), row(action, "Passed on by")]).toEqual(["Anna", "Bob"]);
    const stranger = { ...action, of: { ...of, name: null } };
    expect(approvalWords(stranger)).toContain("of somebody whom you do not know, which Bob passed on to you");
    expect(row(stranger, "Whose")).toContain("1 2");
    expect(row({ ...action, of: undefined }, "Passed on by")).toBeUndefined();
  });

  it("is for a second person who they know by that key, whatever whoever asks calls them", () => {
    const shown = (receiver: AskedAsSecond["receiver"]) => asSecond({ action, receiver });
    expect(approvalWords(shown({ me: true, name: null, fingerprint: "3 4" }), "Bob’s agent")).toContain("calendar of you, which Bob passed on to them");
    expect(row(shown({ me: false, name: "Mallory", fingerprint: "3 4" }), "Whose")).toBe("Mallory");
    expect(row(shown({ me: false, name: null, fingerprint: "3 4" }), "Whose")).toContain("3 4");
    expect(row(shown(null), "Whose")).toContain("KEYS");
  });
});

describe("somebody who is asked to share something", () => {
  const action: ApprovalAction = { kind: "ask_for_share", of: "a", name: "Anna", words: "Your calendar\nuntil \u202Eyadirf" };

  it("is named, and what they are told stands there as it is sent", () => {
    expect(approvalWords(action)).toBe("Your agent wants to ask Anna to share something.");
    expect(approvalWords(action, "Bob’s agent")).toBe("Bob’s agent wants to ask Anna to share something.");
    expect(details(action)).toEqual([
      ["Whom", "Anna"],
      ["Words", "Your calendar\nuntil \\u{202e}yadirf"],
    ]);
  });
});
