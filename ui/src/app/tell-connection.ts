/** Says to who cannot see it that the connection is lost, and that it is back. One that breaks for a moment is not worth a word. */
import { effect, untracked } from "@preact/signals-core";
import { outbox } from "../chat/outbox";
import { alertNow, announce } from "./announcer";
import { link, unlocked } from "./link";

/** The first tries to connect again are over by then. */
export const LOST_MS = 3_000;

function lostWords(): string {
  return `${navigator.onLine ? "Connection lost" : "You are offline"}. What you write is kept, and goes out when you are connected again.`;
}

function backWords(): string {
  const waiting = outbox.peek().filter((each) => each.state !== "not_sent").length;
  return waiting === 0 ? "Connected again" : `Connected again. ${waiting === 1 ? "One message goes" : `${waiting} messages go`} out now`;
}

export function tellConnection(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let told = false;
  return effect(() => {
    // While the vault is locked, its page says how the connection is.
    const at = unlocked.value ? link.value.at : "resting";
    untracked(() => {
      if (at === "waiting" || at === "connecting") {
        timer ??= setTimeout(() => {
          told = true;
          alertNow(lostWords());
        }, LOST_MS);
        return;
      }
      clearTimeout(timer);
      timer = undefined;
      if (told && at === "open") announce(backWords());
      told = false;
    });
  });
}
