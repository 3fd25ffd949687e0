/**
 * zxcvbn with the word lists that decide: leaked passwords and diceware words. (English names and Wikipedia words changed no
 * score in trials and weigh four times as much.) Loaded only where a password is chosen.
 */
import { ZxcvbnFactory } from "@zxcvbn-ts/core";
import { adjacencyGraphs, dictionary } from "@zxcvbn-ts/language-common";
import { translations } from "@zxcvbn-ts/language-en";
import type { Strength } from "./strength";

const zxcvbn = new ZxcvbnFactory({ translations, graphs: adjacencyGraphs, dictionary });

/** Fewer characters are easy to guess, whatever they are. */
const LEAST_CHARS = 8;

/** `own`: words that say nothing for this person. */
export function estimate(password: string, own: string[]): Strength {
  const { score, feedback } = zxcvbn.check(password, own);
  if (score > 1 && [...password].length < LEAST_CHARS) return { score: 1, hint: `Use at least ${LEAST_CHARS} characters.` };
  return { score, hint: feedback.warning || feedback.suggestions[0] || "" };
}
