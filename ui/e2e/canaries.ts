/** What may leave a page only sealed: it is looked for in all that pages ask for and send, in what sockets bring them, and in what they keep. */
import { Buffer } from "node:buffer";
import type { BrowserContext, Page } from "@playwright/test";

/** By itself in a text of another's, or part of an encoding, by chance: a shorter one is not looked for. */
const SHORTEST = 12;

interface Seen {
  where: string;
  bytes: Buffer;
}

/** How much there was to look through. */
export interface Looked {
  requests: number;
  sent: number;
  received: number;
  kept: number;
}

interface Listened {
  requests: Seen[];
  sent: Seen[];
  received: Seen[];
}

const contexts = new Map<BrowserContext, Listened>();

/** What is a secret in every test from now on, and what is said in this one. */
const secrets = new Map<string, string>();
const said = new Map<string, string>();

export function isSecret(what: string, words: string): void {
  if (words.length >= SHORTEST) secrets.set(words, what);
}

/** Words of a conversation: looked for once, at the next look. */
export function isSaid(words: string): void {
  if (words.length >= SHORTEST) said.set(words, "what was said");
}

/** From now on, all that the pages of this context ask for and exchange over sockets is looked through. */
export function listenTo(context: BrowserContext): void {
  const listened: Listened = { requests: [], sent: [], received: [] };
  contexts.set(context, listened);
  context.on("request", (request) => {
    const headers = Object.entries(request.headers()).map((each) => each.join(": "));
    const head = Buffer.from([request.url(), ...headers, ""].join("\n"));
    listened.requests.push({ where: `${request.method()} ${request.url().split(/[?#]/)[0]}`, bytes: Buffer.concat([head, request.postDataBuffer() ?? Buffer.alloc(0)]) });
  });
  context.on("page", (page) =>
    page.on("websocket", (socket) => {
      const frame = (payload: string | Buffer): Seen => ({ where: `a ${typeof payload === "string" ? "text" : "binary"} frame of ${socket.url()}`, bytes: Buffer.from(payload as Buffer) });
      listened.requests.push({ where: "a socket's address", bytes: Buffer.from(socket.url()) });
      socket.on("framesent", ({ payload }) => listened.sent.push(frame(payload)));
      socket.on("framereceived", ({ payload }) => listened.received.push(frame(payload)));
    }),
  );
}

/** In base64, wherever in a text it begins: without the letters that its neighbours have a part in. */
function inBase64(words: string): string[] {
  const bytes = Buffer.from(words);
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  });
}

/** Each way in which somebody might write it who does not seal it. */
function spellings(words: string): string[] {
  const base64 = inBase64(words);
  const url = base64.map((each) => each.replaceAll("+", "-").replaceAll("/", "_"));
  const hex = Buffer.from(words).toString("hex");
  return [...new Set([words, JSON.stringify(words).slice(1, -1), encodeURIComponent(words), words.replaceAll(" ", "+"), ...base64, ...url, hex, hex.toUpperCase()])];
}

/** In the page: everything that a page of this site can keep; bytes in base64. */
async function kept(): Promise<{ where: string; text?: string; base64?: string }[]> {
  const found: { where: string; text?: string; base64?: string }[] = [{ where: "cookies that scripts read", text: document.cookie }];
  for (const [where, storage] of Object.entries({ localStorage, sessionStorage })) for (const [name, value] of Object.entries(storage)) found.push({ where, text: `${name}=${String(value)}` });
  const base64 = (bytes: Uint8Array): string => {
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  };
  const walk = (where: string, value: unknown): void => {
    if (value instanceof CryptoKey) found.push({ where: `${where}, a key`, text: value.extractable ? "a key that scripts can read" : "" });
    else if (value instanceof ArrayBuffer) found.push({ where, base64: base64(new Uint8Array(value)) });
    else if (ArrayBuffer.isView(value)) found.push({ where, base64: base64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) });
    else if (typeof value === "object" && value !== null) for (const [name, each] of Object.entries(value)) walk(`${where}.${name}`, each);
    else found.push({ where, text: String(value) });
  };
  const asked = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error("storage failed"));
    });
  for (const { name } of await indexedDB.databases()) {
    const database = await asked(indexedDB.open(name ?? ""));
    for (const store of database.objectStoreNames) {
      const objects = database.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([asked(objects.getAllKeys()), asked(objects.getAll())]);
      keys.forEach((key, at) => {
        walk(`the name of an entry of ${store}`, key);
        walk(`IndexedDB ${store}`, values[at]);
      });
    }
    database.close();
  }
  for (const name of await caches.keys()) for (const request of await (await caches.open(name)).keys()) found.push({ where: `cache ${name}`, text: request.url });
  return found;
}

function isSite(page: Page): boolean {
  return !page.isClosed() && page.url().startsWith("http");
}

async function keptBy(context: BrowserContext): Promise<Seen[]> {
  const seen: Seen[] = [];
  for (const page of context.pages().filter(isSite)) {
    await page.waitForLoadState("domcontentloaded");
    for (const { where, text = "", base64 } of await page.evaluate(kept)) seen.push({ where, bytes: base64 === undefined ? Buffer.from(text) : Buffer.from(base64, "base64") });
  }
  if (context.pages().length > 0) for (const { name, value } of await context.cookies()) seen.push({ where: `cookie ${name}`, bytes: Buffer.from(value) });
  return seen;
}

/** Where something was found that should be sealed, in what came to pass since the last look; and how much was looked through. */
export async function look(): Promise<{ found: string[]; looked: Looked }> {
  const words = [...secrets, ...said].map(([each, what]) => ({ what, spelt: spellings(each) }));
  words.push({ what: "something that opens the storage", spelt: ["a key that scripts can read"] });
  said.clear();
  const looked: Looked = { requests: 0, sent: 0, received: 0, kept: 0 };
  const found = new Set<string>();
  for (const [context, listened] of contexts) {
    const all = { requests: listened.requests.splice(0), sent: listened.sent.splice(0), received: listened.received.splice(0), kept: await keptBy(context) };
    for (const [how, seen] of Object.entries(all)) {
      looked[how as keyof Looked] += seen.length;
      for (const { where, bytes } of seen) for (const { what, spelt } of words) if (spelt.some((each) => bytes.includes(each))) found.add(`${what}, in ${where} (${how})`);
    }
  }
  return { found: [...found], looked };
}
