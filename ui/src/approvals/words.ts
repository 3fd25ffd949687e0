/** What is asked for, as a sentence: first what it comes to, then where. */
import type { Approval, ApprovalAction, ApprovalPattern, AskedAsSecond } from "../channel/messages";

const DOING: Record<string, string> = { POST: "send something to", PUT: "replace something at", PATCH: "change something at", DELETE: "delete something at" };
/** What else a service may take for a change; which it is stands in the request. */
const OTHERWISE = "do something unusual at";

const SCOPES: Record<string, string> = { read: "read it", list: "see what is there", write: "change it", delete: "delete in it", admin: "manage it", share: "pass it on" };

/** "read it and change it" */
export function scopeWords(scope: readonly string[]): string {
  const words = scope.map((each) => SCOPES[each] ?? each);
  return words.length < 2 ? (words[0] ?? "nothing") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** The service's name and path out of `service/<name>/<path>`. */
export function resourceWords(resource: string): string {
  const [, name = "", ...path] = resource.split("/");
  return path.length > 0 ? `${name} (only /${path.join("/")})` : name;
}

/** With its year where that is not this one: who typed a wrong year is to see it. */
export function dayWords(at: number): string {
  const then = new Date(at);
  const year = then.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return then.toLocaleString(undefined, { weekday: "long", day: "numeric", month: "long", year, hour: "2-digit", minute: "2-digit" });
}

export function approvalWords(action: ApprovalAction, whose = "Your agent"): string {
  switch (action.kind) {
    case "call_service":
      return `${whose} wants to ${DOING[action.method] ?? OTHERWISE} ${action.service}.`;
    case "run_command":
      return `${whose} wants to run a command on its computer.`;
    case "share":
      return `${whose} wants to share ${resourceWords(action.resource)} with ${action.name}, who could ${scopeWords(action.scope)}, until ${dayWords(action.until)}.`;
    case "call_shared": {
      const [doing, to] = [DOING[action.method] ?? OTHERWISE, whose === "Your agent" ? "you" : "them"];
      if (action.of) return `${whose} wants to ${doing} ${action.service} of ${action.of.name ?? "somebody whom you do not know"}, which ${action.name} passed on to ${to}.`;
      return `${whose} wants to ${doing} ${action.service}, which ${action.name} shares with ${to}.`;
    }
    case "ask_for_share":
      return `${whose} wants to ask ${action.name} to share something.`;
  }
}

export function ruleWords(pattern: ApprovalPattern): string {
  if (pattern.kind === "run_command") return `Run exactly this command: ${pattern.command}`;
  return `${(DOING[pattern.method] ?? OTHERWISE).replace(/^./, (letter) => letter.toUpperCase())} ${pattern.service}, at ${pattern.path || "/"}`;
}

/** Whether a rule is of an earlier version, which did not say whose account it is for: it is good for nothing. */
export function saysNoAccount(pattern: ApprovalPattern): boolean {
  return pattern.kind === "call_service" && pattern.secret === undefined;
}

/** What a person should see before they answer, all of it. */
export function details(action: ApprovalAction): readonly (readonly [string, string])[] {
  return parts(action).map(([name, value]) => [name, seen(value)] as const);
}

/** The same for a second person. */
export function secondDetails(asked: AskedAsSecond): readonly (readonly [string, string])[] {
  const { action, receiver } = asked;
  const isStranger = action.kind === "share" && !receiver?.me && !receiver?.name;
  const stranger: readonly (readonly [string, string])[] = isStranger ? [["Digits of whom you do not know", receiver?.fingerprint ?? action.holder], [`What ${asked.name} calls them`, action.name]] : [];
  return [...details(asSecond(asked)), ...stranger.map(([name, value]) => [name, seen(value)] as const)];
}

/** What somebody wants, for a second person: whom they share with, and whose it is, is who has the key, whatever whoever asks calls them. */
export function asSecond({ action, receiver }: Pick<AskedAsSecond, "action" | "receiver">): ApprovalAction {
  if (action.kind === "call_shared" && action.of) return { ...action, of: { ...action.of, name: receiver?.me ? "you" : (receiver?.name ?? null), fingerprint: receiver?.fingerprint ?? action.of.keys } };
  if (action.kind !== "share") return action;
  return { ...action, name: receiver?.me ? "you" : (receiver?.name ?? "somebody whom you do not know") };
}

/** What somebody has to hear whose agent did something without their word; empty where all was well. */
export function elsewhereWords({ elsewhere, state }: Pick<Approval, "elsewhere" | "state">): string {
  if (!elsewhere) return "";
  return `A command ran that you had ${state === "denied" ? "refused" : "not yet decided about"}: something inside your agent’s cell allowed it.`;
}

/** "Anna agreed: your agent wants …" */
export function secondedWords({ action, seconded }: Pick<Approval, "action" | "seconded">): string {
  return seconded ? `${seconded.name} ${seconded.allowed ? "agreed" : "refused"}: ${approvalWords(action)}` : "";
}

function parts(action: ApprovalAction): readonly (readonly [string, string])[] {
  switch (action.kind) {
    case "call_service": {
      const rows: [string, string][] = [
        ["Request", `${action.method} ${action.base_url}${action.path}${action.query ? `?${action.query}` : ""}`],
        ["Sent beside it", action.headers.map(([name, value]) => `${name}: ${value}`).join("\n")],
        [action.body_is_text ? "Content" : "Content (not text)", laidOut(action.body)],
      ];
      return rows.filter(([, value]) => value !== "");
    }
    case "run_command": {
      const rows: [string, string][] = [
        ["Command", action.command],
        ["In the folder", action.folder],
        ["Program", action.program ?? ""],
        ["Where", action.host ?? ""],
        ["With the variables", action.variables?.join(", ") ?? ""],
        ["OpenClaw warns", action.warning ?? ""],
      ];
      return rows.filter(([, value]) => value !== "");
    }
    case "share":
      return [["What", resourceWords(action.resource)], ["With whom", action.name], ["They may", scopeWords(action.scope)], ["Until", dayWords(action.until)], ["How often", action.constraints.max_calls ? `${action.constraints.max_calls} times in all` : "without a limit"]];
    case "call_shared": {
      const rows: [string, string][] = [
        ["Whose", action.of ? (action.of.name ?? `Somebody whom you do not know, with the digits ${action.of.fingerprint}`) : action.name],
        ["Passed on by", action.of ? action.name : ""],
        ["Request", `${action.method} ${action.service}${action.path}${action.query ? `?${action.query}` : ""}`],
        ["Kind of content", action.content_type],
        ["Content", laidOut(action.body)],
      ];
      return rows.filter(([, value]) => value !== "");
    }
    case "ask_for_share":
      return [["Whom", action.name], ["Words", action.words]];
  }
}

/** JSON is laid out where that changes nothing but white space: a key that is there twice, or a number that is rounded, stays as it is sent. */
export function laidOut(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || JSON.stringify(value) !== text.replaceAll(SPACE_OF_JSON, "$1")) return text;
    return JSON.stringify(value, null, 2);
  } catch {
    return text;
  }
}

/** A string of JSON, which is kept, or white space between. */
const SPACE_OF_JSON = /("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g;

/** Letters that nobody sees are written out: what is allowed is what is seen. Those that join letters of some scripts, and emoji, stay. */
export function seen(text: string): string {
  return text.replaceAll(UNSEEN, (letter) => `\\u{${letter.codePointAt(0)?.toString(16) ?? ""}}`);
}

/** As the keeper's `is_unseen`, and control characters but the tab and the end of a line. */
const UNSEEN =
  /[\u{0}-\u{8}\u{b}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180e}\u{200b}\u{200e}\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{3164}\u{fe00}-\u{fe0e}\u{feff}\u{ffa0}\u{fff0}-\u{fffb}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** "4 min" or "40 s" */
export function leftWords(until: number, now: number): string {
  const seconds = Math.max(0, Math.ceil((until - now) / 1000));
  if (seconds >= 2 * 60 * 60) return `${Math.round(seconds / 60 / 60)} h`;
  return seconds >= 90 ? `${Math.round(seconds / 60)} min` : `${seconds} s`;
}
