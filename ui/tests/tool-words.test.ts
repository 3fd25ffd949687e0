/** What an owner says of the tools of a server. */
import { describe, expect, it } from "vitest";
import type { ServerTool } from "../src/channel/messages";
import { allowed, missing, notShown } from "../src/secrets/tool-words";

const tool = (name: string, over: Partial<ServerTool> = {}): ServerTool => ({ name, input_schema: {}, changed: false, seen: `now-${name}`, ...over });
const known = { search: { does: "read", seen: "then-search" }, gone: { does: "write", seen: "then-gone" } } as const;

describe("the tools of a server that are not shown", () => {
  const shown = [tool("search")];

  it("are told of, each with why", () => {
    expect(notShown({ tools: shown, unnamed: 0, more: false })).toBe("");
    expect(notShown({ tools: shown, unnamed: 1, more: false })).toContain("One tool is not shown");
    const both = notShown({ tools: shown, unnamed: 2, more: true });
    expect(both).toContain("2 tools are not shown");
    expect(both).toContain("after the first 3 are not shown");
  });
});

describe("what is said of the tools of a server", () => {
  it("is of each tool as it is described now, and nothing of one that was left out", () => {
    expect(allowed([tool("search"), tool("wipe")], {}, { search: "read", wipe: "" })).toEqual({ search: { does: "read", seen: "now-search" } });
  });

  it("stays for a tool that the server does not have today, until it is taken back", () => {
    const tools = [tool("search")];
    expect(missing(tools, known)).toEqual(["gone"]);
    expect(allowed(tools, known, { search: "read", gone: "write" })).toEqual({ search: { does: "read", seen: "now-search" }, gone: { does: "write", seen: "then-gone" } });
    expect(allowed(tools, known, { search: "read", gone: "" })).toEqual({ search: { does: "read", seen: "now-search" } });
  });

  it("is nothing of a tool with letters in its description that nobody sees, whatever was chosen", () => {
    expect(allowed([tool("search", { seen: null })], known, { search: "read", gone: "" })).toEqual({});
  });
});
