/** Base of all elements: light DOM (one style sheet, labels and ids in one tree), and a render that follows the signals it reads. */
import { effect } from "@preact/signals-core";
import { LitElement } from "lit";

export abstract class View extends LitElement {
  #stop: (() => void) | undefined;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override performUpdate(): void {
    if (!this.isUpdatePending) return;
    this.#stop?.();
    let first = true;
    this.#stop = effect(() => {
      if (first) {
        first = false;
        super.performUpdate();
      } else {
        queueMicrotask(() => this.requestUpdate());
      }
    });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.requestUpdate();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
    this.#stop = undefined;
  }
}
