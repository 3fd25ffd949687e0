/** What the operator may do to somebody, with the question before it and the sentence after it. */
import { html, type TemplateResult } from "lit";
import { confirmBox } from "../parts/confirm-box";
import { leftWords, lossWords, stillGoing } from "../parts/loss-words";
import { operator, type Person } from "./api";
import { withToken } from "./fresh";
import { count } from "./format";

export type Act = (what: () => Promise<string | undefined>) => Promise<void>;

export function personActs(person: Person, act: Act): TemplateResult | string {
  if (person.service) return "—";
  return html`<span class="row-acts">
    ${person.sessions > 0 ? html`<button class="button small" type="button" aria-label="Sign out ${person.name}" @click=${() => void act(() => signOut(person))}>Sign out</button>` : ""}
    ${person.suspended
      ? html`<button class="button small" type="button" aria-label="Let back in ${person.name}" @click=${() => void act(() => restore(person))}>Let back in</button>`
      : html`<button class="button small" type="button" aria-label="Suspend ${person.name}" @click=${() => void act(() => suspend(person))}>Suspend</button>`}
  </span>`;
}

async function signOut(person: Person): Promise<string | undefined> {
  const sure = await confirmBox({ title: `Sign ${person.name} out everywhere?`, words: "Their open pages close at once. They may sign in again; their vault stays as it is.", yes: "Sign out" });
  if (!sure) return undefined;
  const { ended } = await operator.signPersonOut(person.id);
  return `${person.name} is signed out: ${count(ended, "session", "sessions")} ended.`;
}

async function suspend(person: Person): Promise<string | undefined> {
  const losses = await withToken(() => operator.personLosses(person.id));
  if (!losses) return undefined;
  const words = `They lose at once: ${lossWords(losses)}. Their cell goes to sleep, and nothing in it is deleted. The admins of their organisation may let them back in.${leftWords(losses)}`;
  if (!(await confirmBox({ title: `Suspend ${person.name}?`, words, yes: "Suspend", danger: true }))) return undefined;
  const lost = await withToken(() => operator.suspendPerson(person.id));
  return lost ? `${person.name} is suspended. Ended: ${lossWords(lost)}.${leftWords(lost)}${stillGoing(lost)}` : undefined;
}

async function restore(person: Person): Promise<string | undefined> {
  const done = await withToken(async () => {
    await operator.restorePerson(person.id);
    return true;
  });
  return done ? `${person.name} may sign in again.` : undefined;
}
