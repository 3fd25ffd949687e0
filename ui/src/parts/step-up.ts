/** Dangerous acts need that the person showed who they are in the last ten minutes: asks for a code where that is over, then acts. */
import { html, render } from "lit";
import { api, Problem } from "../api/http";
import { showPasskey } from "../api/passkey";
import { me } from "../app/account";
import { confirmBox } from "./confirm-box";
import { notice, sentence } from "./form";

/** Runs the act; undefined when the person did not want to show who they are. */
export async function withStepUp<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "step_up_needed") throw error;
  }
  return (await stepUp()) ? act() : undefined;
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
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "box";
    dialog.setAttribute("aria-labelledby", "box-title");
    let problem = "";
    let busy = false;
    let done = false;
    const show = async (proof: () => Promise<void>): Promise<void> => {
      if (busy) return;
      busy = true;
      problem = "";
      draw();
      try {
        await proof();
        done = true;
        dialog.close();
      } catch (error) {
        problem = sentence(error);
      } finally {
        busy = false;
        draw();
      }
    };
    const submit = (event: SubmitEvent): void => {
      event.preventDefault();
      void show(() => api.stepUp(dialog.querySelector("input")?.value.trim() ?? ""));
    };
    const usePasskey = (): void => void show(async () => api.stepUpWithPasskey(await showPasskey()));
    const draw = (): void => {
      render(
        html`<form @submit=${submit}>
          <h2 id="box-title">Show that it is you</h2>
          ${passkey ? html`<button class="button primary wide" type="button" ?disabled=${busy} @click=${usePasskey}>Use your passkey</button>` : ""}
          <div class="field">
            <label for="box-code">Code from your authenticator app, or a backup code</label>
            <input id="box-code" inputmode="numeric" autocomplete="one-time-code" autocapitalize="characters" spellcheck="false" maxlength="32" required>
          </div>
          ${problem ? notice("error", problem) : ""}
          <div class="row end">
            <button class="button" type="button" @click=${() => dialog.close()}>Cancel</button>
            <button class="button ${passkey ? "" : "primary"}" ?disabled=${busy}>Continue</button>
          </div>
        </form>`,
        dialog,
      );
    };
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    draw();
    document.body.append(dialog);
    dialog.showModal();
  });
}
