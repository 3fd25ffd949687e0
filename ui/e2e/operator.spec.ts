import { readFileSync } from "node:fs";
import { mailedLink } from "./mail";
import { refusedOnPurpose, signIn } from "./operator";
import { COLD_START_MS, expect, test } from "./person";
import { expectClean, inspect, watched } from "./watched";

test("the operator signs in with the token, sees numbers and states, and nobody's content", async ({ anna, browser }) => {
  // Somebody is at their agent, so that there is something to see.
  await anna.page.goto("/");
  const context = await browser.newContext();
  const operator = await watched(context);
  const { page } = operator;
  await page.goto("/admin/cells");
  await expect(page.getByRole("heading", { name: "Operator" })).toBeVisible();
  await page.getByLabel("Operator’s token").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "token is not right" })).toBeVisible();
  await inspect(page, "operator-sign-in");
  await signIn(operator);
  refusedOnPurpose(operator);
  await inspect(page, "operator-overview");

  await page.getByRole("link", { name: "People", exact: true }).click();
  await expect(page.getByRole("row").filter({ hasText: anna.email })).toBeVisible();
  await page.getByLabel("Find somebody").fill("role:owner");
  await expect(page).toHaveURL(/\?q=role%3Aowner$/);
  await page.reload();
  await expect(page.getByLabel("Find somebody")).toHaveValue("role:owner");
  await inspect(page, "operator-people");
  await page.getByLabel("Find somebody").fill("nobody at all");
  await expect(page.getByText("Nobody fits.")).toBeVisible();
  await page.getByLabel("Find somebody").fill("colour:red");
  await expect(page.getByText("There is no “colour” here.")).toBeVisible();

  await page.getByRole("link", { name: "Cells", exact: true }).click();
  await page.getByRole("row").filter({ hasText: anna.email }).getByRole("link", { name: anna.name }).click();
  await expect(page.getByRole("heading", { name: `Cell of ${anna.name}` })).toBeVisible();
  await expect(page.getByRole("log", { name: "The keeper’s log" })).not.toBeEmpty({ timeout: COLD_START_MS });
  const fact = (title: string) => page.locator(".facts-list div").filter({ has: page.getByText(title, { exact: true }) });
  await expect(fact("Memory")).toContainText(/\d MiB \d+ % of \d/);
  await expect(fact("Made")).toContainText(/\d (s|min|h) ago/);
  await inspect(page, "operator-cell");
  await page.getByRole("link", { name: "All cells" }).click();
  await expect(page.getByRole("heading", { name: "Cells", exact: true })).toBeVisible();

  await page.getByRole("link", { name: "Tenants", exact: true }).click();
  await page.getByRole("link", { name: "Keller & Sons" }).click();
  await expect(page.getByRole("heading", { name: "Limits" })).toBeVisible();
  await inspect(page, "operator-tenant");
  await page.getByRole("link", { name: "Health" }).click();
  await expect(page.getByText("Its chain of", { exact: false })).toBeVisible();
  await inspect(page, "operator-health");
  await page.getByRole("link", { name: "Audit" }).click();
  await expect(page.getByText("The operator signed in").first()).toBeVisible();
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: "Signed log" }).click();
  const lines = readFileSync(await (await downloading).path(), "utf8").trim().split("\n");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ holdfast_audit: 1, operator: { unsigned: 0 } });
  expect(JSON.parse(lines.at(-1) ?? "")).toHaveProperty("end");
  await inspect(page, "operator-audit");

  // What a person's session is, this is not, and the other way round.
  expect((await page.request.get("/api/v1/me")).status()).toBe(401);
  expect((await anna.page.request.get("/api/v1/operator/people")).status()).toBe(401);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByLabel("Operator’s token")).toBeVisible();
  expectClean(operator);
  await context.close();
});

