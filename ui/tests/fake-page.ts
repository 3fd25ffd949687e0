/** What a page has and Node has not, as far as the modules that keep the connection ask for it. Import it before them. */
import { vi } from "vitest";
import { FakeSocket } from "./keeper-side";

export const fakeDocument = Object.assign(new EventTarget(), { visibilityState: "visible", cookie: "", querySelector: () => null });
export const fakeWindow = new EventTarget();

const held = new Map<string, Promise<unknown>>();

/** One at a time for each name, in the order in which they asked. */
function request<T>(name: string, work: () => Promise<T>): Promise<T> {
  const done = (held.get(name) ?? Promise.resolve()).then(work);
  held.set(name, done.catch(() => undefined));
  return done;
}

vi.stubGlobal("location", { href: "https://holdfast.example/", protocol: "https:", pathname: "/" });
vi.stubGlobal("document", fakeDocument);
vi.stubGlobal("navigator", { onLine: true, locks: { request } });
vi.stubGlobal("localStorage", { getItem: () => null });
vi.stubGlobal("addEventListener", fakeWindow.addEventListener.bind(fakeWindow));
vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ token: "token" })));
vi.stubGlobal("WebSocket", FakeSocket);
