import { answered, newConversation, send } from "./conversation";
import { COLD_START_MS, expect, join, prove, test } from "./person";
import { connectService, removeService } from "./services";
import { expectClean, inspect } from "./watched";

const ASK = '[[tool: holdfast__call_integration {"service":"orders","method":"POST","path":"/things","body":"{\\"chairs\\":12}"}]] [[say: That was the answer.]]';

test("what one person allows waits for a second one, who sees all of it", async ({ anna, browser }) => {
  const { page } = anna;
  const carla = await join(anna, browser, "Carla Sommer", "carla.sommer@example.org", "five green kettles sing");
  await carla.page.goto("/trusted");
  await expect(carla.page.getByRole("img", { name: /^Your digits/ })).toBeVisible({ timeout: 60_000 });
  await expect(carla.page.getByRole("button", { name: "Compare with Anna Keller" })).toBeVisible({ timeout: 60_000 });

  // Nobody can be chosen before the digits were compared.
  await page.goto("/trusted");
  await page.getByRole("button", { name: "Compare with Carla Sommer" }).click({ timeout: 60_000 });
  await page.getByRole("button", { name: "Yes, the same" }).click();
  await expect(page.getByText(/Compared on/).first()).toBeVisible();
  await page.goto("/inbox");
  await page.getByText("What you allow beforehand", { exact: true }).click();
  const choice = page.getByRole("region", { name: "A second person" });
  await expect(choice.getByRole("button", { name: "Turn on" })).toBeDisabled();
  await choice.getByLabel("Carla Sommer").check();
  await choice.getByRole("button", { name: "Turn on" }).click();
  await prove(page, anna.password, choice.getByRole("button", { name: "Turn off" }));
  await expect(choice).toContainText("On.");
  await inspect(page, "second-choice");

  await connectService(page, "orders", "Key of the orders", "orders-canary-0123456789");

  await page.goto("/");
  await newConversation(page);
  await send(page, ASK);
  const card = page.getByRole("region", { name: "Your agent wants to send something to orders." });
  await expect(card).toContainText("Carla Sommer is asked, too", { timeout: COLD_START_MS });
  await expect(card.getByRole("button", { name: "Allow until…" })).toHaveCount(0);
  await card.getByRole("button", { name: "Allow once" }).click();
  await expect(card).toHaveCount(0);

  await carla.page.goto("/inbox");
  const asked = carla.page.getByRole("region", { name: "Anna Keller’s agent wants to send something to orders." });
  await expect(asked.getByRole("region", { name: "Content" })).toContainText('"chairs": 12', { timeout: 60_000 });
  await expect(asked).not.toContainText("orders-canary");
  await inspect(carla.page, "second-asked");
  await asked.getByRole("button", { name: "Agree" }).click();
  await expect(carla.page.getByText("Nothing waits for you.")).toBeVisible();
  await carla.page.getByText("Decided", { exact: true }).click();
  await expect(carla.page.locator("#main").getByText("You agreed", { exact: true })).toBeVisible();
  await answered(page, "That was the answer.");
  await page.goto("/inbox");
  await page.getByText("Decided", { exact: true }).click();
  await expect(page.getByText("Carla Sommer, the second person, agreed.")).toBeVisible();

  await page.getByText("What you allow beforehand", { exact: true }).click();
  await choice.getByRole("button", { name: "Turn off" }).click();
  await prove(page, anna.password, choice.getByRole("button", { name: "Turn on" }));
  await removeService(page, "orders");
  expectClean(carla);
  await carla.context.close();
});
