import { mailed, mailedLink } from "./mail";
import { refusedOnPurpose, signIn } from "./operator";
import { expect, signedInAfresh, signInByMail, test, unlikeBefore } from "./person";
import { expectClean, inspect, watched } from "./watched";

test("who asks to join waits until the operator lets them in, or is refused", async ({ anna, browser }, { retry }) => {
  const [at] = unlikeBefore(retry);
  const domain = `waiting.${at}`;
  const managing = await signedInAfresh(browser, anna);
  await managing.page.goto("/providers");
  await managing.page.getByRole("textbox", { name: "Domain" }).fill(domain);
  await managing.page.getByRole("button", { name: "Let them join" }).click();
  await expect(managing.page.getByRole("list", { name: "Domains" })).toContainText(domain);
  expectClean(managing);
  await managing.context.close();

  const operator = await watched(await browser.newContext());
  const { page } = operator;
  await signIn(operator);
  refusedOnPurpose(operator);
  await page.getByRole("link", { name: "Waiting", exact: true }).click();
  await expect(page.getByText("Nobody waits to be let in.")).toBeVisible();
  await inspect(page, "operator-waiting-empty");

  for (const name of ["Wanda", "Walter"]) {
    const email = `${name.toLowerCase()}@${domain}`;
    const asking = await watched(await browser.newContext());
    await asking.page.goto("/sign-in");
    const link = await mailedLink(email, "join", async () => {
      await asking.page.getByLabel("E-mail address").fill(email);
      await asking.page.getByRole("button", { name: "Send me a link" }).click();
      await expect(asking.page.getByRole("heading", { name: "Look in your mail" })).toBeVisible();
    });
    await asking.page.goto(link);
    await asking.page.getByLabel("Your name").fill(name);
    await asking.page.getByRole("button", { name: "Ask to join" }).click();
    await expect(asking.page.getByRole("heading", { name: "Somebody has to agree" })).toBeVisible();
    expectClean(asking);
    await asking.context.close();
  }

  const row = (name: string) => page.getByRole("row").filter({ hasText: `${name.toLowerCase()}@${domain}` });
  await expect(row("Wanda")).toContainText("Keller & Sons");
  await expect(row("Walter")).toContainText("A mailed link");
  await page.getByLabel("Find somebody").fill("walter");
  await expect(row("Wanda")).toHaveCount(0);
  await page.getByLabel("Find somebody").fill("");
  await inspect(page, "operator-waiting");

  await page.getByRole("button", { name: "Let in Wanda" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Let in" }).click();
  await expect(page.getByText("Wanda is in Keller & Sons now, as a member, and is told by mail.")).toBeVisible();
  await mailed(`wanda@${domain}`, "Welcome to Keller & Sons");
  await expect(row("Wanda")).toHaveCount(0);
  await page.getByRole("button", { name: "Refuse Walter" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Refuse" }).click();
  await expect(page.getByText("Walter is not let in, and is told by mail.")).toBeVisible();
  await expect(page.getByText("Nobody waits to be let in.")).toBeVisible();

  // Who was let in has an account.
  const wanda = await watched(await browser.newContext());
  await signInByMail(wanda.page, `wanda@${domain}`);
  await expect(wanda.page.getByRole("heading", { name: "Make your vault" })).toBeVisible({ timeout: 60_000 });
  expectClean(wanda);
  await wanda.context.close();

  // What the server does not answer is said, and asked again.
  await page.route("**/api/v1/operator/join-requests", (route) => route.abort());
  await page.reload();
  await expect(page.getByRole("alert").filter({ hasText: /\S/ })).toBeVisible();
  await inspect(page, "operator-waiting-error");
  await page.unroute("**/api/v1/operator/join-requests");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("Nobody waits to be let in.")).toBeVisible();
  operator.problems.splice(0, operator.problems.length, ...operator.problems.filter((words) => !words.includes("net::ERR_FAILED")));

  await page.getByRole("link", { name: "Audit" }).click();
  await expect(page.getByText("let in Wanda")).toBeVisible();
  await expect(page.getByText(`did not let in walter@${domain}`)).toBeVisible();
  expectClean(operator);
  await operator.context.close();
});
