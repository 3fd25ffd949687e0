/** Prints what stood on the page when a try failed: what passes at the second try leaves nothing else to understand the first by. */
import { readFileSync } from "node:fs";
import type { Reporter, TestCase, TestResult } from "@playwright/test/reporter";

export default class WhatStoodThere implements Reporter {
  printsToStdio(): boolean {
    return false;
  }

  onTestEnd(test: TestCase, { attachments, retry }: TestResult): void {
    const path = attachments.find(({ name }) => name === "error-context")?.path;
    const page = path && /^```yaml\n(.*?)^```$/ms.exec(readFileSync(path, "utf8"))?.[1];
    if (page) console.error(`\nOn the page when try ${retry + 1} of “${test.title}” failed:\n${page}`);
  }
}
