/** The model that the agent uses, as its keeper tells it; the key stays in the vault. */
import { computed, signal } from "@preact/signals-core";
import type { CellEvent, ModelInfo } from "../channel/messages";
import { cell, onOpen, request } from "./link";

export const model = signal<ModelInfo | undefined>(undefined);
export const modelConfigured = computed(() => model.value?.configured === true);

export async function loadModel(): Promise<void> {
  try {
    model.value = await request<ModelInfo>("model.get");
  } catch {
    // Asked again at the next connection.
  }
}

/** A page that has just come asks for the agent: the answer says how far it is, and whoever looks wants it awake. */
async function askForAgent(): Promise<void> {
  await loadModel();
  if (!modelConfigured.peek()) return;
  try {
    cell.value = await request<CellEvent>("cell.start");
  } catch {
    // The event `cell` says what is wrong, if something is.
  }
}

export function startModel(): void {
  onOpen(() => void askForAgent());
}
