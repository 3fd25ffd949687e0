/** Follows who is signed in on this device, and what its worker says. */
import { effect, untracked } from "@preact/signals-core";
import { account } from "../app/account";
import { go } from "../app/router";
import { keepUp } from "./push";

export function startPush(): void {
  const worker = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!worker) return;
  const user = () => (account.value.at === "in" ? account.value.me.user.id : undefined);
  const keep = () => {
    const who = untracked(user);
    // What does not work now is done with the next page.
    if (who) void keepUp(who).catch(() => undefined);
  };
  let last: string | undefined;
  effect(() => {
    const who = user();
    if (who === last) return;
    last = who;
    keep();
  });
  worker.addEventListener("message", ({ data }: MessageEvent<{ push?: "inbox" | "changed" }>) => {
    if (data.push === "inbox") go("/inbox");
    if (data.push === "changed") keep();
  });
  worker.startMessages();
}
