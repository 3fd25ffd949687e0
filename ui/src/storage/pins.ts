/**
 * What this browser remembers of each account's vault: which cell it is, and the highest epoch seen. A platform that presents
 * another cell, an emptied vault or an older copy of it is refused.
 */
import * as database from "./database";

export interface Pin {
  cell: string;
  epoch: number;
}

export type PinProblem = "other_cell" | "emptied" | "rolled_back";

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

export async function raisePin(user: string, cell: string, epoch: number): Promise<void> {
  const pin = await readPin(user);
  if (!pin || pin.cell !== cell || epoch > pin.epoch) await database.put("pins", user, { cell, epoch });
}
