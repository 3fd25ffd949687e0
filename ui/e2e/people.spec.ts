import { answered, composer, send } from "./conversation";
import { expect, invite, makeVault, connectModel, type Person, test } from "./person";
import { expectClean, inspect, watched } from "./watched";

test("an invited person joins, makes a vault of their own and sees nobody else's conversations", async ({ anna, browser }, { retry }) => {
  // Whoever has an invitation is not invited again.
  const email = retry === 0 ? "bob@example.org" : `bob-${retry}@example.org`;
  const path = await invite(anna, email);
  await expect(anna.page.getByText(anna.email)).toBeVisible();
  await inspect(anna.page, "people");

  const context = await browser.newContext();
  const bob: Person = { ...(await watched(context)), name: "Bob Meyer", email, password: "seven green umbrellas sing", phrase: "" };
  await bob.page.goto(path);
  await expect(bob.page.getByRole("heading", { name: /Anna Keller invites you to/ })).toBeVisible();
  await inspect(bob.page, "join");
  await bob.page.getByLabel("Your name").fill(bob.name);
  await bob.page.getByRole("button", { name: "Join" }).click();
  await makeVault(bob, false);
  await connectModel(bob.page, false);
  await send(bob.page, "[[say: Hello from the second agent.]]");
  await answered(bob.page, "Hello from the second agent.");
  await expect(bob.page.locator(".conversation")).toHaveCount(1);
  await bob.page.goto("/people");
  await expect(bob.page.getByText(anna.email)).toBeVisible();
  await expect(bob.page.getByRole("button", { name: "Send invitation" })).toHaveCount(0);

  await bob.page.goto(path);
  await expect(bob.page.getByRole("heading", { name: "This invitation does not work any more" })).toBeVisible();
  await inspect(bob.page, "join-dead-link");

  await bob.page.goto("/me");
  await bob.page.getByRole("region", { name: "Leave" }).getByRole("button", { name: "Sign out" }).click();
  await expect(bob.page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  expectClean(bob);
  await context.close();
  await anna.page.goto("/");
  await expect(composer(anna.page)).toBeVisible();
});
