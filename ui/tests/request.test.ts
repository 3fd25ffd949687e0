/** Signing out, against a server that keeps what it is asked waiting; connections that break; and a session that gets another token. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { type Caller, caller } from "../src/api/request";

vi.stubGlobal("location", { protocol: "http:" });
const page = { cookie: "" };
vi.stubGlobal("document", page);
vi.stubGlobal("navigator", { onLine: true });

/** Who waits for an answer, by path, and what the sign-out is answered: nothing where that is 0. */
const waiting = new Map<string, ServerResponse>();
let signOutStatus = 204;

/** What came, and how many of the next are broken off without an answer. */
const came: string[] = [];
let breaks = 0;

/** What happens in the moment in which a session is refused, which is done once. */
let refused: (() => void) | undefined;

const server = createServer((request, response) => {
  const path = request.url ?? "";
  came.push(`${request.method} ${path}`);
  if (breaks > 0) {
    breaks--;
    request.socket.destroy();
    return;
  }
  if (refused) {
    refused();
    refused = undefined;
    response.writeHead(401).end("{}");
    return;
  }
  if (path === "/sign-out" && signOutStatus > 0) response.writeHead(signOutStatus).end();
  else if (path === "/now") response.writeHead(200).end("{}");
  else waiting.set(path, response);
});
let api: Caller;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  api = caller({ base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, csrfCookie: "csrf", read: "/now" }, 200);
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  page.cookie = "csrf=token";
  refused = undefined;
  waiting.clear();
  came.length = 0;
  breaks = 0;
  signOutStatus = 204;
});

it("breaks off what is under way when one signs out, and lets nothing start before that is done", async () => {
  const read = api.call("GET", "/read");
  await vi.waitFor(() => expect(waiting.has("/read")).toBe(true));
  const gone = new Promise((resolve) => waiting.get("/read")?.on("close", resolve));
  const signedOut = api.end("/sign-out");
  const late = api.call("GET", "/late");
  await expect(read).rejects.toMatchObject({ code: "signing_out" });
  await expect(late).rejects.toMatchObject({ code: "signing_out" });
  await signedOut;
  await gone;
  expect([...waiting.keys()]).toEqual(["/read"]);
  // The next to sign in is served.
  await expect(api.call("GET", "/now")).resolves.toEqual({});
});

it("goes on when signing out failed", async () => {
  signOutStatus = 503;
  await expect(api.end("/sign-out")).rejects.toMatchObject({ status: 503 });
  await expect(api.call("GET", "/now")).resolves.toEqual({});
});

it("does not wait for ever for a server that does not answer the sign-out", async () => {
  signOutStatus = 0;
  await expect(api.end("/sign-out")).rejects.toMatchObject({ code: "unreachable" });
  await expect(api.call("GET", "/now")).resolves.toEqual({});
});

it("asks once more where the connection breaks, if that does no harm", async () => {
  for (const [method, twice] of [["GET"], ["PUT"], ["POST", true]] as const) {
    breaks = 1;
    came.length = 0;
    await expect(api.call(method, "/now", undefined, twice)).resolves.toEqual({});
    expect(came).toEqual([`${method} /now`, `${method} /now`]);
  }
  breaks = 3;
  came.length = 0;
  await expect(api.call("GET", "/now")).rejects.toMatchObject({ code: "unreachable" });
  expect(came.length).toBe(2);
});

it("does not do twice what may have been done", async () => {
  for (const method of ["POST", "DELETE"]) {
    breaks = 1;
    came.length = 0;
    await expect(api.call(method, "/now")).rejects.toMatchObject({ code: "unreachable" });
    expect(came).toEqual([`${method} /now`]);
  }
});

it("asks once more where the session has another token by now, or a moment later", async () => {
  const renew = (): void => {
    page.cookie = "csrf=other";
  };
  for (const when of [renew, () => void setTimeout(renew, 50)]) {
    page.cookie = "csrf=token";
    refused = when;
    came.length = 0;
    await expect(api.call("POST", "/now")).resolves.toEqual({});
    expect(came).toEqual(["POST /now", "POST /now"]);
  }
});

it("takes the word for it where a session is over", async () => {
  const before = page.cookie;
  for (const [held, after] of [
    [before, before],
    [before, ""],
    ["", ""],
    ["", "csrf=other"],
  ] as const) {
    page.cookie = held;
    refused = () => {
      page.cookie = after;
    };
    came.length = 0;
    await expect(api.call("GET", "/now")).rejects.toMatchObject({ status: 401 });
    expect(came).toEqual(["GET /now"]);
  }
});
