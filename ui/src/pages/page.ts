/** Base of the pages that are one form: they keep what went wrong and that they are busy. */
import { state } from "lit/decorators.js";
import { View } from "../app/view";
import { sentence } from "../parts/form";

export abstract class FormPage extends View {
  @state() protected busy = false;
  @state() protected problem = "";

  /** Runs the form's work once at a time and shows its failure. */
  protected async work(action: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.problem = "";
    try {
      await action();
    } catch (error) {
      this.problem = sentence(error);
    } finally {
      this.busy = false;
    }
  }
}