test("the operator makes an organisation, and its owner comes in by mail", async ({ anna, browser }) => {
  const context = await browser.newContext();
  const operator = await watched(context, [/status of (404|409) .*\/api\/v1\/operator\/tenants/]);
  const { page } = operator;
  await page.goto("/admin");
  await signIn(operator);
  refusedOnPurpose(operator);
  await page.getByRole("link", { name: "Tenants", exact: true }).click();
  const name = `Bakery ${Date.now()}`;
  const email = `baker-${Date.now()}@bakery.example`;

  // What is wrong is said where it was typed, and nothing is made.
  await page.getByRole("button", { name: "New organisation" }).click();
  await page.getByLabel("Name of the organisation").fill("keller & sons");
  await page.getByLabel("E-mail address of its owner").fill(email);
  await page.getByRole("button", { name: "Make it and invite the owner" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "of this name already" })).toBeVisible();
  await inspect(page, "operator-new-tenant");

  await page.getByLabel("Name of the organisation").fill(name);
  await mailedLink(email, "join", async () => {
    await page.getByRole("button", { name: "Make it and invite the owner" }).click();
    await expect(page.getByRole("status").filter({ hasText: email })).toBeVisible();
  });
  await page.getByLabel("Find a tenant").fill("state:empty");
  await expect(page.getByRole("row").filter({ hasText: name })).toContainText("Waits for its owner");
  await page.getByRole("link", { name }).click();
  await expect(page.getByText("was invited to own it")).toBeVisible();
  await inspect(page, "operator-empty-tenant");
  await page.getByRole("button", { name: "Invite again" }).click();
  const link = await mailedLink(email, "join", () => page.getByRole("button", { name: "Send the invitation" }).click());

  const owners = await watched(await browser.newContext());
  await owners.page.goto(link);
  await expect(owners.page.getByRole("heading", { name: `The operator invites you to ${name}` })).toBeVisible();
  await owners.page.getByLabel("Your name").fill("Bo Baker");
  await owners.page.getByRole("button", { name: "Join" }).click();
  await expect(owners.page.getByLabel("Your name")).toBeHidden();
  const people = await (await owners.page.request.get("/api/v1/people")).json();
  expect(people.people.map((person: { email: string; role: string }) => [person.email, person.role])).toEqual([[email, "owner"]]);
  const others = await (await anna.page.request.get("/api/v1/people")).text();
  expect(others).not.toContain(email);

  await page.reload();
  await expect(page.getByRole("row").filter({ hasText: "Bo Baker" })).toBeVisible();
  await expect(page.getByText("was invited to own it")).toBeHidden();

  // What is out of use is deleted, for who has seen what is lost and typed its name.
  await page.getByRole("button", { name: `Suspend ${name}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Suspend" }).click();
  await expect(page.getByText("Suspended since", { exact: false })).toBeVisible();
  await inspect(page, "operator-suspended-tenant");
  await page.getByRole("button", { name: `Delete ${name}` }).click();
  const sure = page.getByRole("dialog");
  await expect(sure.getByText("1 person")).toBeVisible();
  await sure.getByLabel(`Type ${name} to go on`).fill("something else");
  await expect(sure.getByRole("button", { name: "Delete for ever" })).toBeDisabled();
  await sure.getByLabel(`Type ${name} to go on`).fill(name);
  await inspect(page, "operator-delete-tenant");
  await sure.getByRole("button", { name: "Delete for ever" }).click();
  await expect(page.getByText(`${name} is deleted, with 1 person and 1 agent.`)).toBeVisible({ timeout: 60_000 });
  await inspect(page, "operator-deleted-tenant");
  expect((await owners.page.request.get("/api/v1/me")).status()).toBe(401);
  await page.getByRole("link", { name: "All tenants" }).click();
  await expect(page.getByRole("heading", { name: "Tenants" })).toBeVisible();
  await expect(page.getByRole("row").filter({ hasText: name })).toHaveCount(0);

  await page.getByRole("link", { name: "Audit" }).click();
  await expect(page.getByText(`made the organisation ${name}`)).toBeVisible();
  await expect(page.getByText(`deleted the organisation ${name}`)).toBeVisible();
  expectClean(operator);
  await context.close();
});
