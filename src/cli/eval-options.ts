// What kbit eval is told.

import type { ModelOptions } from "./open-model.ts";

/** Options of `kbit eval`. */
export interface EvalOptions extends ModelOptions {
  readonly text?: string;
  /** Field of the texts in a file of documents. */
  readonly column?: string;
  readonly window?: number;
  readonly stride?: number;
  readonly convention?: string;
  readonly tasks?: string;
  readonly data?: string;
  readonly profile?: string;
  readonly limit?: number;
  readonly output?: string;
  /** Whether scores are kept between runs. */
  readonly cache: boolean;
  readonly json?: boolean;
}
