/** What a page has and Node has not, as far as the modules that keep the connection ask for it. Import it before them. */
import { vi } from "vitest";
import { FakeSocket } from "./keeper-side";

export const fakeDocument = Object.assign(new EventTarget(), { visibilityState: "visible", cookie: "", querySelector: () => null });
export const fakeWindow = new EventTarget();

vi.stubGlobal("location", { href: "https://holdfast.example/", protocol: "https:", pathname: "/" });
vi.stubGlobal("document", fakeDocument);
vi.stubGlobal("navigator", { onLine: true, locks: { request: (_name: string, work: () => unknown) => work() } });
vi.stubGlobal("addEventListener", fakeWindow.addEventListener.bind(fakeWindow));
vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ token: "token" })));
vi.stubGlobal("WebSocket", FakeSocket);
