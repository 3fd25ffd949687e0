import { answered, newConversation, send } from "./conversation";
import { COLD_START_MS, expect, test } from "./person";
import { connectService, removeService } from "./services";
import { inspect } from "./watched";

const ASK = '[[tool: holdfast__call_integration {"service":"lunch","method":"POST","path":"/things","body":"{\\"lunch\\":true}"}]] [[say: That was the answer.]]';

test("what the agent wants to change waits for its owner, in the conversation and in the inbox", async ({ anna: { page } }) => {
  await connectService(page, "lunch", "Key of the lunch service", "lunch-canary-0123456789");
  await page.goto("/inbox");
  await expect(page.getByText("Nothing waits for you.")).toBeVisible();
  await inspect(page, "inbox-empty");

  await page.goto("/");
  await newConversation(page);
  await send(page, ASK);
  const card = page.getByRole("region", { name: "Your agent wants to send something to lunch." });
  await expect(card).toBeVisible({ timeout: COLD_START_MS });
  await expect(card).toContainText("left");
  await expect(card.getByRole("region", { name: "Content" })).toContainText('"lunch": true');
  await expect(card).not.toContainText("lunch-canary");
  await expect(page).toHaveTitle(/^\(1\) /);
  await inspect(page, "approval-card");
  await page.getByRole("link", { name: /^Inbox/ }).first().click();
  await expect(page.getByText("Waiting for you (1)")).toBeVisible();
  await inspect(page, "inbox-waiting");
  await card.focus();
  await page.keyboard.press("n");
  await card.getByLabel("Why not? (optional)").fill("Not before noon.");
  await card.getByRole("button", { name: "Refuse" }).click();
  await expect(page.getByText("Nothing waits for you.")).toBeVisible();
  await page.getByText("Decided", { exact: true }).click();
  await expect(page.getByText("You wrote: Not before noon.")).toBeVisible();
  await inspect(page, "inbox-decided");

  await page.goto("/");
  await page.locator(".conversation a").first().click();
  const refused = await answered(page, "That was the answer.");
  await refused.locator("details.tool summary").click();
  await expect(refused.getByRole("region", { name: "Output" })).toContainText("Not before noon.");

  await newConversation(page);
  await send(page, ASK.replace("/things", "/others"));
  await expect(card).toBeVisible({ timeout: COLD_START_MS });
  await card.getByRole("button", { name: "Allow until…" }).click();
  await inspect(page, "approval-always");
  await card.getByRole("button", { name: "Allow", exact: true }).click();
  await answered(page, "That was the answer.");
  await expect(card).toHaveCount(0);
  await page.goto("/inbox");
  await page.getByText("What you allow beforehand", { exact: true }).click();
  await expect(page.getByText("Send something to lunch, at /others")).toBeVisible();
  const mails = page.getByRole("checkbox", { name: /^Tell me when my agent waits/ });
  await expect(mails).toBeChecked();
  await mails.uncheck();
  await expect(mails).toBeEnabled();
  await page.reload();
  await page.getByText("What you allow beforehand", { exact: true }).click();
  await expect(mails).not.toBeChecked();
  await inspect(page, "inbox-rules");
  await page.getByRole("button", { name: /^Ask me again/ }).click();
  await expect(page.getByText("You allow nothing beforehand: your agent asks every time.")).toBeVisible();

  await removeService(page, "lunch");
});
