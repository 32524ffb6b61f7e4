// The table of tasks: one row each, in the order in which they are listed.

import type { Task } from "../task.ts";
import { arcChallenge, arcEasy } from "./arc.ts";
import { boolq } from "./boolq.ts";
import { copa } from "./copa.ts";
import { hellaswag } from "./hellaswag.ts";
import { lambadaOpenai } from "./lambada_openai.ts";
import { lambadaStandard } from "./lambada_standard.ts";
import { openbookqa } from "./openbookqa.ts";
import { piqa } from "./piqa.ts";
import { sciq } from "./sciq.ts";
import { wikitext } from "./wikitext.ts";
import { winogrande } from "./winogrande.ts";

/** Every built-in task by name. */
export const tasks: Readonly<Record<string, Task>> = {
  lambada_openai: lambadaOpenai,
  winogrande,
  hellaswag,
  piqa,
  lambada_standard: lambadaStandard,
  arc_easy: arcEasy,
  arc_challenge: arcChallenge,
  openbookqa,
  sciq,
  boolq,
  copa,
  wikitext,
};
