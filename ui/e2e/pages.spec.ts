import { expect, test } from "./person";
import { inspect } from "./watched";

const pages = {
  "/secrets": "Secrets",
  "/secrets/import": "Bring secrets in",
  "/services": "Services",
  "/models": "Models and spending",
  "/activity": "Activity",
  "/trusted": "Trusted people",
  "/backup": "Backup",
  "/security": "Signing in",
  "/alerts": "Alerts",
  "/providers": "Sign-in",
  "/people/waiting": "People",
  "/groups": "Groups",
  "/keys": "API keys",
  "/audit": "Audit",
};

test("every page of settings can be read, wide and narrow, light and dark", async ({ anna: { page } }) => {
  for (const [address, title] of Object.entries(pages)) {
    await page.goto(address);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
    await inspect(page, title.toLowerCase().replaceAll(" ", "-"));
  }
  await page.goto("/");
});
