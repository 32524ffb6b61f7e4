// Where a labelled answer stands among the choices.

import { InputError } from "../../input-error.ts";
import { showValue } from "../documents.ts";

/** Index of the right choice. @throws InputError if no choice has that label */
export function findLabel(labels: readonly string[], answer: string): number {
  const index = labels.indexOf(answer);
  if (index < 0) {
    throw new InputError(`its answer ${showValue(answer)} is none of the labels ${labels.map(showValue).join(", ")}`);
  }
  return index;
}
