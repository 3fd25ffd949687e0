import { unusedForTooLong } from "./machine";
import { mailed } from "./mail";
import { expect, makeVault, type Person, signedInAfresh, test, unlock } from "./person";
import { CLIENT, startSite } from "./provider";
import { expectClean, inspect, watched } from "./watched";

test("an owner sets up a site to sign in with, signs in with it, and lets somebody in who asks to join with it", async ({ anna, browser }) => {
  const site = await startSite({ sub: "1", email: "anna@work.example", name: "Anna Keller" });
  const own = await signedInAfresh(browser, anna);
  const { page, context } = own;
  try {
    await page.goto("/providers");
    await expect(page.getByText("No other site is set up yet.").first()).toBeVisible();
    await page.getByLabel("Site", { exact: true }).selectOption("oidc");
    await page.getByLabel("Name on the button").fill("Work");
    await page.getByLabel("Issuer").fill("http://127.0.0.1:1");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await expect(page.getByRole("alert").filter({ hasText: "private_provider_addresses" })).toBeVisible();
    await page.getByLabel("Issuer").fill(site.issuer);
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByLabel("Client ID").fill(CLIENT.id);
    await page.getByLabel("Client secret").fill("not-the-secret");
    await inspect(page, "sign-in-site");
    await page.getByRole("button", { name: "Save and turn on" }).click();
    await page.getByRole("button", { name: "Test Work" }).click();
    await expect(page.getByText("does not take the client ID and secret").first()).toBeVisible();
    await page.getByRole("button", { name: "Settings of Work" }).click();
    await expect(page.getByLabel("Client secret")).toHaveValue("");
    await page.getByLabel("Client secret").fill(CLIENT.secret);
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByRole("button", { name: "Test Work" }).click();
    await expect(page.getByText("It works: the site is there and knows us.").first()).toBeVisible();
    await page.getByLabel("Domain", { exact: true }).fill("work.example");
    await page.getByRole("button", { name: "Let them join" }).click();
    await expect(page.getByText("after somebody agrees").first()).toBeVisible();
    await inspect(page, "sign-in-sites");

    await page.goto("/security");
    await page.getByRole("button", { name: "Link an account at Work" }).click();
    await page.getByRole("link", { name: "Continue as Anna Keller" }).click();
    await expect(page.getByText("The account is linked").first()).toBeVisible({ timeout: 60_000 });
    await expect(page.getByText("Work: anna@work.example").first()).toBeVisible();
    expect(new URL(page.url()).hash).toBe("");
    await inspect(page, "linked-accounts");
    await page.goto("/me");
    await page.getByRole("region", { name: "Leave" }).getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in with Work" }).click();
    await page.getByRole("link", { name: "Continue as Anna Keller" }).click();
    const locked = page.getByRole("heading", { name: "Unlock your vault" });
    await expect(locked).toBeVisible({ timeout: 60_000 });

    // Who comes back when their session is over hears of it before they type a password, and signs in to the page that they left.
    await page.goto("/people/waiting");
    await expect(locked).toBeVisible({ timeout: 60_000 });
    await unusedForTooLong(own);
    await page.evaluate(() => dispatchEvent(new Event("focus")));
    await expect(page.locator(".notice", { hasText: "You were away for a while, or were signed out from another device." })).toBeVisible();
    await expect(page).toHaveURL(/\/sign-in\?next=%2Fpeople%2Fwaiting&organisation=[\da-f-]{36}$/);
    await inspect(page, "sign-in-away");
    await page.getByRole("button", { name: "Sign in with Work" }).click();
    await page.getByRole("link", { name: "Continue as Anna Keller" }).click();
    await expect(locked).toBeVisible({ timeout: 60_000 });
    await expect(page).toHaveURL("/people/waiting");
    await page.goto("/");
    expectClean(own);

    site.somebody = { sub: "2", email: "carla@work.example", name: "Carla Stein" };
    const other = await browser.newContext();
    const carla: Person = { ...(await watched(other)), name: "Carla Stein", email: "carla@work.example", password: "nine quiet harbours wait", phrase: "" };
    await carla.page.goto("/sign-in");
    await expect(carla.page.getByRole("button", { name: "Sign in with Work" })).toBeVisible();
    await inspect(carla.page, "sign-in-buttons");
    await carla.page.getByRole("button", { name: "Sign in with Work" }).click();
    await carla.page.getByRole("link", { name: "Continue as Carla Stein" }).click();
    await expect(carla.page.getByText("You have asked to join.").first()).toBeVisible();
    await inspect(carla.page, "sign-in-waiting");

    await unlock(page, anna.password);
    await page.goto("/people/waiting");
    await expect(page.getByRole("button", { name: "Let in Carla Stein" })).toBeVisible({ timeout: 60_000 });
    await inspect(page, "waiting");
    await page.getByRole("button", { name: "Let in Carla Stein" }).click();
    await expect(page.getByText("Carla Stein is in now").first()).toBeVisible();
    await expect(page.getByText("Nobody waits.").first()).toBeVisible();

    await carla.page.getByRole("button", { name: "Sign in with Work" }).click();
    await carla.page.getByRole("link", { name: "Continue as Carla Stein" }).click();
    await makeVault(carla, false);

    // Who is refused and asks again stands before nobody.
    site.somebody = { sub: "3", email: "otto@work.example", name: "Otto Frey" };
    const otto = await watched(await browser.newContext());
    const ask = async () => {
      await otto.page.goto("/sign-in");
      await otto.page.getByRole("button", { name: "Sign in with Work" }).click();
      await otto.page.getByRole("link", { name: "Continue as Otto Frey" }).click();
      await expect(otto.page.getByText("You have asked to join.").first()).toBeVisible();
    };
    await ask();
    await page.reload();
    const refuse = page.getByRole("button", { name: "Refuse Otto Frey" });
    const sure = page.getByRole("dialog").filter({ hasText: "You are not asked about them again for 30 days" });
    await refuse.click({ timeout: 60_000 });
    await sure.getByRole("button", { name: "Cancel" }).click();
    await refuse.click();
    await inspect(page, "waiting-refuse");
    await sure.getByRole("button", { name: "Refuse" }).click();
    await expect(page.getByText("Otto Frey is not let in, and is told by mail.").first()).toBeVisible();
    await mailed("otto@work.example", "Somebody who manages it has said no.");
    await ask();
    await page.reload();
    await expect(page.getByText("Nobody waits.").first()).toBeVisible({ timeout: 60_000 });
    expectClean(otto);
    await otto.context.close();
    expectClean(carla);
    expectClean(own);
    await other.close();
  } finally {
    await context.close();
    await site.stop();
  }
});
