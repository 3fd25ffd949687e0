/** The keeper's clock, which need not be this browser's: how long ago something was is said by one clock. */

let ahead = 0;

/** What the keeper's clock shows at this moment. An older keeper does not say. */
export function setKeeperClock(shows: number | undefined): void {
  ahead = shows === undefined ? 0 : shows - Date.now();
}

/** What the keeper's clock shows now: when something ends that ends by it. */
export function keepersNow(): number {
  return Date.now() + ahead;
}

/** When something was by this browser's clock, given when it was by the keeper's; never in the future. */
export function byThisClock(keepers: number, now = Date.now()): number {
  return Math.min(now, keepers - ahead);
}
