/** Reads links from the outbox folder, as the person would from their mail. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@playwright/test";
import { place } from "./place";

const outbox = join(place.dataDir, "outbox");

function text(file: string): string {
  const raw = readFileSync(file, "utf8");
  const body = raw.replace(/=\r?\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return body;
}

function mails(to: string): { file: string; at: number; content: string }[] {
  return readdirSync(outbox)
    .filter((name) => name.endsWith(".eml"))
    .map((name) => ({ file: name, at: statSync(join(outbox, name)).mtimeMs, content: text(join(outbox, name)) }))
    .filter(({ content }) => new RegExp(`^To:.*${to.replace(/[.+]/g, "\\$&")}`, "im").test(content));
}

function links(to: string, page: string): { file: string; path: string; at: number }[] {
  return mails(to)
    .flatMap(({ file, at, content }) => {
      const found = content.match(new RegExp(`https?://[^\\s]+(/${page}#[A-Za-z0-9_.:-]+)`));
      return found?.[1] ? [{ file, at, path: found[1] }] : [];
    })
    .sort((a, b) => a.at - b.at || a.file.localeCompare(b.file));
}

/** Runs the action and returns the link that it had mailed. */
export async function mailedLink(to: string, page: "sign-in" | "join", action: () => Promise<void>): Promise<string> {
  const before = new Set(links(to, page).map(({ path }) => path));
  await action();
  let fresh: string | undefined;
  await expect
    .poll(() => {
      fresh = links(to, page).findLast(({ path }) => !before.has(path))?.path;
      return fresh !== undefined;
    }, { message: `a mail to ${to} with a link to /${page}` })
    .toBe(true);
  return fresh ?? "";
}

/** How many links to sign in with somebody has been mailed. */
export function mailedLinks(to: string): number {
  return links(to, "sign-in").length;
}

/** Somebody gets a mail with these words. */
export async function mailed(to: string, words: string): Promise<void> {
  await expect.poll(() => mails(to).some(({ content }) => content.replaceAll(/\s+/g, " ").includes(words)), { message: `a mail to ${to}: ${words}` }).toBe(true);
}
