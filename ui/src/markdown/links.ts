/** Which addresses a message may lead to. */

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** The address if a link may have it: absolute, and http, https or mailto. */
export function safeLink(href: string): string | undefined {
  try {
    const url = new URL(href);
    return SCHEMES.has(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

export function safeImage(href: string): { url: string; host: string } | undefined {
  try {
    const url = new URL(href);
    return url.protocol === "https:" || url.protocol === "http:" ? { url: url.href, host: url.host } : undefined;
  } catch {
    return undefined;
  }
}
