/** zxcvbn with its word lists; large, so it is loaded only where a password is chosen. */
import { ZxcvbnFactory } from "@zxcvbn-ts/core";
import * as common from "@zxcvbn-ts/language-common";
import * as english from "@zxcvbn-ts/language-en";
import type { Strength } from "./strength";

const zxcvbn = new ZxcvbnFactory({
  translations: english.translations,
  graphs: common.adjacencyGraphs,
  dictionary: { ...common.dictionary, ...english.dictionary },
});

export function estimate(password: string, own: string[]): Strength {
  const { score, feedback } = zxcvbn.check(password, own);
  return { score, hint: feedback.warning || feedback.suggestions[0] || "" };
}
