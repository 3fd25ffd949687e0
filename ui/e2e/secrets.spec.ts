import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { zip } from "../tests/archive";
import { composer } from "./conversation";
import { expect, prove, test } from "./person";
import { removeService } from "./services";
import { inspect } from "./watched";

test("a secret that the agent may see is warned of, exported after a fresh proof, and brought in again", async ({ anna: { page, password } }) => {
  await page.goto("/secrets");
  await page.getByRole("button", { name: "Add a secret" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Bot of the team");
  await page.locator("#secret-value").fill("bot-canary-0123456789");
  await page.getByText("My agent may see it").click();
  await expect(page.getByText("What your agent has read, you cannot take back")).toBeVisible();
  await inspect(page, "secret-see");
  await page.getByRole("button", { name: "Add secret", exact: true }).click();
  await expect(page.locator(".row-head", { hasText: "Bot of the team" }).getByText("My agent may see it")).toBeVisible();

  await page.getByRole("link", { name: "Export", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Export secrets" })).toBeVisible();
  await page.getByText("Readable, as JSON").click();
  await expect(page.getByText("Whoever gets this file has all your secrets")).toBeVisible();
  await inspect(page, "export-readable");
  await page.getByText("Encrypted, with a password for this file").click();
  await page.getByRole("textbox", { name: "Password for this file" }).fill("nine green boats under rain");
  await expect(page.getByText("Very good.")).toBeVisible();
  await page.getByLabel("The same once more").fill("nine green boats under rain");
  await inspect(page, "export");
  const downloading = page.waitForEvent("download", { timeout: 120_000 });
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const done = page.locator(".notice-ok", { hasText: "exported" });
  await prove(page, password, done);
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/^holdfast-secrets-.*\.hfs$/);

  await page.goto("/secrets/import");
  await page.getByLabel("File", { exact: true }).setInputFiles(await download.path());
  await page.getByLabel("Password of the file").fill("not the password");
  await page.getByRole("button", { name: "Open the file" }).click();
  await expect(page.locator(".field-error", { hasText: "not the password of this file" })).toBeVisible({ timeout: 60_000 });
  await page.getByLabel("Password of the file").fill("nine green boats under rain");
  await page.getByRole("button", { name: "Open the file" }).click();
  await expect(page.getByText("Bot of the team")).toBeVisible({ timeout: 60_000 });
  await inspect(page, "import-exported");
  await page.getByRole("button", { name: "Cancel" }).click();

  await page.goto("/secrets");
  await page.getByRole("button", { name: "Delete “Bot of the team”" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("Bot of the team")).toHaveCount(0);
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
});

const ENV = "# of the shop\nexport SHOP_TOKEN='env-canary-0123456789'\nEMPTY=\n";

const BITWARDEN = JSON.stringify({
  encrypted: false,
  items: [{ type: 1, name: "Forum", login: { username: "anna", password: "bitwarden-canary-0123456789", uris: [{ uri: "https://forum.example/" }], fido2Credentials: [{}] } }],
});

const ONE_PASSWORD = JSON.stringify({
  accounts: [
    {
      vaults: [
        {
          items: [
            {
              categoryUuid: "001",
              overview: { title: "Library", url: "https://library.example/" },
              details: { loginFields: [{ designation: "username", value: "anna" }, { designation: "password", value: "one-password-canary-0123456789" }], sections: [], notesPlain: "" },
            },
          ],
        },
      ],
    },
  ],
});

const CANARIES: [name: string, value: string][] = [
  ["SHOP_TOKEN", "env-canary-0123456789"],
  ["Forum", "bitwarden-canary-0123456789"],
  ["Library", "one-password-canary-0123456789"],
];

async function choose(page: Page, name: string, buffer: Buffer): Promise<void> {
  const file = page.getByLabel("File", { exact: true });
  await expect(file, "the one before is done").toBeEnabled();
  await file.setInputFiles({ name, mimeType: "application/octet-stream", buffer });
}

test("secrets come in from a .env file, from Bitwarden and from 1Password, are put into services, and go out in clear after a warning and a fresh proof alone", async ({ anna: { page, password } }) => {
  const found = (where: string) => expect(page.getByText(`Found in ${where}: one secret`)).toBeVisible();
  const add = async () => {
    await page.getByRole("button", { name: "Add 1 to my vault" }).click();
    await expect(page.locator(".notice-ok", { hasText: "One secret is in your vault." })).toBeVisible();
  };
  await page.goto("/secrets/import");
  await choose(page, "shop.env", Buffer.from("not a setting\n"));
  await expect(page.getByRole("alert").filter({ hasText: "Line 1 is not NAME=value." })).toBeVisible();
  await choose(page, "shop.env", Buffer.from(ENV));
  await found("a .env file");
  await expect(page.getByText("Left out: 1")).toBeVisible();
  expect(await page.content(), "a preview shows no values").not.toContain("env-canary");
  await add();
  await choose(page, "bitwarden_export.json", Buffer.from(BITWARDEN));
  await found("Bitwarden");
  await page.getByText("Left out: 1").click();
  await expect(page.getByText("Forum: its passkey cannot be moved")).toBeVisible();
  await inspect(page, "import-bitwarden");
  await add();
  await choose(page, "export.1pux", zip("export.data", ONE_PASSWORD));
  await found("1Password");
  await add();

  await page.goto("/secrets");
  for (const [name, value] of CANARIES) {
    const row = page.getByRole("listitem").filter({ hasText: name });
    await expect(row.getByText("Only keep it")).toBeVisible();
    await row.getByRole("button", { name: `Show “${name}”` }).click();
    await expect(row.getByText(value)).toBeVisible();
  }

  // In clear: asked twice, and not without a proof.
  await page.goto("/secrets/export");
  await page.getByText("Readable, as JSON").click();
  await page.getByRole("button", { name: "Export", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const downloading = page.waitForEvent("download", { timeout: 120_000 });
  await page.getByRole("dialog").getByRole("button", { name: "Write them in clear" }).click();
  await expect(page.getByRole("dialog").filter({ hasText: "Show that it is you" })).toBeVisible({ timeout: 60_000 });
  await prove(page, password, page.locator(".notice-ok", { hasText: "exported" }));
  const text = readFileSync(await (await downloading).path(), "utf8");
  for (const [name, value] of CANARIES) expect([text.includes(name), text.includes(value)]).toEqual([true, true]);
  await page.goto("/activity");
  await page.getByText("You", { exact: true }).click();
  for (const words of [/You exported .* to a readable file/, /You brought in .* from Bitwarden/]) await expect(page.locator(".log").getByText(words).first()).toBeVisible();

  // What uses a secret is said at it, and before it is deleted.
  await page.goto("/secrets");
  await page.getByRole("button", { name: "Change “SHOP_TOKEN”" }).click();
  await page.getByRole("group").getByText("My agent may use it").click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.goto("/services");
  await page.getByRole("button", { name: "Connect a service" }).click();
  await page.getByLabel("Short name").fill("shop");
  await page.getByLabel("Address", { exact: true }).fill("https://shop.example/");
  await page.getByLabel("Secret", { exact: true }).selectOption({ label: "SHOP_TOKEN" });
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await expect(page.getByRole("button", { name: "Remove “shop”" })).toBeVisible();
  await page.goto("/secrets");
  await expect(page.getByRole("listitem").filter({ hasText: "SHOP_TOKEN" }).getByText("Used by “shop” (header “Authorization”)")).toBeVisible();
  await expect(page.getByRole("listitem").filter({ hasText: "Forum" }).getByText("No service uses it")).toBeVisible();
  await inspect(page, "secrets-used-by");
  const box = page.getByRole("dialog");
  await page.getByRole("button", { name: "Delete “SHOP_TOKEN”" }).click();
  await expect(box).toContainText("The service “shop” uses it and stops working for your agent.");
  await box.getByRole("button", { name: "Cancel" }).click();
  await removeService(page, "shop");
  await page.goto("/secrets");
  for (const [name] of CANARIES) {
    await page.getByRole("button", { name: `Delete “${name}”` }).click();
    await expect(box).toContainText("No service uses it.");
    await box.getByRole("button", { name: "Delete" }).click();
    await expect(page.getByRole("button", { name: `Delete “${name}”` })).toHaveCount(0);
  }
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
});
