import type { Page } from "@playwright/test";
import { mailedLink } from "./mail";
import { signIn } from "./operator";
import { expect, invite, makeVault, type Person, signInByMail, test, unlock, withAuthenticator, withoutOfferInFields } from "./person";
import { CLIENT, startSite } from "./provider";
import { code } from "./totp";
import { expectClean, inspect, watched } from "./watched";

/** What the browser itself says of an answer that refuses. */
const REFUSALS = [/status of (401|403|404|409|429) .*\/api\/v1\//];

/** How many links one address can ask for before it has to wait. */
const LINKS_OF_ADDRESS = 5;

test("whoever is refused while they sign in is told why, on a page that goes on", async ({ anna, browser }, { retry }) => {
  const domain = `rowan-${retry}.example`;
  const organisation = `Rowan ${Date.now()}`;
  const site = await startSite({ sub: "71", email: `rita@${domain}`, name: "Rita Rowan" });
  const operator = await watched(await browser.newContext(), REFUSALS);
  const rita: Person = { ...(await watched(await browser.newContext(), REFUSALS)), name: "Rita Rowan", email: `rita@${domain}`, password: "seven slow lanterns glow", phrase: "" };
  const milo = await watched(await browser.newContext(), REFUSALS);
  const stranger = await watched(await browser.newContext(), REFUSALS);
  const elsewhere = await watched(await browser.newContext(), REFUSALS);
  const { page } = rita;
  /** Rita invites somebody, who comes. */
  const joins = async (their: Page, name: string): Promise<void> => {
    const email = `${name.toLowerCase()}@${domain}`;
    await their.goto(await invite(rita, email));
    await their.getByLabel("Your name").fill(`${name} Rowan`);
    await their.getByRole("button", { name: "Join" }).click();
  };
  let signInPage = "";
  try {
    await test.step("an organisation of its own, with GitHub's own kind of site and another", async () => {
      await signIn(operator);
      await operator.page.getByRole("link", { name: "Tenants", exact: true }).click();
      await operator.page.getByRole("button", { name: "New organisation" }).click();
      await operator.page.getByLabel("Name of the organisation").fill(organisation);
      await operator.page.getByLabel("E-mail address of its owner").fill(rita.email);
      const link = await mailedLink(rita.email, "join", () => operator.page.getByRole("button", { name: "Make it and invite the owner" }).click());
      await page.goto(link);
      await page.getByLabel("Your name").fill(rita.name);
      await page.getByRole("button", { name: "Join" }).click();
      await makeVault(rita, false);
      await expect(page.getByRole("heading", { name: "Connect a model" })).toBeVisible({ timeout: 60_000 });
      await joins(milo.page, "Milo");
      await expect(milo.page.getByRole("heading", { name: "Make your vault" })).toBeVisible({ timeout: 60_000 });

      for (const [kind, name, label, address] of [["oidc", "Work", "Issuer", site.issuer], ["github", "GitHub", "Address of your own GitHub server", `${site.issuer}/github`]] as const) {
        await page.goto("/providers");
        await page.getByLabel("Site", { exact: true }).selectOption(kind);
        await page.getByLabel("Name on the button").fill(name);
        await page.getByLabel(label).fill(address);
        await page.getByRole("button", { name: "Add", exact: true }).click();
        await page.getByLabel("Client ID").fill(CLIENT.id);
        await page.getByLabel("Client secret").fill(CLIENT.secret);
        await page.getByRole("button", { name: "Save and turn on" }).click();
        await expect(page.getByRole("button", { name: `Test ${name}` })).toBeVisible();
      }
      signInPage = (await page.getByRole("link", { name: /sign-in\?organisation=/ }).getAttribute("href")) ?? "";
    });

    await test.step("with GitHub, whose account is linked", async () => {
      await page.goto("/security");
      await page.getByRole("button", { name: "Link an account at GitHub" }).click();
      await page.getByRole("link", { name: "Continue as Rita Rowan" }).click();
      await expect(page.getByText("The account is linked").first()).toBeVisible({ timeout: 60_000 });
      await page.goto("/me");
      await page.getByRole("region", { name: "Leave" }).getByRole("button", { name: "Sign out" }).click();
      await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
      await page.goto(signInPage);
      await page.getByRole("button", { name: "Sign in with GitHub" }).click();
      await page.getByRole("link", { name: "Continue as Rita Rowan" }).click();
      await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
    });

    /** Goes to a site; the way back that it offers. */
    const wayBack = async (name: string): Promise<string> => {
      await stranger.page.goto(signInPage);
      await stranger.page.getByRole("button", { name: `Sign in with ${name}` }).click();
      return (await stranger.page.getByRole("link", { name: "Continue as Stefan Fremd" }).getAttribute("href")) ?? "";
    };
    const refused = async (at: typeof stranger, words: string, name: string): Promise<void> => {
      await expect(at.page.getByText(words).first()).toBeVisible();
      await expect(at.page.getByRole("heading", { name: "Sign in" })).toBeVisible();
      await expect(at.page.getByLabel("E-mail address")).toBeEnabled();
      expect(new URL(at.page.url()).hash).toBe("");
      await inspect(at.page, name);
    };
    site.somebody = { sub: "72", email: "stefan@elsewhere.example", name: "Stefan Fremd" };

    await test.step("who calls it off at the other site, and who comes back a second time", async () => {
      const back = new URL(await wayBack("Work"));
      back.searchParams.delete("code");
      back.searchParams.set("error", "access_denied");
      await stranger.page.goto(back.href);
      await refused(stranger, "The other site did not say who you are", "refused-called-off");
      await stranger.page.goto(back.href);
      await refused(stranger, "That took too long, or was used already.", "refused-used");
    });

    await test.step("whose account nobody knows, at either site", async () => {
      await stranger.page.goto(await wayBack("Work"));
      await refused(stranger, "That account is not linked to anybody here.", "refused-unknown");
      await stranger.page.goto(await wayBack("GitHub"));
      await refused(stranger, "That account is not linked to anybody here.", "refused-unknown-github");
    });

    await test.step("who goes on in another browser, with a site and with a link", async () => {
      await elsewhere.page.goto(await wayBack("Work"));
      await refused(elsewhere, "You began this in another browser", "refused-other-browser");
      await stranger.page.goto("/sign-in");
      const link = await mailedLink(rita.email, "sign-in", async () => {
        await stranger.page.getByLabel("E-mail address").fill(rita.email);
        await stranger.page.getByRole("button", { name: "Send me a link" }).click();
      });
      await elsewhere.page.goto(link);
      await refused(elsewhere, "That link was asked for in another browser", "refused-link-elsewhere");

      // What is said to who comes too often says nothing of the link.
      const tooMany = { status: 429, contentType: "application/problem+json", body: JSON.stringify({ code: "too_many_requests", detail: "Too many tries. Wait 2 seconds and try again." }) };
      await stranger.page.route("**/api/v1/sign-in/complete", (route) => route.fulfill(tooMany), { times: 1 });
      await stranger.page.goto(link);
      await expect(stranger.page.getByRole("alert").filter({ hasText: "Too many tries." })).toBeVisible();
      await inspect(stranger.page, "refused-link-for-now");
      await stranger.page.getByRole("button", { name: "Try again" }).click();
      await expect(stranger.page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
      await stranger.page.goto(link);
      await refused(stranger, "That link has been used", "refused-link-used");
    });

    await test.step("who asks for too many links", async () => {
      await stranger.page.getByLabel("E-mail address").fill(`nobody@${domain}`);
      const asks = stranger.page.getByRole("button", { name: "Send me a link" });
      for (let asked = 0; asked < LINKS_OF_ADDRESS; asked++) {
        await asks.click();
        await stranger.page.getByRole("button", { name: "Use another address, or send again" }).click();
      }
      await asks.click();
      await refused(stranger, "Too many tries.", "refused-too-many");
    });

    await test.step("whose device has no passkey to show", async () => {
      const bare = await watched(await browser.newContext(), REFUSALS);
      const { page: alone, context } = bare;
      await withAuthenticator(bare, false);
      await withoutOfferInFields(bare);
      await alone.goto("/sign-in");
      await alone.getByRole("button", { name: "Sign in with a passkey" }).click();
      await expect(alone.getByRole("alert").filter({ hasText: "The passkey was not used. Try again, or use another way." })).toBeVisible();
      await inspect(alone, "refused-passkey");
      await expect(alone.getByRole("button", { name: "Sign in with a passkey" })).toBeEnabled();
      expectClean(bare);
      await context.close();
    });

    await test.step("who needs a second factor and has none sets one up before anything else", async () => {
      // A site that does not say when it asked who they are is no proof for this.
      await rita.context.clearCookies();
      await signInByMail(page, rita.email);
      await unlock(page, rita.password);
      await page.goto("/security");
      await page.getByRole("button", { name: "Set up", exact: true }).click();
      await page.getByLabel("Code from the app").fill(code(await page.locator(".authenticator code.key").innerText()));
      await page.getByRole("button", { name: "Confirm" }).click();
      await page.getByRole("button", { name: "I have kept them" }).click();
      await page.getByRole("button", { name: "Turn on: everyone needs a second factor" }).click();
      await expect(page.getByText("Everyone needs a second factor now.").first()).toBeVisible();

      const set = milo.page;
      await signInByMail(set, `milo@${domain}`);
      await expect(set.getByRole("heading", { name: "Set up a second factor" })).toBeVisible();
      expect((await set.request.get("/api/v1/people")).status(), "half signed in is not in").toBe(403);
      await inspect(set, "enrol");
      await set.getByLabel("Code from the app").fill("000000");
      await set.getByRole("button", { name: "Confirm" }).click();
      await expect(set.getByRole("alert").filter({ hasText: "not right" })).toBeVisible();
      await inspect(set, "enrol-wrong-code");
      await set.getByLabel("Code from the app").fill(code(await set.locator(".authenticator code.key").innerText()));
      await set.getByRole("button", { name: "Confirm" }).click();
      await expect(set.getByRole("list", { name: "Backup codes" }).getByRole("listitem")).toHaveCount(10);
      await inspect(set, "enrol-codes");
      await set.getByRole("button", { name: "I have kept them" }).click();
      await expect(set.getByRole("heading", { name: "Make your vault" })).toBeVisible({ timeout: 60_000 });

      // Whoever lost it is told who can help.
      await set.context().clearCookies();
      await signInByMail(set, `milo@${domain}`);
      await expect(set.getByRole("heading", { name: "Your second factor" })).toBeVisible();
      await expect(set.getByText("An owner or admin of your organisation can reset your second factors", { exact: false })).toBeVisible();
      await inspect(set, "second-factor-lost");
    });

    await test.step("or a passkey, with which they come in from then on", async () => {
      const nora = await watched(await browser.newContext(), REFUSALS);
      const { page: set, context } = nora;
      await withAuthenticator(nora, false);
      await joins(set, "Nora");
      await expect(set.getByRole("heading", { name: "Set up a second factor" })).toBeVisible();
      await set.getByRole("button", { name: "Add a passkey" }).click();
      await set.getByRole("dialog").getByRole("button", { name: "Save" }).click();
      await expect(set.getByRole("list", { name: "Backup codes" }).getByRole("listitem")).toHaveCount(10);
      await inspect(set, "enrol-passkey");
      await set.getByRole("button", { name: "I have kept them" }).click();
      await expect(set.getByRole("heading", { name: "Make your vault" })).toBeVisible({ timeout: 60_000 });
      await context.clearCookies();
      await withoutOfferInFields(nora);
      await set.goto("/sign-in");
      await set.getByRole("button", { name: "Sign in with a passkey" }).click();
      await expect(set.getByRole("heading", { name: "Make your vault" })).toBeVisible({ timeout: 60_000 });
      expectClean(nora);
      await context.close();
    });

    for (const each of [anna, operator, rita, milo, stranger, elsewhere]) expectClean(each);
  } finally {
    for (const { context } of [operator, rita, milo, stranger, elsewhere]) await context.close();
    await site.stop();
  }
});
