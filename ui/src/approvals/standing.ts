/** Whether what waits stands where it stood. A request that was answered, ran out or came moves the others: what is pressed right then may have been meant for another one. */
import { effect, signal } from "@preact/signals-core";
import { askedOfMe, waiting } from "./approvals";

export const STANDS_MS = 700;

/** Nothing is allowed while it does not. */
export const stands = signal(true);

let before = "";
let timer: ReturnType<typeof setTimeout> | undefined;

effect(() => {
  const now = [...waiting.value, ...askedOfMe.value].map((each) => each.id).join();
  if (now === before) return;
  before = now;
  stands.value = false;
  clearTimeout(timer);
  timer = setTimeout(() => (stands.value = true), STANDS_MS);
});
