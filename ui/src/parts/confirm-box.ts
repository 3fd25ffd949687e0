/** A question in a dialog, answered with yes or no; focus returns to where it was. */
import { html, render } from "lit";

export interface Question {
  title: string;
  words: string;
  yes: string;
  no?: string;
  danger?: boolean;
}

export function confirmBox({ title, words, yes, no = "Cancel", danger = false }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "box";
    dialog.setAttribute("aria-labelledby", "box-title");
    render(
      html`<form method="dialog">
        <h2 id="box-title">${title}</h2>
        <p>${words}</p>
        <div class="row end">
          <button class="button" value="no">${no}</button>
          <button class="button ${danger ? "danger" : "primary"}" value="yes">${yes}</button>
        </div>
      </form>`,
      dialog,
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function askText(title: string, label: string, value: string, maxlength: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "box";
    dialog.setAttribute("aria-labelledby", "box-title");
    render(
      html`<form method="dialog">
        <h2 id="box-title">${title}</h2>
        <div class="field"><label for="box-text">${label}</label><input id="box-text" .value=${value} maxlength=${maxlength} autocomplete="off" required></div>
        <div class="row end">
          <button class="button" type="button" @click=${() => dialog.close("")}>Cancel</button>
          <button class="button primary" value="yes">Save</button>
        </div>
      </form>`,
      dialog,
    );
    dialog.addEventListener("close", () => {
      const text = dialog.querySelector("input")?.value.trim() ?? "";
      dialog.remove();
      resolve(dialog.returnValue === "yes" && text !== "" ? text : undefined);
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("input")?.select();
  });
}

export interface TypedQuestion {
  title: string;
  content: unknown;
  /** What has to be typed before the answer can be yes. */
  expected: string;
  yes: string;
}

/** A question about what cannot be undone: yes only for who has typed the name of what it is about. */
export function typedBox({ title, content, expected, yes }: TypedQuestion): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "box";
    dialog.setAttribute("aria-labelledby", "box-title");
    const typed = (event: InputEvent): void => {
      const button = dialog.querySelector<HTMLButtonElement>("button[value=yes]");
      if (button) button.disabled = (event.target as HTMLInputElement).value.trim() !== expected;
    };
    render(
      html`<form method="dialog">
        <h2 id="box-title">${title}</h2>
        ${content}
        <div class="field"><label for="box-text">Type <strong>${expected}</strong> to go on</label><input id="box-text" autocomplete="off" autocapitalize="none" spellcheck="false" @input=${typed}></div>
        <div class="row end">
          <button class="button" type="button" @click=${() => dialog.close("")}>Cancel</button>
          <button class="button danger" value="yes" disabled>${yes}</button>
        </div>
      </form>`,
      dialog,
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("input")?.focus();
  });
}
