/** The recovery phrase: 12 English words of BIP39, made and checked in the browser. */
import { generateMnemonic, validateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";

export const PHRASE_WORDS = 12;

export function newPhrase(): string {
  return generateMnemonic(wordlist, 128);
}

/** What a person typed or pasted, as the words alone. */
export function tidyPhrase(text: string): string {
  return (text.normalize("NFKD").toLowerCase().match(/[a-z]+/g) ?? []).join(" ");
}

export type PhraseCheck = { ok: true; phrase: string } | { ok: false; problem: string };

/** Says what is wrong before the keeper is asked, because each wrong try there costs waiting time. */
export function checkPhrase(text: string): PhraseCheck {
  const phrase = tidyPhrase(text);
  const words = phrase === "" ? [] : phrase.split(" ");
  const unknown = words.findIndex((word) => !wordlist.includes(word));
  if (unknown >= 0) return { ok: false, problem: `Word ${unknown + 1}, “${words[unknown]}”, is not one of the words that phrases are made of. Check its spelling.` };
  if (words.length !== PHRASE_WORDS) return { ok: false, problem: `A recovery phrase has ${PHRASE_WORDS} words; this has ${words.length}.` };
  if (!validateMnemonic(phrase, wordlist)) return { ok: false, problem: "These words do not belong together: one is wrong, or two are swapped." };
  return { ok: true, phrase };
}
