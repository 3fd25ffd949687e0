/** What went wrong unseen fails the whole run, also when the second try of its test passes: a CSP violation that comes once in a while is one. */
import type { FullResult, Reporter, TestCase, TestResult } from "@playwright/test/reporter";

/** How such a failure is named. */
export const UNSEEN = "CSP violations, console errors and uncaught errors";

export default class NoSecondTry implements Reporter {
  readonly #found = new Set<string>();

  printsToStdio(): boolean {
    return false;
  }

  onTestEnd(test: TestCase, { errors }: TestResult): void {
    if (errors.some(({ message }) => message?.includes(UNSEEN))) this.#found.add(test.titlePath().filter(Boolean).join(" › "));
  }

  onEnd(): Promise<{ status: FullResult["status"] } | undefined> {
    if (this.#found.size === 0) return Promise.resolve(undefined);
    console.error(`\n${UNSEEN} count at the first try:\n${[...this.#found].map((each) => `  ${each}`).join("\n")}`);
    return Promise.resolve({ status: "failed" });
  }
}
