/** What somebody loses is named, as far as the server names it, and counted. */
import { expect, it } from "vitest";
import { lossWords } from "../src/parts/loss-words";

it("says which sign-ins, groups and keys, and how many more there are", () => {
  const none = { sign_in_links: 0, invitations: 0, second_factors: 0, linked_accounts: 0, push_devices: 0, alerts: 0, service_keys_left: 0, destinations_left: 0, cell: "asleep" };
  const named = { sessions: ["Chrome on Windows", ""], groups: ["Sales"], api_keys: [{ name: "laptop", hint: "hf_ab12" }] };
  expect(lossWords({ ...none, sessions: 3, groups: 1, api_keys: 1, named })).toBe(
    "3 sign-ins (Chrome on Windows, a device that is not known, 1 more), 1 place in a group (Sales), 1 API key (“laptop”, hf_ab12…), whatever they share and is shared with them, the use of their agent",
  );
  expect(lossWords({ ...none, sessions: 0, groups: 0, api_keys: 0, named: { sessions: [], groups: [], api_keys: [] } })).toBe("whatever they share and is shared with them, the use of their agent");
  expect(lossWords({ ...none, linked_accounts: 1, push_devices: 2, sessions: 0, groups: 0, api_keys: 0, named: { sessions: [], groups: [], api_keys: [] } })).toBe(
    "1 account elsewhere that they sign in with, 2 devices that are told what waits for them, whatever they share and is shared with them, the use of their agent",
  );
});
