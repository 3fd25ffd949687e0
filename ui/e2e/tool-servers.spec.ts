import { expect, join, test } from "./person";
import { addSecret, demoAddress } from "./services";
import { expectClean, inspect } from "./watched";

test("a server of tools is connected, its owner says what each tool may be called as, and one of them is shared", async ({ anna, browser }, { retry }) => {
  const { page } = anna;
  await addSecret(page, "Key of the notes", "notes-canary-0123456789");
  await page.goto("/services");
  await page.getByRole("button", { name: "Connect a service" }).click();
  await page.getByLabel("Short name").fill("notes");
  await page.getByLabel("What is it?").selectOption({ label: "A server of tools (MCP)" });
  await page.getByLabel("Address", { exact: true }).fill(`${await demoAddress(page)}/tools`);
  await page.getByLabel("Secret", { exact: true }).selectOption({ label: "Key of the notes" });
  await inspect(page, "tool-server-form");
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await expect(page.getByText("None of them may be called yet.")).toBeVisible();

  // She looks at them as the server describes them; nothing is allowed by the way.
  await page.getByRole("button", { name: "Tools of “notes”" }).click();
  const search = page.getByLabel("What search_notes does");
  await expect(search).toHaveValue("", { timeout: 60_000 });
  await expect(page.getByText("Finds the notes in which these words stand.")).toBeVisible();
  await expect(page.getByText("The server hints: reads")).toBeVisible();
  await expect(page.getByText("One tool is not shown")).toBeVisible();
  await search.selectOption({ label: "Reads" });
  await page.getByLabel("What add_note does").selectOption({ label: "Changes something" });
  const save = page.getByRole("button", { name: "Save tools" });
  await save.scrollIntoViewIfNeeded();
  await inspect(page, "tool-server-tools");
  await page.getByText("What it is given: search_notes").click();
  await expect(page.getByRole("region", { name: "Arguments of search_notes" })).toContainText("What to look for.");
  await inspect(page, "tool-server-arguments");
  await save.click();
  await expect(page.getByText("May be called: add_note, search_notes.")).toBeVisible();

  // What she said is not dropped by the way.
  await page.getByRole("button", { name: "Change “notes”" }).click();
  await page.getByLabel("What is it?").selectOption({ label: "A web service" });
  await page.locator("hf-route-form").getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("What you said of its 2 tools is forgotten.")).toBeVisible();
  await inspect(page, "tool-server-dropped");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.locator("hf-route-form").getByRole("button", { name: "Cancel", exact: true }).click();
  await expect(page.getByText("May be called: add_note, search_notes.")).toBeVisible();

  // One of the two alone is shared with Bella, who reaches nothing beside it.
  const bella = await join(anna, browser, "Bella Blum", `bella.blum.${retry}@example.org`, "six slow trains passing");
  await page.goto("/shared");
  await page.getByRole("button", { name: "Share something" }).click();
  await page.getByLabel("With whom?").selectOption({ label: "Bella Blum" });
  await page.getByLabel("What?").selectOption("notes");
  const which = page.getByLabel("Which of its tools?");
  await expect(which.getByRole("option")).toHaveText(["All that you have allowed", "add_note: changes something", "search_notes: reads"]);
  await which.selectOption("search_notes");
  await expect(page.getByText("Bella Blum and their agent may look at what is below /search_notes of notes until")).toBeVisible();
  await inspect(page, "tool-server-one-shared");
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await expect(page.getByText("notes (only /search_notes) with Bella Blum")).toBeVisible();
  await bella.page.goto("/shared");
  const one = bella.page.locator("hf-received", { hasText: "notes (only /search_notes) of Anna Keller" });
  await one.getByRole("button", { name: "Look at it" }).click({ timeout: 60_000 });
  await one.getByRole("button", { name: "Read", exact: true }).click();
  await expect(one.getByRole("region", { name: "Answer of notes" })).toContainText("One note says", { timeout: 60_000 });
  for (const path of ["/add_note", "/"]) {
    await one.getByLabel("Which part of notes?").fill(path);
    await one.getByRole("button", { name: "Read", exact: true }).click();
    await expect(one.getByRole("alert")).toContainText("for something else than what was shared", { timeout: 60_000 });
    await expect(one.getByRole("region", { name: "Answer of notes" })).toHaveCount(0);
  }

  // All of it is shared with a group: who is to accept it reads how the server describes what was allowed.
  await page.goto("/groups");
  const group = `Notes ${retry}`;
  await page.getByLabel("Name", { exact: true }).fill(group);
  await page.getByRole("button", { name: "Make group" }).click();
  await page.getByLabel("E-mail address").fill(bella.email);
  await page.getByRole("button", { name: "Invite", exact: true }).click();
  await expect(page.getByRole("button", { name: `Withdraw the invitation of ${bella.email}` })).toBeVisible();
  await bella.page.goto("/groups");
  await bella.page.getByRole("button", { name: `Join ${group}`, exact: true }).click();
  await expect(bella.page.getByText(`You are in ${group} now.`).first()).toBeVisible();
  await page.reload();
  await page.getByRole("button", { name: "Share a service with this group" }).click({ timeout: 60_000 });
  await page.getByLabel("Which service?").selectOption("notes");
  await page.getByLabel("What do you call it here?").fill("Team notes");
  await page.getByLabel("What is it for?").fill("What we know.");
  await page.getByLabel("Bella Blum", { exact: true }).selectOption({ label: "Only look at it" });
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await bella.page.getByRole("link", { name: group }).first().click();
  const row = bella.page.locator("hf-received", { hasText: "Team notes of Anna Keller" });
  const tools = row.getByRole("list", { name: "Its tools" });
  await expect(tools).toContainText("Finds the notes in which these words stand.", { timeout: 60_000 });
  await expect(tools).toContainText("Writes a note.");
  await expect(tools).not.toContainText("Deletes all notes");
  await inspect(bella.page, "group-offered-tools");
  await row.getByRole("button", { name: "Accept" }).click();
  await expect(row.getByText("Yours to use")).toBeVisible();
  await expect(tools).toHaveCount(0);
  expectClean(bella);
  await bella.context.close();
  expectClean(anna);
});
