/** Whether somebody is at the page. What a page asks of the keeper by itself counts as use there, and would keep the vault open for nobody. */

/** Whoever has done nothing for this long may have left. */
export const PRESENT_MS = 2 * 60_000;

let lastAct = Date.now();

/** Begins to watch for what people do, and says when somebody who may have left is back. */
export function watchPresence(back: () => void): void {
  const seen = () => {
    const left = !isPresent();
    lastAct = Date.now();
    if (left) back();
  };
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) addEventListener(kind, seen, { capture: true, passive: true });
}

export function isPresent(): boolean {
  return Date.now() - lastAct < PRESENT_MS;
}
