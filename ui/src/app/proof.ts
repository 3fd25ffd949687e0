/** What must not be done by whoever happens to sit at an open vault asks for a fresh proof of a way in, in one dialog. */
import { ChannelError, type VaultStatus } from "../channel/messages";
import { request } from "./link";

/** Somebody closed the dialog: not an error to show. */
export class ProofDeclined extends Error {
  constructor() {
    super("Nothing was changed.");
  }
}

async function ask(): Promise<void> {
  const { askProof } = await import("../parts/proof-box");
  if (!(await askProof())) throw new ProofDeclined();
}

/** Does it, and where the keeper wants a fresh proof asks for one and does it again. */
export async function withProof<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof ChannelError) || error.code !== "proof_needed") throw error;
  }
  await ask();
  return action();
}

/** Asks for a proof unless there is one that is good for another minute. */
export async function ensureProof(): Promise<void> {
  const { proof_until } = await request<VaultStatus>("vault.status");
  if ((proof_until ?? 0) < Date.now() + 60_000) await ask();
}
