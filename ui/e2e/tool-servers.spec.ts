import { expect, test } from "./person";
import { addSecret, demoAddress } from "./services";
import { expectClean, inspect } from "./watched";

test("a server of tools is connected, and its owner says what each tool may be called as", async ({ anna }) => {
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
  expectClean(anna);
});
