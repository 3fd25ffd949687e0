/** What is shown before an answer is what would be sent. */
import { describe, expect, it } from "vitest";
import { details } from "../src/approvals/words";
import type { ApprovalAction } from "../src/channel/messages";

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
