// The page of a model: what each tensor is for, whether a spec quantizes it and why, and what that does to it.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { describeDecoder } from "../model/architectures/index.ts";
import { checkTensors } from "../model/check-tensors.ts";
import { countBits, countParameters, countStoredBytes, type ParameterCount } from "../model/count.ts";
import { type PlannedMatrix, planQuantization } from "../model/plan.ts";
import { quantizeCheckpoint, type ViewOptions } from "../model/quantized-view.ts";
import { measureError } from "../quantize/error.ts";
import { unpackCodes } from "../quantize/pack.ts";
import { dequantize, quantize } from "../quantize/quantize.ts";
import { isQuantized, type QuantizedTensor } from "../quantize/quantized.ts";
import type { Spec } from "../quantize/spec.ts";
import { formatSpec, parseSpec } from "../quantize/spec-text.ts";
import type { BitsCount } from "../result.ts";
import { toFloat32 } from "../tensor/convert.ts";
import type { TensorHeader } from "../tensor/tensor.ts";
import { describeWideRest } from "./wide-note.ts";

/** A tensor of a model, and what a spec does to it. */
export interface TensorFacts {
  readonly name: string;
  /** `(out, in)` for matrices. */
  readonly shape: readonly number[];
  /** Storage type in the checkpoint: `F16`, ..; of a matrix that is packed there the data type, as `nf4`. */
  readonly type: string;
  /** `attention`, `ffn`, ..; vectors have none. */
  readonly part: string | null;
  readonly operation: string;
  readonly layer: number;
  readonly quantized: boolean;
  readonly reason: string;
  /** Bits of tensor data. */
  readonly bits: number;
  /** Of a mix: the spec that falls to it, if it is quantized. */
  readonly spec?: string;
  /** Quantized tensors only. Null where the original weights are not known. */
  readonly normalizedMse?: number | null;
  readonly maxError?: number | null;
  readonly codesUsed?: number;
  readonly entropy?: number;
  readonly outlierColumns?: readonly number[];
}

/** What `kbit inspect MODEL --json` prints. */
export interface ModelPage extends ParameterCount {
  readonly model: string;
  readonly architecture: string;
  /** Canonical text; `stored` without a spec. */
  readonly spec: string;
  readonly fileBytes: number;
  readonly bits: BitsCount;
  readonly totalModelBits: number;
  readonly bitsPerParameter: number;
  /** What is odd about its size. */
  readonly warning: string | null;
  /** Of all quantized weights together; null where the original weights are not known. */
  readonly normalizedMse?: number | null;
  /** How often each code occurs; `codebook` is that of the first tensor where each has its own; a mix has no such count. */
  readonly histogram?: { readonly codebook: readonly number[]; readonly counts: readonly number[] };
  readonly tensors: readonly TensorFacts[];
}

/** By which a model without a spec shows what would be quantized. */
const exampleSpec = "int4:b64";

/** How a model is inspected. */
export interface DescribeOptions extends ViewOptions {
  readonly onProgress?: (name: string, done: number, total: number) => void;
}

/** What quantizing shows of a matrix. */
interface Measured {
  readonly facts: Partial<TensorFacts>;
  readonly energy: number;
}

