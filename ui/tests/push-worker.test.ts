/** The worker shows that something waits, leads to the inbox, and does nothing else. It runs here as it is served. */
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import { beforeEach, expect, it, vi } from "vitest";

const script = readFileSync(new URL("../public/push-worker.js", import.meta.url), "utf8");

class Page {
  readonly told: unknown[] = [];
  readonly focus = vi.fn();
  readonly url: string;

  constructor(path: string) {
    this.url = `https://holdfast.example${path}`;
  }

  postMessage(message: unknown): void {
    this.told.push({ ...(message as object) });
  }
}

let pages: Page[];
let handlers: Map<string, (event: object) => void>;
const showNotification = vi.fn((_title: string, _options: object) => Promise.resolve());
const subscribe = vi.fn((_options: object) => Promise.resolve());
const openWindow = vi.fn((_path: string) => Promise.resolve());

/** Has it handle this, to the end. */
async function happens(kind: string, event: object = {}): Promise<void> {
  let work: Promise<unknown> | undefined;
  handlers.get(kind)?.({ ...event, waitUntil: (until: Promise<unknown>) => (work = until) });
  await work;
}

beforeEach(() => {
  vi.clearAllMocks();
  pages = [];
  handlers = new Map();
  const scope = {
    URL,
    addEventListener: (kind: string, handler: (event: object) => void) => handlers.set(kind, handler),
    registration: { showNotification, pushManager: { subscribe } },
    clients: { matchAll: () => Promise.resolve(pages), openWindow },
  };
  runInContext(script, createContext(scope));
});

it("it handles messages, clicks and changes of the subscription, and no request of a page", () => {
  expect([...handlers.keys()]).toEqual(["push", "notificationclick", "pushsubscriptionchange"]);
});

it("each message is shown in the same words, the last one in place of those before", async () => {
  for (let time = 0; time < 2; time++) await happens("push", { data: { text: () => "something else" } });
  const shown = showNotification.mock.calls.map(([title, options]) => [title, { ...options }]);
  const one = ["Holdfast", { body: "Something waits for you.", icon: "/icon-192.png", tag: "waits", renotify: true }];
  expect(shown).toEqual([one, one]);
});

it("a click leads a page that is open to the inbox, and opens one where none is; the operator's are left alone", async () => {
  const close = vi.fn();
  const [operator, chat] = [new Page("/admin/cells"), new Page("/chat")];
  pages = [operator, chat];
  await happens("notificationclick", { notification: { close } });
  expect(close).toHaveBeenCalledOnce();
  expect(chat.told).toEqual([{ push: "inbox" }]);
  expect(chat.focus).toHaveBeenCalledOnce();
  expect(openWindow).not.toHaveBeenCalled();
  pages = [operator];
  await happens("notificationclick", { notification: { close } });
  expect(openWindow).toHaveBeenCalledExactlyOnceWith("/inbox");
  expect(operator.told).toEqual([]);
});

it("a subscription that the browser ends is made again with what it was made with, and pages hear of it", async () => {
  const page = new Page("/");
  pages = [page];
  const options = { userVisibleOnly: true, applicationServerKey: "key" };
  await happens("pushsubscriptionchange", { oldSubscription: { options } });
  expect(subscribe).toHaveBeenCalledExactlyOnceWith(options);
  expect(page.told).toEqual([{ push: "changed" }]);
  await happens("pushsubscriptionchange", { oldSubscription: { options }, newSubscription: {} });
  await happens("pushsubscriptionchange");
  expect(subscribe).toHaveBeenCalledOnce();
});
