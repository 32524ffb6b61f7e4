// A remark for those who wonder why a model at 4 bits is no smaller: what a spec leaves alone stays as wide as it was.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { describeDecoder } from "../model/architectures/index.ts";
import type { ParameterCount } from "../model/count.ts";
import { listMatrices } from "../model/matrices.ts";
import { planQuantization } from "../model/plan.ts";
import type { BitsCount } from "../result.ts";

/** A tenth of the model's bits: below that it does not matter how wide the rest is. */
const smallShare = 0.1;

/** A sentence if a large part of a quantized model is in 32 bits or more, since it is stored so; else undefined. */
export function describeWideRest(
  view: Checkpoint,
  bits: BitsCount,
  { parameters }: ParameterCount,
): string | undefined {
  const { spec } = view;
  if (!spec || spec.kind === "baseline") return undefined;
  const decoder = describeDecoder(view.config, view.tensors, view.source);
  const plan = new Map(planQuantization(view, spec, listMatrices(decoder)).map((matrix) => [matrix.role.name, matrix]));
  let wide = 0;
  const parts = new Set<string>();
  for (const { name, type, shape } of view.tensors.values()) {
    const matrix = plan.get(name);
    if (decoder.unused.has(name) || matrix?.isQuantized || (type !== "F32" && type !== "F64")) continue;
    wide += (type === "F32" ? 32 : 64) * shape.reduce((product, length) => product * length, 1);
    if (matrix?.role.part === "embedding" || matrix?.role.part === "head") parts.add(matrix.role.part);
  }
  if (wide < smallShare * bits.total) return undefined;
  const what = [...[...parts].sort(), "norms and biases"].join(", ");
  const options = spec.kind === "mix" ? [] : [!spec.embed && "embed", !spec.head && "head"].filter(Boolean);
  const advice =
    parts.size === 0 || options.length === 0 ? "" : `; add :${options.join(":")} to the spec to quantize more of it`;
  const density = (bits.total / parameters).toFixed(1);
  const share = Math.round((100 * wide) / bits.total);
  return `The model takes ${density} bits a parameter, since ${what} stay as stored (float32), ${share} % of its bits${advice}.`;
}
