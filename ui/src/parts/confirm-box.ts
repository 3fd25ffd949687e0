/** A question in a dialog, answered with yes or no; focus returns to where it was. */
import { html, render } from "lit";

export interface Question {
  title: string;
  words: string;
  yes: string;
  no?: string;
  danger?: boolean;
}

/** Shows a dialog until it is closed; gives the value of the button that was pressed, and what was typed where something can be. */
function asked(title: string, content: unknown, buttons: (dialog: HTMLDialogElement) => unknown, focused: (field: HTMLInputElement) => void = () => undefined): Promise<{ answer: string; text: string }> {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "box";
    dialog.setAttribute("aria-labelledby", "box-title");
    render(
      html`<form method="dialog">
        <h2 id="box-title">${title}</h2>
        ${content}
        <div class="row end">${buttons(dialog)}</div>
      </form>`,
      dialog,
    );
    const field = dialog.querySelector("input");
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve({ answer: dialog.returnValue, text: field?.value.trim() ?? "" });
    });
    document.body.append(dialog);
    dialog.showModal();
    if (field) focused(field);
  });
}

export async function confirmBox({ title, words, yes, no = "Cancel", danger = false }: Question): Promise<boolean> {
  const buttons = () => html`<button class="button" value="no">${no}</button>
    <button class="button ${danger ? "danger" : "primary"}" value="yes">${yes}</button>`;
  return (await asked(title, html`<p>${words}</p>`, buttons)).answer === "yes";
}

/** More than one way to go on, the first of them before the others: the value of the one that was chosen. */
export async function choiceBox(title: string, words: string, choices: readonly { value: string; label: string }[]): Promise<string | undefined> {
  const buttons = () => html`<button class="button" value="">Cancel</button>${choices.map(({ value, label }, place) => html`<button class="button ${place === 0 ? "primary" : ""}" value=${value}>${label}</button>`)}`;
  return (await asked(title, html`<p>${words}</p>`, buttons)).answer || undefined;
}

/** Where Enter in the field means yes. */
function cancel(dialog: HTMLDialogElement): unknown {
  return html`<button class="button" type="button" @click=${() => dialog.close("")}>Cancel</button>`;
}

export async function askText(title: string, label: string, value: string, maxlength: number): Promise<string | undefined> {
  const content = html`<div class="field"><label for="box-text">${label}</label><input id="box-text" .value=${value} maxlength=${maxlength} autocomplete="off" required></div>`;
  const buttons = (dialog: HTMLDialogElement) => html`${cancel(dialog)}<button class="button primary" value="yes">Save</button>`;
  const { answer, text } = await asked(title, content, buttons, (field) => field.select());
  return answer === "yes" && text !== "" ? text : undefined;
}

export interface TypedQuestion {
  title: string;
  content: unknown;
  /** What has to be typed before the answer can be yes. */
  expected: string;
  yes: string;
}

/** A question about what cannot be undone: yes only for who has typed the name of what it is about. */
export async function typedBox({ title, content, expected, yes }: TypedQuestion): Promise<boolean> {
  const typed = ({ target }: InputEvent): void => {
    const field = target as HTMLInputElement;
    const button = field.form?.querySelector<HTMLButtonElement>("button[value=yes]");
    if (button) button.disabled = field.value.trim() !== expected;
  };
  const field = html`<div class="field"><label for="box-text">Type <strong>${expected}</strong> to go on</label><input id="box-text" autocomplete="off" autocapitalize="none" spellcheck="false" @input=${typed}></div>`;
  const buttons = (dialog: HTMLDialogElement) => html`${cancel(dialog)}<button class="button danger" value="yes" disabled>${yes}</button>`;
  return (await asked(title, html`${content}${field}`, buttons, (into) => into.focus())).answer === "yes";
}
