/** Whether the end of a thread that grows is followed: until its person goes up, however little, and again once they are back there. */

/** Who goes down to nearer than this is at the end. */
export const AT_END_PX = 60;
/** A part of a pixel is nobody's scrolling. */
const STILL_PX = 1;

/** Where a thread stands, in pixels: above what is seen, and below it. */
export interface Stand {
  above: number;
  below: number;
}

export class Following {
  #on = true;
  /** What was above when it was last moved, or looked at. */
  #above = 0;

  get on(): boolean {
    return this.#on;
  }

  /** For what it does by itself, until it is followed again. */
  stop(): void {
    this.#on = false;
  }

  /** We move it to its end, at once or little by little from here. */
  begin({ above }: Stand): void {
    this.#on = true;
    this.#above = above;
  }

  /** It was moved, and does not say by whom. We go down alone; and what has become shorter takes it up with it, to its very end. */
  moved({ above, below }: Stand): void {
    const by = above - this.#above;
    if (below <= STILL_PX) this.#on = true;
    else if (by < -STILL_PX) this.#on = false;
    else if (by > STILL_PX && below < AT_END_PX) this.#on = true;
    // Little by little it is as far.
    if (Math.abs(by) > STILL_PX) this.#above = above;
  }
}
