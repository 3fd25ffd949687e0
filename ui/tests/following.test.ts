/** The end of a growing answer is followed, and nobody's scrolling is stolen. */
import { beforeEach, expect, it } from "vitest";
import { AT_END_PX, Following } from "../src/chat/following";

const SEEN = 500;

/** A thread as a browser has it, with its own idea of where it may stand. */
class Thread {
  height = 2_000;
  top = 0;
  readonly following = new Following();

  #stand() {
    return { above: this.top, below: this.height - this.top - SEEN };
  }

  #moved(): void {
    this.following.moved(this.#stand());
  }

  scroll(by: number): void {
    this.top = Math.min(Math.max(0, this.top + by), this.height - SEEN);
    this.#moved();
  }

  toEnd(): void {
    this.top = this.height - SEEN;
    this.following.begin(this.#stand());
    this.#moved();
  }

  /** As the page does, it is followed where it is to be. */
  grow(by: number): void {
    this.height += by;
    if (this.following.on) this.toEnd();
  }

  /** The browser takes it up with it, and says that it was moved. */
  shrink(by: number): void {
    this.height -= by;
    this.scroll(0);
  }

  /** The first steps of a movement to the end, which takes its time. */
  glide(steps: number): void {
    this.following.begin(this.#stand());
    for (let step = 0; step < steps; step++) this.scroll(100);
  }

  get below(): number {
    return this.#stand().below;
  }
}

let thread: Thread;
beforeEach(() => {
  thread = new Thread();
  thread.toEnd();
});

it("what grows is followed", () => {
  for (let line = 0; line < 20; line++) thread.grow(26);
  expect(thread.below).toBe(0);
});

it.each([2, 30, 40, AT_END_PX - 1, 700])("who goes up by %d pixels stays there, whatever is written meanwhile", (pixels) => {
  thread.scroll(-pixels);
  const { top } = thread;
  for (let line = 0; line < 20; line++) thread.grow(26);
  expect(thread.top).toBe(top);
});

it("also who goes up by a pixel at a time", () => {
  thread.scroll(-1);
  thread.scroll(-1);
  thread.scroll(-1);
  const { top } = thread;
  thread.grow(26);
  expect(thread.top).toBe(top);
});

it("who goes down again is not taken along before they are at the end", () => {
  thread.scroll(-700);
  thread.scroll(300);
  thread.grow(26);
  expect(thread.below).toBe(426);
  thread.scroll(426 - AT_END_PX + 1);
  thread.grow(26);
  expect(thread.below).toBe(0);
});

it("on the way to the end, what is written meanwhile is followed too", () => {
  thread.scroll(-1_500);
  thread.glide(3);
  expect(thread.below).toBeGreaterThan(AT_END_PX);
  thread.grow(400);
  expect(thread.below).toBe(0);
});

it("who goes up on that way stays where they are", () => {
  thread.scroll(-1_500);
  thread.glide(3);
  thread.scroll(-30);
  const { top } = thread;
  thread.grow(400);
  expect(thread.top).toBe(top);
});

it("what becomes shorter is nobody's scrolling", () => {
  thread.shrink(80);
  thread.grow(26);
  expect(thread.below).toBe(0);
});

it("what is looked at by the page itself is not followed before its person is at the end", () => {
  thread.following.stop();
  thread.grow(26);
  expect(thread.below).toBe(26);
  thread.scroll(26);
  thread.grow(26);
  expect(thread.below).toBe(0);
});
