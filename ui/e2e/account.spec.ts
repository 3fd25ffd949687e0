import { aQuarterOfAnHourLater } from "./machine";
import { connectModel, expect, join, signInByMail, test, unlock } from "./person";
import { code } from "./totp";
import { expectClean, inspect } from "./watched";

test("a member has a name, an authenticator app, a key and a group of their own, and finds all of it in the audit log", async ({ anna, browser }, { retry }) => {
  const email = `dora-${retry}@example.org`;
  const dora = await join(anna, browser, "Dora Klein", email, "eleven calm rivers bend");
  const { page, context } = dora;
  await connectModel(page, false);

  await test.step("another name", async () => {
    await page.goto("/me");
    await page.getByRole("button", { name: "Change name" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Dora Berg");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Dora Berg", { exact: true })).toBeVisible();
    await inspect(page, "profile");
  });

  /** The browser has said that this was refused, which was on purpose. */
  const refused = (path: RegExp): void => {
    const { problems } = dora;
    problems.splice(0, problems.length, ...problems.filter((words) => !(words.includes("status of 403 ") && path.test(words))));
  };

  let secret = "";
  let enrolled = "";
  let codes: string[] = [];
  await test.step("an authenticator app and backup codes", async () => {
    await page.goto("/security");
    await page.getByRole("button", { name: "Set up", exact: true }).click();
    secret = await page.locator(".authenticator code.key").innerText();
    await inspect(page, "authenticator");
    enrolled = code(secret);
    await page.getByLabel("Code from the app").fill(enrolled);
    await page.getByRole("button", { name: "Confirm" }).click();
    const list = page.getByRole("list", { name: "Backup codes" }).getByRole("listitem");
    await expect(list).toHaveCount(10);
    codes = (await list.allInnerTexts()).map((text) => text.trim());
    await inspect(page, "backup-codes");
    await page.getByRole("button", { name: "I have kept them" }).click();
    await expect(page.getByText("10 left. Each works once.")).toBeVisible();
    expectClean(dora);
  });

  await test.step("a key, for which they show again who they are", async () => {
    await page.goto("/keys");
    await page.getByLabel("Name", { exact: true }).fill("laptop");
    aQuarterOfAnHourLater(dora);
    await page.getByRole("button", { name: "Make key" }).click();
    const dialog = page.getByRole("dialog");
    await expect(dialog.getByRole("heading", { name: "Show that it is you" })).toBeVisible();
    await inspect(page, "step-up");
    await dialog.getByLabel("Code from your authenticator app, or a backup code").fill("AAAAA-AAAAA");
    await dialog.getByRole("button", { name: "Continue" }).click();
    await expect(dialog.getByRole("alert")).toBeVisible();
    // A code of the app was used a moment ago, so one of paper.
    await dialog.getByLabel("Code from your authenticator app, or a backup code").fill(codes[0] ?? "");
    await dialog.getByRole("button", { name: "Continue" }).click();
    await expect(page.getByRole("heading", { name: "Copy “laptop” now" })).toBeVisible();
    const key = await page.locator("#made-key").innerText();
    await inspect(page, "key-made");
    const authorization = { headers: { Authorization: `Bearer ${key}` } };
    const program = await browser.newContext();
    expect(await (await program.request.get("/api/v1/me", authorization)).text()).toContain("Dora Berg");
    await page.getByRole("button", { name: "I have it" }).click();
    await page.getByRole("button", { name: "Revoke laptop" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await expect(page.getByText("“laptop” works no more.").first()).toBeVisible();
    expect((await program.request.get("/api/v1/me", authorization)).status()).toBe(401);
    await program.close();
    refused(/\/api\/v1\/(keys|step-up)/);
  });

  await test.step("a group, and somebody else in it", async () => {
    await page.goto("/groups");
    const name = `Night shift ${retry}`;
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByRole("button", { name: "Make group" }).click();
    await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
    await page.getByLabel("E-mail address").fill(anna.email);
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    await expect(page.getByRole("button", { name: `Withdraw the invitation of ${anna.email}` })).toBeVisible();
    await inspect(page, "group");
    await anna.page.goto("/groups");
    await anna.page.getByRole("button", { name: `Join ${name}`, exact: true }).click();
    await expect(anna.page.getByText(`You are in ${name} now.`).first()).toBeVisible();
    await page.reload();
    await expect(page.getByText(anna.email)).toBeVisible({ timeout: 60_000 });
    await page.getByRole("button", { name: "Take out" }).click();
    const sure = page.getByRole("dialog");
    await sure.getByRole("button").last().click();
    await expect(page.getByText(anna.email)).toHaveCount(0);
    await anna.page.goto("/");
  });

  await test.step("signing in asks for a code: of the app or a backup code, each once", async () => {
    const again = async (): Promise<void> => {
      // On a page of an open vault there are two, at the side and on it.
      await page.getByRole("button", { name: "Sign out" }).first().click();
      await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
      await signInByMail(page, email);
      await expect(page.getByRole("heading", { name: "Your second factor" })).toBeVisible();
    };
    const type = async (typed: string): Promise<void> => {
      await page.getByLabel("Code", { exact: true }).fill(typed);
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
    };
    const isRefused = (): Promise<void> => expect(page.getByRole("alert").filter({ hasText: "not right, or was used already" })).toBeVisible();
    await page.goto("/me");
    await again();
    await type("000000");
    await isRefused();
    await inspect(page, "second-factor-wrong");
    // The one that set the app up was used by that.
    await expect.poll(() => code(secret), { timeout: 35_000 }).not.toBe(enrolled);
    const shown = code(secret);
    await type(shown);
    await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });

    await again();
    for (const used of [shown, codes[0] ?? ""]) {
      await type(used);
      await isRefused();
    }
    await type(codes[1] ?? "");
    await unlock(page, dora.password);
    refused(/\/api\/v1\/(me|sign-in\/factor)/);
  });

  await test.step("the audit log has it, and what was refused", async () => {
    await page.goto("/audit");
    const log = page.locator(".audit-list");
    for (const words of ["changed their name to Dora Berg", "set up an authenticator app", "made the API key", "made the group"]) {
      await expect(log.getByText(words).first()).toBeVisible();
    }
    await page.getByLabel("Only what was refused").check();
    await expect(log.getByText("made the group")).toHaveCount(0);
    await expect(log.getByText("showed a second factor").first()).toBeVisible();
    await inspect(page, "audit-refused");
    expectClean(dora);
  });
  await context.close();
});
