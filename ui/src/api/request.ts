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

type Call = <T>(method: string, path: string, body?: object) => Promise<T>;

/** A function that calls this API. */
export function caller(where: Where): Call {
  const ask = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${where.base}${path}`, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers: { Accept: "application/json", ...(body ? { "Content-Type": "application/json" } : {}), ...(method === "GET" ? {} : csrfToken(where.csrfCookie)) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  return async <T>(method: string, path: string, body?: object): Promise<T> => {
    let response: Response;
    try {
      response = await ask(method, path, body);
      if (response.status === 403 && (await response.clone().text()).includes('"code":"csrf_token"')) {
        await ask("GET", where.read);
        response = await ask(method, path, body);
      }
    } catch {
      throw new Problem(0, "unreachable", navigator.onLine ? "The server does not answer. Try again in a moment." : "You are offline.");
    }
    const text = await response.text();
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
}

function csrfToken(cookie: string): Record<string, string> {
  const name = location.protocol === "https:" ? `__Host-${cookie}` : cookie;
  const token = document.cookie
    .split("; ")
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);
  return token ? { "X-CSRF-Token": token } : {};
}
