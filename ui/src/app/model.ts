/** The model that the agent uses, as its keeper tells it; the key stays in the vault. */
import { computed, signal } from "@preact/signals-core";
import type { ModelInfo } from "../channel/messages";
import { onOpen, request } from "./link";

export const model = signal<ModelInfo | undefined>(undefined);
export const modelConfigured = computed(() => model.value?.configured === true);

export async function loadModel(): Promise<void> {
  try {
    model.value = await request<ModelInfo>("model.get");
  } catch {
    // Asked again at the next connection.
  }
}

export function startModel(): void {
  onOpen(() => void loadModel());
}
