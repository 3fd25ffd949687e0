/** Dangerous acts need that the operator showed the token in the last ten minutes: asks for it where that is over, then acts. */
import { html } from "lit";
import { proofDialog, withProof } from "../parts/proof-dialog";
import { operator } from "./api";

/** Runs the act; undefined when the operator did not want to show the token. */
export function withToken<T>(act: () => Promise<T>): Promise<T | undefined> {
  return withProof(act, askToken);
}

function askToken(): Promise<boolean> {
  return proofDialog(
    (token) => operator.stepUp(token),
    () => html`<p>You last showed the operator’s token more than ten minutes ago. After this, what you asked for goes on.</p>
      <div class="field"><label for="box-token">Operator’s token</label><input id="box-token" type="password" autocomplete="off" spellcheck="false" required></div>`,
    true,
  );
}
