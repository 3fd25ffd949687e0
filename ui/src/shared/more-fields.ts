/** What a member may do with something of a group beside using it. */
import { html, nothing, type TemplateResult } from "lit";
import type { More } from "./words";

const WORDS: Record<keyof More, string> = { passOn: "May pass it on", manage: "May manage it for you" };

export interface MoreOptions {
  /** Whose rights they are, and to what. */
  name: string;
  what: string;
  more: More;
  /** What there is to choose. */
  offered: readonly (keyof More)[];
  off: boolean;
  onChange(more: More, box: HTMLInputElement): void;
}

export function moreFields({ name, what, more, offered, off, onChange }: MoreOptions): TemplateResult | typeof nothing {
  if (offered.length === 0) return nothing;
  return html`${offered.map(
    (each) => html`<label class="check"><input type="checkbox" aria-label="${WORDS[each]}: ${name}, ${what}" .checked=${more[each]} ?disabled=${off} @change=${(event: Event) => {
      const box = event.target as HTMLInputElement;
      onChange({ ...more, [each]: box.checked }, box);
    }}><span>${WORDS[each]}</span></label>`,
  )}`;
}
