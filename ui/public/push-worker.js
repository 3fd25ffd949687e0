// Shows that something waits, and opens the inbox. It answers no request of a page and keeps nothing. A push message has no content.
"use strict";

const INBOX = "/inbox";

addEventListener("push", (event) => {
  // Browsers demand that each message is shown. One of before gives way to it.
  event.waitUntil(registration.showNotification("Holdfast", { body: "Something waits for you.", icon: "/icon-192.png", tag: "waits", renotify: true }));
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openInbox());
});

addEventListener("pushsubscriptionchange", (event) => {
  const options = event.oldSubscription ? event.oldSubscription.options : null;
  if (event.newSubscription || !options) return;
  // A page tells the server where this browser is reached now: this one has no session.
  event.waitUntil(registration.pushManager.subscribe(options).then(() => tell("changed")));
});

// People's own pages, not the operator's.
async function pages() {
  const all = await clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter((each) => !/^\/admin(\/|$)/.test(new URL(each.url).pathname));
}

async function tell(push) {
  for (const page of await pages()) page.postMessage({ push });
}

async function openInbox() {
  const [page] = await pages();
  if (!page) return clients.openWindow(INBOX);
  page.postMessage({ push: "inbox" });
  return page.focus();
}
