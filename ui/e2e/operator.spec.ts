import { readFileSync } from "node:fs";
import { expect, test } from "./person";
import { expectClean, inspect, type Watched, watched } from "./watched";

const token = readFileSync(`${process.env.HOLDFAST_DATA_DIR ?? "/var/lib/holdfast"}/admin-token`, "utf8").trim();

async function signIn({ page }: Watched): Promise<void> {
  await page.goto("/admin");
  await page.getByLabel("Operator’s token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await expect(page.getByText("Cells awake")).toBeVisible();
}

/** An answer of 401 or 403 is what a page without a session, or with a wrong token, is to get. */
function refusedOnPurpose(watching: Watched): void {
  const kept = watching.problems.filter((words) => !/status of 40[13] .*\/api\/v1\/operator\//.test(words));
  watching.problems.splice(0, watching.problems.length, ...kept);
}

test("the operator signs in with the token, sees numbers and states, and nobody's content", async ({ anna, browser }) => {
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

  await page.getByRole("link", { name: "Tenants", exact: true }).click();
  await page.getByRole("link", { name: "Keller & Sons" }).click();
  await expect(page.getByRole("heading", { name: "Limits" })).toBeVisible();
  await inspect(page, "operator-tenant");
  await page.getByRole("link", { name: "Health" }).click();
  await expect(page.getByText("Its chain of", { exact: false })).toBeVisible();
  await inspect(page, "operator-health");
  await page.getByRole("link", { name: "Audit" }).click();
  await expect(page.getByText("The operator signed in").first()).toBeVisible();
  await inspect(page, "operator-audit");

  // What a person's session is, this is not, and the other way round.
  expect((await page.request.get("/api/v1/me")).status()).toBe(401);
  expect((await anna.page.request.get("/api/v1/operator/people")).status()).toBe(401);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByLabel("Operator’s token")).toBeVisible();
  expectClean(operator);
  await context.close();
});
