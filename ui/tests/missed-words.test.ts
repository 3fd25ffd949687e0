/** That somebody asked while nobody was there is said to both. */
import { describe, expect, it } from "vitest";
import type { ActivityEntry } from "../src/channel/messages";
import { details, saysNoAccount } from "../src/approvals/words";
import { activityWords } from "../src/secrets/activity-words";
import { missedWords } from "../src/shared/words";

function entry(what: string, rest: Partial<ActivityEntry>): ActivityEntry {
  return { what, first: 0, last: 0, count: 1, ...rest };
}

describe("what came too late", () => {
  it("says who asked for what, and that it was not done", () => {
    expect(activityWords(entry("share_missed", { to: "Bob", why: "calendar" }))).toMatch(/^Bob, or their agent, asked for “calendar” while your vault was locked or out of reach\. It was not done/);
    expect(activityWords(entry("share_missed", { to: "Bob" }))).toContain("asked for something of yours");
    expect(missedWords("Bob", 0)).toMatch(/^Bob, or their agent, asked for it on .* It was not done/);
  });

  it("says to whoever asked that they can ask again", () => {
    expect(activityWords(entry("owner_back", { to: "Anna" }))).toMatch(/^Anna’s vault can be reached again\. .*ask again$/);
  });
});

describe("a command that is asked about", () => {
  it("is shown with the program, the place, the variables and what OpenClaw warns of, where it says them", () => {
    const command = { kind: "run_command", command: "git push", folder: "/home/agent" } as const;
    expect(details(command)).toHaveLength(2);
    const said = details({ ...command, program: "/usr/bin/git", host: "gateway", variables: ["GIT_SSH", "PATH"], warning: "It leaves this computer" });
    expect(said.slice(2)).toEqual([["Program", "/usr/bin/git"], ["Where", "gateway"], ["With the variables", "GIT_SSH, PATH"], ["OpenClaw warns", "It leaves this computer"]]);
  });
});

describe("a rule", () => {
  it("that does not say for which account it is stands as one of an earlier version", () => {
    const rule = { kind: "call_service", service: "calendar", base_url: "https://c.example", method: "POST", path: "/events" } as const;
    expect([saysNoAccount(rule), saysNoAccount({ ...rule, secret: "calendar" }), saysNoAccount({ kind: "run_command", command: "ls", folder: "/" })]).toEqual([true, false, false]);
  });
});
