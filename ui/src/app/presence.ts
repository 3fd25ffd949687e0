/**
 * Whether somebody is at the page. What a page asks of the keeper or the platform by itself counts as use there, and would keep the vault open
 * and the session up for nobody.
 */

/** Whoever has done nothing for this long may have left. */
export const PRESENT_MS = 2 * 60_000;

/** Whoever has done nothing for this long does not look on any more: what happens is loaded once they are back. */
export const AWAY_MS = 10 * 60_000;

let lastAct = Date.now();
const unseen = new Set<() => void>();

/** Begins to watch for what people do, and says when somebody who may have left is back. */
export function watchPresence(back?: () => void): void {
  const seen = () => {
    const left = !isPresent();
    lastAct = Date.now();
    if (left) back?.();
    for (const load of unseen) {
      unseen.delete(load);
      load();
    }
  };
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) addEventListener(kind, seen, { capture: true, passive: true });
}

export function isPresent(): boolean {
  return Date.now() - lastAct < PRESENT_MS;
}

/** Whether somebody may still look on. */
export function isWatched(): boolean {
  return Date.now() - lastAct < AWAY_MS;
}

/** Loads what has changed: now, or once somebody is back. */
export function whenWatched(load: () => void): void {
  if (isWatched()) load();
  else unseen.add(load);
}
