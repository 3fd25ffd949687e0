/** Why something was refused, in words for the person: the keeper notes a code. One that is not known here is left out. */

/** Why somebody was not let use what is shared. */
const HOLDER: Readonly<Record<string, string>> = {
  // What they hold.
  not_held: "it was shared with somebody else",
  unknown_capability: "your vault does not remember having shared it",
  revoked: "you had stopped sharing it",
  share_ended: "you had stopped sharing it",
  expired: "its time was over",
  not_yet: "one of the two clocks is wrong",
  stale: "it came too late, or one of the two clocks is wrong",
  may_not_share: "it was not to be passed on",
  wider: "what was passed on allowed more than you had shared",
  // What they asked for.
  scope: "they may not do that with it",
  other_resource: "it was for something that you have not shared with them",
  path_refused: "it was for something that you have not shared with them",
  method_refused: "they may not do that with it",
  owner_only: "only you may change that",
  group_only: "it is not shared with a group",
  too_large: "they sent too much at once",
  unknown_tool: "this tool is not allowed",
  unknown_group_resource: "you do not share it with a group any more",
  // How often.
  used_up: "they have used it as often as you allowed",
  too_often: "they asked too often just then",
  paused: "it is paused",
  busy: "too much was asked of your vault at once",
  too_many_calls: "too much was asked of your vault at once",
  replayed: "the same request had come before",
  too_late: "it came after its time",
  too_many_links: "it was passed on too often",
  too_many_shares: "you share as much as a vault can",
  // Who they are now, and what it is now.
  not_in_group: "not both of you are in the group any more",
  group_unknown: "who is in the group could not be looked up",
  holder_unknown: "you do not know the one who was to use it",
  person_gone: "somebody through whom it is shared is not in the organisation any more",
  person_unknown: "who is in the organisation could not be looked up",
  relay_unreachable: "whether it was taken back could not be looked up",
  revocations_unknown: "whether it was taken back is not known for certain",
  other_kind: "the service is not the one that you shared",
  route_changed: "the service was changed in that moment",
  unknown_route: "you have removed the service",
  unknown_secret: "the secret of the service is gone",
  not_allowed: "the secret of the service may not be used",
  tool_changed: "the service describes this tool in another way than when you allowed it",
};

/** The same of codes that no person needs to tell apart: it was not what a Holdfast vault sends. */
const MADE_UP = ["malformed", "not_canonical", "version", "chain", "broken_chain", "bad_signature", "bad_terms", "not_issued_here", "wrong_audience"];

/** Why their agent was not let use a service of theirs. */
const AGENT: Readonly<Record<string, string>> = {
  unknown_route: "you have no such service",
  unknown_secret: "the secret of the service is gone",
  unknown_tool: "you have not allowed this tool",
  not_allowed: "you have not allowed it to use this secret",
  approval_needed: "you have to allow it first, and were asked",
  approval_denied: "you said no",
  approval_expired: "you had not answered in time",
  already_decided: "you had answered already",
  approval_changed: "it is not what you were asked about",
  too_many_approvals: "too much waits for your answer already",
  too_large_to_ask: "it is too much for anybody to read before they answer",
  nobody_second: "a second person has to agree, and you have chosen nobody",
  paused: "it is paused, since there were far more calls than usual",
  method_refused: "it may not do that there",
  path_refused: "it asked for something that does not belong to the service",
  tool_server: "it has to call the tools of this service one by one",
  tool_changed: "the service describes this tool in another way than when you allowed it",
  arguments_invalid: "what it told the tool is not what a tool can be told",
  not_tools: "the service did not answer as it should",
  too_large: "it sent too much at once",
  answer_too_large: "the answer was too large",
  route_changed: "the service was changed in that moment",
  route_invalid: "the call was not one that can be sent",
  unreachable: "the service broke off its answer",
  url_refused: "the address of the service is not one that may be called",
  address_refused: "the address of the service is not one that may be called",
  newer: "the service was connected by a newer version of Holdfast",
  locked: "your vault was locked",
};

function because(code: string | undefined, known: Readonly<Record<string, string>>): string {
  const words = code === undefined ? undefined : known[code];
  return words ? `: ${words}` : "";
}

/** ": you had stopped sharing it", behind what somebody was refused. */
export function holderRefused(code: string | undefined): string {
  if (code !== undefined && MADE_UP.includes(code)) return ": what they showed for it is not genuine";
  return because(code, HOLDER);
}

/** The same of a person's own agent. Keepers of before noted a sentence here, which stays. */
export function agentRefused(why: string | undefined): string {
  return why?.includes(" ") ? `: ${why}` : because(why, AGENT);
}
