/** A dialog that asks somebody to show who they are, says what is wrong with what they showed, and asks again. */
import { html, render, type TemplateResult } from "lit";
import { Problem } from "../api/request";
import { notice, sentence } from "./form";

/** Shows a proof that is not typed. */
type Show = (proof: () => Promise<void>) => void;

/**
 * Whether they showed it. `fields` draws what is asked for, with one input whose text `proof` gets when the form is sent; `main` says that
 * sending it is the first way to go on.
 */
export function proofDialog(proof: (typed: string) => Promise<void>, fields: (busy: boolean, show: Show) => TemplateResult, main: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "box";
    dialog.setAttribute("aria-labelledby", "box-title");
    let problem = "";
    let busy = false;
    let done = false;
    const run = async (shown: () => Promise<void>): Promise<void> => {
      if (busy) return;
      busy = true;
      problem = "";
      draw();
      try {
        await shown();
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
      void run(() => proof(dialog.querySelector("input")?.value.trim() ?? ""));
    };
    const draw = (): void => {
      render(
        html`<form @submit=${submit}>
          <h2 id="box-title">Show that it is you</h2>
          ${fields(busy, (other) => void run(other))}
          ${problem ? notice("error", problem) : ""}
          <div class="row end">
            <button class="button" type="button" @click=${() => dialog.close()}>Cancel</button>
            <button class="button ${main ? "primary" : ""}" ?disabled=${busy}>Continue</button>
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

/** Runs the act; where the server says that the last proof is too old, asks for one, then acts. Undefined when none was shown. */
export async function withProof<T>(act: () => Promise<T>, prove: () => Promise<boolean>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "step_up_needed") throw error;
  }
  return (await prove()) ? act() : undefined;
}
