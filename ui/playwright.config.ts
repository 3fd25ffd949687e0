/**
 * Browser tests against real Holdfasts that are already running with the scripted model (`holdfast up --demo`). From the environment:
 * HOLDFAST_PLACES (where they are: `e2e/place.ts`), CHROMIUM (default: the distribution's).
 */
import { defineConfig } from "@playwright/test";
import { place, places } from "./e2e/place";

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results/artifacts",
  // One server, one owner, one agent for each worker: the tests of a file in order, one after the other.
  workers: Math.max(1, places.length),
  fullyParallel: false,
  forbidOnly: process.env.CI !== undefined,
  // What passes only at the second try is reported as flaky; what went wrong unseen has no second try.
  retries: 1,
  timeout: 420_000,
  expect: { timeout: 20_000 },
  reporter: [["list"], ["./e2e/no-second-try.ts"], ["./e2e/what-stood-there.ts"]],
  use: {
    baseURL: place.url,
    viewport: { width: 1280, height: 832 },
    locale: "en-GB",
    actionTimeout: 20_000,
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    },
  },
});
