/** Which services a secret is put into, in words. */
import type { Inject, Route } from "../channel/messages";

const LIST = new Intl.ListFormat("en", { type: "conjunction" });

export function servicesWith(secret: string, routes: readonly Route[]): Route[] {
  return routes.filter((route) => route.secret === secret);
}

/** Where in a call the secret goes. */
function place(inject: Inject): string {
  switch (inject.as) {
    case "header":
      return `header “${inject.name}”`;
    case "query":
      return `parameter “${inject.name}”`;
    case "basic":
      return "user name and password";
  }
}

/** Where a secret is put in; none while the services are not known. */
export function usedBy(secret: string, routes: readonly Route[] | undefined): string {
  if (!routes) return "";
  const using = servicesWith(secret, routes);
  if (using.length === 0) return "No service uses it";
  return `Used by ${LIST.format(using.map((route) => `“${route.name}” (${place(route.inject)})`))}`;
}

/** What deleting it does to services. */
export function losesOnDelete(secret: string, routes: readonly Route[] | undefined): string {
  if (!routes) return "Services that use it stop working for your agent.";
  const using = servicesWith(secret, routes);
  if (using.length === 0) return "No service uses it.";
  const names = LIST.format(using.map((route) => `“${route.name}”`));
  return using.length === 1 ? `The service ${names} uses it and stops working for your agent.` : `The services ${names} use it and stop working for your agent.`;
}
