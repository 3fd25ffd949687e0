/** What a server of tools says of itself, as it is read before it is accepted. */
import { describe, expect, it } from "vitest";
import { toBase64Url } from "../src/channel/bytes";
import { offeredTools } from "../src/shared/offered-tools-words";

function answer(told: unknown, status = 200): { status: number; body: string } {
  return { status, body: toBase64Url(new TextEncoder().encode(typeof told === "string" ? told : JSON.stringify(told))) };
}

describe("the tools of a server that is shared", () => {
  it("are named, with what their owner lets them do and what the server says", () => {
    const tools = [
      { method: "GET", path: "/search", title: "Look for notes", description: "Finds notes." },
      { method: "DELETE", path: "/wipe", title: null, description: null },
    ];
    expect(offeredTools(answer({ tools, changed: [] }))).toEqual([
      { name: "Look for notes (search)", does: "Reads", description: "Finds notes." },
      { name: "wipe", does: "Deletes", description: "" },
    ]);
  });

  it("show the letters in them that nobody would see", () => {
    const [tool] = offeredTools(answer({ tools: [{ method: "POST", path: "/a", description: "x\u202ey" }] })) ?? [];
    expect(tool?.description).toBe("x\\u{202e}y");
  });

  it("are none where the answer is another", () => {
    expect(offeredTools(answer({ tools: [] }))).toEqual([]);
    for (const other of [answer("{"), answer({}), answer(null), answer({ tools: "x" }), answer({ tools: [] }, 500)]) expect(offeredTools(other)).toBeUndefined();
  });
});
