/**
 * What this browser remembers of each account's vault: which cell it is, its keeper's public key, and the highest epoch seen. A
 * platform that presents another cell, another keeper, an emptied vault or an older copy of it is refused.
 */
import * as database from "./database";

export interface Pin {
  cell: string;
  epoch: number;
  /** Base64url. Missing until somebody has logged in here. */
  keeper?: string;
}

export type PinProblem = "other_cell" | "other_keeper" | "emptied" | "rolled_back";

export function pinProblem(pin: Pin | undefined, seen: { cell: string; isNew?: boolean; epoch?: number }): PinProblem | undefined {
  if (!pin) return undefined;
  if (pin.cell !== seen.cell) return "other_cell";
  if (seen.isNew && pin.epoch > 0) return "emptied";
  if (seen.epoch !== undefined && seen.epoch < pin.epoch) return "rolled_back";
  return undefined;
}

export function readPin(user: string): Promise<Pin | undefined> {
  return database.get<Pin>("pins", user);
}

/** Remembers what is newer; a keeper that was once logged in to stays the one of its cell. */
export async function raisePin(user: string, cell: string, epoch: number, keeper?: string): Promise<void> {
  const pin = await readPin(user);
  const known = pin?.cell === cell ? pin : undefined;
  const next: Pin = { cell, epoch: Math.max(epoch, known?.epoch ?? 0) };
  const key = known?.keeper ?? keeper;
  if (key !== undefined) next.keeper = key;
  if (!known || next.epoch > known.epoch || next.keeper !== known.keeper) await database.put("pins", user, next);
}

/** The person says that there was a reason: an older copy keeps its keeper's key, and of anything else nothing is known any more. */
export async function acceptProblem(user: string, problem: PinProblem): Promise<void> {
  const pin = await readPin(user);
  if (problem === "rolled_back" && pin) await database.put("pins", user, { ...pin, epoch: 0 });
  else await database.remove("pins", user);
}
