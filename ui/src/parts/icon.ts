import { html, type TemplateResult } from "lit";
import type { IconName } from "./icon-names";

/** An icon from the sprite; it says nothing to a screen reader, so what it stands on needs a name of its own. */
export function icon(name: IconName, size: "s" | "m" | "l" = "m"): TemplateResult {
  return html`<svg class="icon icon-${size}" aria-hidden="true" focusable="false"><use href="/icons.svg#${name}"></use></svg>`;
}
