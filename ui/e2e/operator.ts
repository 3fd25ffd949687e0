/** Who runs the machine, on the pages that are theirs. */
import { expect } from "@playwright/test";
import { told } from "./place";
import type { Watched } from "./watched";

const token = told("admin-token");

export async function signIn({ page }: Watched): Promise<void> {
  await page.goto("/admin");
  await page.getByLabel("Operator’s token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await expect(page.getByText("Cells awake")).toBeVisible();
}

/** An answer of 401 or 403 is what a page without a session, or with a wrong token, is to get. */
export function refusedOnPurpose(watching: Watched): void {
  const kept = watching.problems.filter((words) => !/status of 40[13] .*\/api\/v1\/operator\//.test(words));
  watching.problems.splice(0, watching.problems.length, ...kept);
}
