/** What an owner says of the tools of a server. */
import { describe, expect, it } from "vitest";
import type { ServerTool } from "../src/channel/messages";
import { allowed, missing } from "../src/secrets/tool-words";

const tool = (name: string, over: Partial<ServerTool> = {}): ServerTool => ({ name, input_schema: {}, changed: false, seen: `now-${name}`, ...over });
const known = { search: { does: "read", seen: "then-search" }, gone: { does: "write", seen: "then-gone" } } as const;

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