/** Describes a model; with a spec every matrix is quantized and measured, without one nothing but headers is read. */
export async function describeModel(
  checkpoint: Checkpoint,
  spec: Spec | undefined,
  options: DescribeOptions,
): Promise<ModelPage> {
  const measured = new Map<string, Measured>();
  const histogram: { codebook: readonly number[]; counts: number[] } = { codebook: [], counts: [] };
  const isMix = (checkpoint.spec ?? spec)?.kind === "mix";
  const measure = (weights: Float32Array | undefined, q: QuantizedTensor) => {
    measured.set(q.name, measureMatrix(weights, q));
    if (!isMix) addCodes(histogram, q);
  };
  const view = spec
    ? quantizeCheckpoint(checkpoint, spec, {
        ...options,
        async quantize(tensor, shape, quantizedSpec, quantizeOptions) {
          const weights = toFloat32(tensor);
          const q = options.quantize
            ? await options.quantize(tensor, shape, quantizedSpec, quantizeOptions)
            : quantize(weights, shape, quantizedSpec, quantizeOptions);
          measure(weights, q);
          return q;
        },
      })
    : checkpoint;
  const { tensors, unused } = describeDecoder(view.config, view.tensors, view.source);
  checkTensors(view, tensors, unused);
  const plan = planQuantization(view, view.spec ?? parseSpec(exampleSpec));
  const willMeasure = view.spec ? plan.filter(({ isQuantized }) => isQuantized) : [];
  for (const [i, { role }] of willMeasure.entries()) {
    options.onProgress?.(role.name, i, willMeasure.length);
    const weight = await view.read(role.name);
    if (isQuantized(weight) && !measured.has(role.name)) measure(undefined, weight);
  }
  const parameters = countParameters(view);
  const bits = await countBits(view);
  return {
    model: checkpoint.source,
    architecture: String(checkpoint.config.model_type),
    spec: view.spec ? formatSpec(view.spec) : "stored",
    ...parameters,
    fileBytes: checkpoint.fileBytes,
    bits,
    totalModelBits: bits.total,
    bitsPerParameter: bits.total / parameters.parameters,
    warning: describeWideRest(view, bits, parameters) ?? null,
    ...(measured.size > 0 && { normalizedMse: averageMse(measured), ...(!isMix && { histogram }) }),
    tensors: await listTensors(view, plan, unused, measured, checkpoint.spec !== undefined),
  };
}

function measureMatrix(weights: Float32Array | undefined, q: QuantizedTensor): Measured {
  const { normalizedMse, maxError, codesUsed, entropy } = measureError(weights ?? dequantize(q), q);
  const error = weights ? { normalizedMse, maxError } : { normalizedMse: null, maxError: null };
  let energy = 0;
  for (const weight of weights ?? []) if (Number.isFinite(weight)) energy += weight * weight;
  return { facts: { ...error, codesUsed, entropy, outlierColumns: Array.from(q.outliers?.columns ?? []) }, energy };
}

function addCodes(histogram: { codebook: readonly number[]; counts: number[] }, q: QuantizedTensor): void {
  if (histogram.codebook.length === 0) histogram.codebook = Array.from(q.codebook);
  while (histogram.counts.length < q.codebook.length) histogram.counts.push(0);
  const isOutlier = new Uint8Array(q.shape[1]);
  for (const column of q.outliers?.columns ?? []) isOutlier[column] = 1;
  const codes = unpackCodes(q.codes, q.spec.bits, q.shape[0] * q.shape[1]);
  for (let i = 0; i < codes.length; i++) if (!isOutlier[i % q.shape[1]]) histogram.counts[codes[i]]++;
}

/** `sum |w - w'|^2 / sum |w|^2` over all matrices. */
function averageMse(measured: ReadonlyMap<string, Measured>): number | null {
  let [energy, error] = [0, 0];
  for (const { facts, energy: own } of measured.values()) {
    if (facts.normalizedMse == null) return null;
    energy += own;
    error += facts.normalizedMse * own;
  }
  return energy === 0 ? 0 : error / energy;
}

async function listTensors(
  view: Checkpoint,
  plan: readonly PlannedMatrix[],
  unused: ReadonlySet<string>,
  measured: ReadonlyMap<string, Measured>,
  isPacked: boolean,
): Promise<TensorFacts[]> {
  const matrices = new Map(plan.map((matrix) => [matrix.role.name, matrix]));
  const describe = async (header: TensorHeader): Promise<TensorFacts> => {
    const matrix = matrices.get(header.name);
    return {
      name: header.name,
      shape: matrix?.shape ?? header.shape,
      type: isPacked && matrix?.isQuantized ? formatSpec(matrix.spec).split(":")[0] : header.type,
      part: matrix?.role.part ?? null,
      operation: matrix?.role.operation ?? "",
      layer: matrix?.role.layer ?? -1,
      quantized: matrix?.isQuantized ?? false,
      reason:
        matrix?.reason ?? (unused.has(header.name) ? "not needed: a mask, or the copy of a tied head" : "norm or bias"),
      bits: 8 * (await countStoredBytes(view, header.name)),
      ...(view.spec?.kind === "mix" && matrix?.isQuantized && { spec: formatSpec(matrix.spec) }),
      ...measured.get(header.name)?.facts,
    };
  };
  const facts: TensorFacts[] = [];
  for (const header of view.tensors.values()) facts.push(await describe(header));
  return facts;
}
