/** Dangerous acts need that the person showed who they are in the last ten minutes: asks for a code where that is over, then acts. */
import { html } from "lit";
import { api } from "../api/http";
import { showPasskey } from "../api/passkey";
import { me } from "../app/account";
import { confirmBox } from "./confirm-box";
import { proofDialog, withProof } from "./proof-dialog";

/** Runs the act; undefined when the person did not want to show who they are. */
export function withStepUp<T>(act: () => Promise<T>): Promise<T | undefined> {
  return withProof(act, stepUp);
}

async function stepUp(): Promise<boolean> {
  const { authenticator, passkeys } = await api.factors();
  if (passkeys.length === 0) return authenticator ? askCode(false) : signInAgain();
  return askCode(true);
}

/** Without an authenticator, a link in the mail shows it. */
async function signInAgain(): Promise<boolean> {
  const email = me()?.user.email ?? "";
  const sure = await confirmBox({
    title: "Show that it is you",
    words: `This needs a sign-in of the last ten minutes. We send a link to ${email}; open it in this browser, then do this again.`,
    yes: "Send me a link",
  });
  if (sure) {
    await api.signIn(email);
    await confirmBox({ title: "Look in your mail", words: "Open the link in this browser. Then come back and try again.", yes: "OK", no: "Close" });
  }
  return false;
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
