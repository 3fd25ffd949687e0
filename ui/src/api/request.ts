/** One request to the platform: cookies, the token that a write needs, and every failure a {@link Problem} with a sentence for the person. */

export class Problem extends Error {
  override name = "Problem";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The API that is called. */
export interface Where {
  base: string;
  /** The cookie with the token that shows that a write comes from this page: another site's page cannot read this host's cookies. */
  csrfCookie: string;
  /** A path whose answer to a read brings the right cookie, where it was lost or is an older session's. */
  read: string;
}

export interface Caller {
  /**
   * Asked once more where no answer came, if it reads, or puts what is there already the second time; what else is `twice` does no harm either.
   */
  call: <T>(method: string, path: string, body?: object, twice?: boolean) => Promise<T>;
  /** Signs out. What is under way is broken off first: it would come to the server after the session's end, and be refused for nobody. */
  end: (path: string) => Promise<void>;
}

/** How long after a connection that failed something is asked again, and how long after a refused session it is looked whether it was renewed. */
const AGAIN_MS = 300;

/** How long signing out may take. */
const END_MS = 15_000;

const SIGNING_OUT = new Problem(0, "signing_out", "You are being signed out.");

/** What calls this API. */
export function caller(where: Where, endMs = END_MS): Caller {
  let session = new AbortController();
  const ask = (signal: AbortSignal, method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${where.base}${path}`, {
      method,
      signal,
      credentials: "same-origin",
      cache: "no-store",
      headers: { Accept: "application/json", ...(body ? { "Content-Type": "application/json" } : {}), ...(method === "GET" ? {} : csrfHeader(where.csrfCookie)) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  // Networks come and go. A browser gives up what it is about to connect then, also to localhost, and does not say whether it was sent.
  const askTwice = async (signal: AbortSignal, method: string, path: string, body?: object): Promise<Response> => {
    try {
      return await ask(signal, method, path, body);
    } catch (error) {
      if (signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      return ask(signal, method, path, body);
    }
  };
  const answered = async <T>(signal: AbortSignal, method: string, path: string, body?: object, twice = method === "GET" || method === "PUT"): Promise<T> => {
    let response: Response;
    let text: string;
    const held = csrfToken(where.csrfCookie);
    try {
      response = await (twice ? askTwice : ask)(signal, method, path, body);
      if (response.status === 401 && held !== undefined && (await isRenewed(where.csrfCookie, held))) response = await ask(signal, method, path, body);
      if (response.status === 403 && (await response.clone().text()).includes('"code":"csrf_token"')) {
        await ask(signal, "GET", where.read);
        response = await ask(signal, method, path, body);
      }
      text = await response.text();
    } catch {
      if (signal.reason === SIGNING_OUT) throw SIGNING_OUT;
      throw new Problem(0, "unreachable", navigator.onLine ? "The server does not answer. Try again in a moment." : "You are offline.");
    }
    let json: unknown;
    try {
      json = text === "" ? undefined : JSON.parse(text);
    } catch {
      json = undefined;
    }
    if (response.ok) return json as T;
    const problem = (json ?? {}) as { code?: string; detail?: string; title?: string };
    throw new Problem(response.status, problem.code ?? `http_${response.status}`, problem.detail ?? problem.title ?? `The server answered with an error (${response.status}).`);
  };
  return {
    call: (method, path, body, twice) => answered(session.signal, method, path, body, twice),
    end: async (path) => {
      session.abort(SIGNING_OUT);
      try {
        await answered<void>(AbortSignal.timeout(endMs), "POST", path);
      } finally {
        session = new AbortController();
      }
    },
  };
}

/**
 * Whether the session has another token than when this was held, which is made from it: showing a factor gives it one, in whichever page of this
 * browser, and refuses what was under way with the one of before. The answer that brings it may come a moment after the refusal.
 */
async function isRenewed(cookie: string, held: string): Promise<boolean> {
  if (csrfToken(cookie) === held) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  const now = csrfToken(cookie);
  return now !== undefined && now !== held;
}

function csrfHeader(cookie: string): Record<string, string> {
  const token = csrfToken(cookie);
  return token ? { "X-CSRF-Token": token } : {};
}

function csrfToken(cookie: string): string | undefined {
  const name = location.protocol === "https:" ? `__Host-${cookie}` : cookie;
  return document.cookie
    .split("; ")
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}
