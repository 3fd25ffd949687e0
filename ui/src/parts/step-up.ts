/** Dangerous acts need that the person showed who they are in the last ten minutes: asks for a code where that is over, then acts. */
import { html } from "lit";
import { api, type ProviderButton } from "../api/http";
import { showPasskey } from "../api/passkey";
import { me } from "../app/account";
import { keepWayBack } from "../app/way-back";
import { choiceBox, confirmBox } from "./confirm-box";
import { proofDialog, withProof } from "./proof-dialog";
import { leaveFor } from "./provider-words";

/** Runs the act; undefined when the person did not want to show who they are. */
export function withStepUp<T>(act: () => Promise<T>): Promise<T | undefined> {
  return withProof(act, stepUp);
}

async function stepUp(): Promise<boolean> {
  const { authenticator, passkeys } = await api.factors();
  if (passkeys.length === 0) return authenticator ? askCode(false) : signInAgain();
  return askCode(true);
}

/** Without a second factor, a link in the mail shows it, or another site that asks them and says when it did. */
async function signInAgain(): Promise<boolean> {
  const email = me()?.user.email ?? "";
  const sites = await sitesThatSay();
  const other = sites.length === 0 ? "" : " Or sign in with another site, which asks you who you are, and come back here.";
  const choices = [{ value: MAIL, label: "Send me a link" }, ...sites.map((each) => ({ value: each.id, label: `Sign in with ${each.name}` }))];
  const words = `This needs a sign-in of the last ten minutes in which you showed who you are. We send a link to ${email}; open it in this browser, then do this again.${other}`;
  const chosen = await choiceBox("Show that it is you", words, choices);
  if (chosen === MAIL) {
    await api.signIn(email);
    await confirmBox({ title: "Look in your mail", words: "Open the link in this browser. Then come back and try again.", yes: "OK", no: "Close" });
  } else if (chosen !== undefined) {
    keepWayBack();
    leaveFor((await api.beginWithProvider(chosen, true)).url);
  }
  return false;
}

/** What stands for the mail among the ids of sites. */
const MAIL = "mail";

/** Sites at which they have an account, and that can be asked to say when they asked. Google and GitHub cannot. */
async function sitesThatSay(): Promise<ProviderButton[]> {
  const { accounts, providers } = await api.accounts();
  return providers.filter((each) => (each.kind === "oidc" || each.kind === "microsoft") && accounts.some((account) => account.provider === each.name));
}

/** A code, or a passkey for who has one. */
function askCode(passkey: boolean): Promise<boolean> {
  return proofDialog(
    (code) => api.stepUp(code),
    (busy, show) => html`${passkey
        ? html`<button class="button primary wide" type="button" ?disabled=${busy} @click=${() => show(async () => api.stepUpWithPasskey(await showPasskey()))}>Use your passkey</button>`
        : ""}
      <div class="field">
        <label for="box-code">Code from your authenticator app, or a backup code</label>
        <input id="box-code" inputmode="numeric" autocomplete="one-time-code" autocapitalize="characters" spellcheck="false" maxlength="32" required>
      </div>`,
    !passkey,
  );
}
