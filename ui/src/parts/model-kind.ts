/** What a model provider speaks: the two protocols, in words, and the choice between them. */
import { html, type TemplateResult } from "lit";
import type { ModelKind } from "../channel/messages";

interface Kind {
  kind: ModelKind;
  name: string;
  /** What its address and model may look like. */
  base: string;
  model: string;
  words: string;
}

const KINDS: readonly [Kind, Kind] = [
  { kind: "openai", name: "OpenAI-compatible", base: "https://api.openai.com/v1", model: "gpt-5", words: "OpenAI, Azure, Mistral, Ollama, vLLM and many others" },
  { kind: "anthropic", name: "Anthropic-compatible", base: "https://api.anthropic.com", model: "claude-sonnet-5", words: "Anthropic and services that speak its protocol" },
];

export function kindNamed(kind: ModelKind): Kind {
  return KINDS.find((each) => each.kind === kind) ?? KINDS[0];
}

export function kindChoice(chosen: ModelKind, onChoice: (kind: ModelKind) => void): TemplateResult {
  return html`<fieldset class="choices">
    <legend>What does it speak?</legend>
    ${KINDS.map(
      ({ kind, name, words }) => html`<label class="choice">
        <input type="radio" name="kind" .checked=${kind === chosen} @change=${() => onChoice(kind)}>
        <span><strong>${name}</strong><span class="hint">${words}</span></span>
      </label>`,
    )}
  </fieldset>`;
}
