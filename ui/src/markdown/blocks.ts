/**
 * Markdown while it streams: blocks that are finished are kept, and only the tail is read again, so that a long answer costs
 * the same at its end as at its start.
 */
import { marked, type Token, type TokensList } from "marked";

/** Finished tokens before this many from the end cannot change any more. */
const TAIL_TOKENS = 3;

function lex(text: string): Token[] {
  return marked.lexer(text, { gfm: true }) as TokensList;
}

export class BlockStream {
  #source = "";
  #kept: Token[] = [];
  #keptUntil = 0;
  #tail: Token[] = [];
  #complete = false;

  /** The blocks of the text so far. Blocks that did not change are the same objects as before. */
  update(text: string, complete: boolean): readonly Token[] {
    const source = text.replace(/\r\n?/g, "\n");
    if (source === this.#source && complete === this.#complete) return [...this.#kept, ...this.#tail];
    if (!source.startsWith(this.#source)) this.#reset();
    this.#source = source;
    this.#complete = complete;
    if (complete) {
      // Once more as a whole: a reference may be defined below its use.
      if (/^ {0,3}\[[^\]]+\]:/m.test(source)) this.#reset();
      this.#source = source;
    }
    this.#tail = lex(source.slice(this.#keptUntil));
    if (!complete) this.#keep();
    return [...this.#kept, ...this.#tail];
  }

  #reset(): void {
    this.#kept = [];
    this.#keptUntil = 0;
    this.#source = "";
  }

  /** Cuts only after a blank line, and only where enough follows that nothing can be joined to what is before. */
  #keep(): void {
    let cut = 0;
    for (let at = 0; at < this.#tail.length - TAIL_TOKENS; at++) if (this.#tail[at]?.type === "space") cut = at + 1;
    if (cut === 0) return;
    const finished = this.#tail.slice(0, cut);
    const length = finished.reduce((sum, token) => sum + token.raw.length, 0);
    // The lexer promises that the raw texts join to the source; if they ever do not, keep nothing.
    if (finished.map((token) => token.raw).join("") !== this.#source.slice(this.#keptUntil, this.#keptUntil + length)) return;
    this.#kept.push(...finished);
    this.#keptUntil += length;
    this.#tail = this.#tail.slice(cut);
  }
}
