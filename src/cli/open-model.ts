// From what the user wrote after a command to a loaded model, quantized on the way if a spec is given.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { InputError } from "../input-error.ts";
import { roundInputs } from "../kernels/inputs.ts";
import { type ComputeType, type InputType, inputTypes } from "../kernels/kernels.ts";
import { mapFile } from "../kernels/native/addon-node.ts";
import { selectQuantizer } from "../kernels/quantizer-node.ts";
import { selectKernels } from "../kernels/select-node.ts";
import { countBits, countParameters, type ParameterCount } from "../model/count.ts";
import { loadModel } from "../model/load.ts";
import type { Model } from "../model/model.ts";
import { quantizeCheckpoint } from "../model/quantized-view.ts";
import { formatSpec } from "../quantize/spec-text.ts";
import type { BitsCount } from "../result.ts";
import { readSpec } from "./read-spec.ts";

/** Options that commands on a model share. */
export interface ModelOptions {
  /** Spec text; absent: the weights as they are stored. */
  readonly spec?: string;
  /** Name of a kernel set; absent: `KBIT_KERNELS`, or the fastest. */
  readonly kernels?: string;
  /** Type in which products are formed; absent: float32. */
  readonly compute?: ComputeType;
  /** What the inputs of products are rounded to; absent: nothing. */
  readonly inputs?: InputType;
  readonly threads?: number;
  readonly allowNonfinite?: boolean;
}

/** A model that is ready, and what it is. */
export interface OpenModel {
  readonly model: Model;
  readonly checkpoint: Checkpoint;
  /** The checkpoint before `--spec`. */
  readonly stored: Checkpoint;
  /** Canonical spec text; `stored` for weights as they are. */
  readonly spec: string;
  readonly bits: BitsCount;
  readonly parameters: ParameterCount;
  /** Frees the model, its kernels and its files. */
  close(): Promise<void>;
}

/** Opens, quantizes, counts and loads. @throws InputError if model or spec cannot be used */
export async function openModel(pathOrId: string, options: ModelOptions): Promise<OpenModel> {
  const asked = options.spec === undefined ? undefined : readSpec(options.spec);
  const stored = await openCheckpoint(pathOrId, { mapFile });
  const opened: { close(): Promise<void> }[] = [stored];
  const close = async () => {
    for (const resource of opened.splice(0).reverse()) await resource.close();
  };
  try {
    const name = options.kernels ?? process.env["KBIT_KERNELS"];
    const quantizer =
      asked && asked.kind !== "baseline" ? await selectQuantizer({ threads: options.threads, name }) : undefined;
    if (quantizer) opened.push(quantizer);
    const { allowNonfinite } = options;
    const checkpoint = asked
      ? quantizeCheckpoint(stored, asked, { allowNonfinite, quantize: quantizer?.quantize })
      : stored;
    const parameters = countParameters(checkpoint);
    const selected = await selectKernels({ name, threads: options.threads, computeType: options.compute });
    opened.push(selected);
    const kernels = options.inputs ? roundInputs(selected, options.inputs) : selected;
    const model = await loadModel(checkpoint, kernels, { allowNonfinite });
    opened.push(model);
    const bits = await countBits(checkpoint); // after loading: by then the view knows the size of every codebook
    const spec = checkpoint.spec ? formatSpec(checkpoint.spec) : "stored";
    return { model, checkpoint, stored, spec, bits, parameters, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A whole number of at least 1 from the command line. @throws InputError otherwise */
export function parseWhole(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= 1) return value;
    throw new InputError(`${option} takes a whole number of at least 1, not "${text}".`);
  };
}

/** A compute type from the command line. @throws InputError otherwise */
export function parseCompute(text: string): ComputeType {
  if (text === "float32" || text === "bfloat16") return text;
  throw new InputError(`--compute takes float32 or bfloat16, not "${text}".`);
}

/** What inputs are rounded to, from the command line. @throws InputError otherwise */
export function parseInputs(text: string): InputType {
  const type = inputTypes.find((name) => name === text);
  if (type) return type;
  throw new InputError(`--inputs takes ${inputTypes.join(", ")}, not "${text}".`);
}
