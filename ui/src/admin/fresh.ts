/** Dangerous acts need that the operator showed the token in the last ten minutes: asks for it where that is over, then acts. */
import { html, render } from "lit";
import { Problem } from "../api/http";
import { notice, sentence } from "../parts/form";
import { operator } from "./api";

/** Runs the act; undefined when the operator did not want to show the token. */
export async function withToken<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "step_up_needed") throw error;
  }
  return (await askToken()) ? act() : undefined;
}

function askToken(): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "box";
    dialog.setAttribute("aria-labelledby", "box-title");
    let problem = "";
    let busy = false;
    let done = false;
    const submit = async (event: SubmitEvent): Promise<void> => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      problem = "";
      draw();
      try {
        await operator.stepUp(dialog.querySelector("input")?.value.trim() ?? "");
        done = true;
        dialog.close();
      } catch (error) {
        problem = sentence(error);
      } finally {
        busy = false;
        draw();
      }
    };
    const draw = (): void => {
      render(
        html`<form @submit=${submit}>
          <h2 id="box-title">Show that it is you</h2>
          <p>You last showed the operator’s token more than ten minutes ago. After this, what you asked for goes on.</p>
          <div class="field"><label for="box-token">Operator’s token</label><input id="box-token" type="password" autocomplete="off" spellcheck="false" required></div>
          ${problem ? notice("error", problem) : ""}
          <div class="row end">
            <button class="button" type="button" @click=${() => dialog.close()}>Cancel</button>
            <button class="button primary" ?disabled=${busy}>Continue</button>
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
