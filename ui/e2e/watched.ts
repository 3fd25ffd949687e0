/** A page that is watched: a CSP violation, a console error or an uncaught error fails the test that it happens in. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type BrowserContext, expect, type Page } from "@playwright/test";
import { listenTo } from "./canaries";
import { UNSEEN } from "./no-second-try";
import { workerNumber } from "./place";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export interface Watched {
  page: Page;
  context: BrowserContext;
  problems: string[];
}

/**
 * Said by Chromium itself: when the server answers so on purpose, and when the network of a cell that starts or ends comes or goes while it
 * loads something, which it then loads again.
 */
const EXPECTED = [/net::ERR_NETWORK_CHANGED/, /status of 401 .*\/api\/v1\/(me|cell$)/, /status of 410 .*\/api\/v1\//, /status of 422 .*\/api\/v1\/(providers|destinations)/];

/** The first page of a context. What else this page is to say on purpose is named. */
export async function watched(context: BrowserContext, expected: readonly RegExp[] = []): Promise<Watched> {
  listenTo(context);
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      if (!(globalThis as { checkingWithAxe?: boolean }).checkingWithAxe) console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  return watchedToo(context, expected);
}

/** One more page of a context that is watched. */
export async function watchedToo(context: BrowserContext, expected: readonly RegExp[] = []): Promise<Watched> {
  const problems: string[] = [];
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const words = `${message.text()} ${message.location().url}`;
    if (![...EXPECTED, ...expected].some((each) => each.test(words))) problems.push(words);
  });
  page.on("pageerror", (error) => problems.push(`uncaught: ${error.message}`));
  return { page, context, problems };
}

/** What comes of a slow machine, on which the server is too busy now and then, and of networks of cells that come and go: the test has its second try. */
const OF_THE_MACHINE = [/^Failed to load resource: .* status of 503 /, /^uncaught: Failed to fetch dynamically imported module/];

/** Nothing went wrong unseen since the last call. */
export function expectClean({ problems }: Watched): void {
  const found = problems.splice(0);
  expect(found.filter((problem) => !OF_THE_MACHINE.some((each) => each.test(problem))), UNSEEN).toEqual([]);
  expect(found, "what a server that is too busy or cannot be reached leaves on a page").toEqual([]);
}

interface AxeResult {
  violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** axe finds nothing against WCAG 2.2 A and AA in what stands on the page now. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  const { violations } = (await page.evaluate(`(async () => {
    globalThis.checkingWithAxe = true;
    try {
      if (!globalThis.axe) { ${axeSource} }
      return await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"] });
    } finally {
      globalThis.checkingWithAxe = false;
    }
  })()`)) as AxeResult;
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n    ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)}\n    ${node.failureSummary ?? ""}`).join("\n    ")}`);
  expect(found, `axe on ${what}`).toEqual([]);
}

let shots = 0;

/** A picture for people to look at; not compared with anything. */
export async function shot(page: Page, name: string): Promise<void> {
  const number = String(++shots).padStart(2, "0");
  await page.screenshot({ path: `test-results/shots/${workerNumber}-${number}-${name}.png`, animations: "disabled" });
}

/** In the page: waits until no colour is on its way to another one. */
async function still(): Promise<void> {
  const all = (root: ParentNode): Animation[] =>
    [...root.querySelectorAll("*")].flatMap((element) => [...element.getAnimations(), ...(element.shadowRoot ? all(element.shadowRoot) : [])]);
  const ends = all(document).filter((animation) => animation.playState === "running" && animation.effect?.getTiming().iterations !== Infinity);
  // One that does not end within a second is none of a colour.
  await Promise.race([Promise.all(ends.map((animation) => animation.finished.catch(() => undefined))), new Promise((resolve) => setTimeout(resolve, 1000))]);
}

/** axe and a picture, wide and narrow, light and dark. */
export async function inspect(page: Page, name: string): Promise<void> {
  const before = page.viewportSize();
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    for (const [size, viewport] of [["wide", { width: 1280, height: 832 }], ["phone", { width: 390, height: 844 }]] as const) {
      await page.setViewportSize(viewport);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      await page.evaluate(still);
      await expectAccessible(page, `${name}, ${scheme}, ${size}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow, `${name} is wider than the window, ${size}`).toBeLessThanOrEqual(0);
      await shot(page, `${name}-${scheme}-${size}`);
    }
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "no-preference" });
  if (before) await page.setViewportSize(before);
}
