import { mailedLink } from "./mail";
import { expect, signInByMail, test, unlock, withAuthenticator, withoutOfferInFields } from "./person";
import { expectClean, inspect, watched } from "./watched";

test("a passkey is set up, signs in by itself in the field and with the button, follows a link, and is refused once it is removed", async ({ anna, browser }) => {
  const here = await watched(await browser.newContext(), [/status of 403 .*\/api\/v1\/sign-in\/passkey/]);
  const { page, context } = here;
  await withAuthenticator(here, false);
  await signInByMail(page, anna.email);
  await unlock(page, anna.password);

  await page.goto("/security");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByLabel("What shall it be called?").fill("Test phone");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("list", { name: "Backup codes" }).getByRole("listitem")).toHaveCount(10);
  await page.getByRole("button", { name: "I have kept them" }).click();
  await expect(page.getByText("Test phone", { exact: true })).toBeVisible();
  await inspect(page, "security-passkey");
  await page.getByRole("button", { name: "Rename the passkey Test phone" }).click();
  await page.getByLabel("Name", { exact: true }).fill("My phone");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("The passkey is called “My phone” now.").first()).toBeVisible();

  // The browser offers it where the address is typed; this one's owner takes it at once.
  await page.goto("/me");
  await page.getByRole("region", { name: "Leave" }).getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });

  // A browser that offers nothing in fields has the button.
  await withoutOfferInFields(here);
  await context.clearCookies();
  await page.goto("/audit");
  await expect(page.getByRole("heading", { name: "Sign in", exact: true })).toBeVisible();
  await inspect(page, "sign-in-passkey");
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
  await expect(page, "where they wanted to be").toHaveURL("/audit");

  // A link alone does not sign in any more.
  await page.goto("/sign-in");
  const path = await mailedLink(anna.email, "sign-in", async () => {
    await page.getByLabel("E-mail address").fill(anna.email);
    await page.getByRole("button", { name: "Send me a link" }).click();
    await expect(page.getByRole("heading", { name: "Look in your mail" })).toBeVisible();
  });
  await page.goto(path);
  await expect(page.getByRole("heading", { name: "Your second factor" })).toBeVisible();
  await inspect(page, "second-factor-passkey");
  await page.getByRole("button", { name: "Use your passkey" }).click();
  await unlock(page, anna.password);

  await page.goto("/security");
  await page.getByRole("button", { name: "Remove the passkey My phone" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(page.getByText("The passkey “My phone” is removed.").first()).toBeVisible();

  // The device has it still.
  await page.goto("/me");
  await page.getByRole("region", { name: "Leave" }).getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "This passkey was not accepted" })).toBeVisible();
  await inspect(page, "refused-removed-passkey");
  expect((await page.request.get("/api/v1/me")).status()).toBe(401);
  expectClean(here);
  await context.close();
});
