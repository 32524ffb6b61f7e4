// A checkpoint at a spec without a file: each weight is quantized, or rounded to the baseline's width, when it is read,
// so that loading, counting and writing are the same for every spec and hold one tensor at a time.

import type { Checkpoint, StoredParts } from "../checkpoint/checkpoint.ts";
import { describePacked } from "../checkpoint/packed-layout.ts";
import { InputError } from "../input-error.ts";
import { dataTypes } from "../quantize/data-types.ts";
import { type QuantizeOptions, quantize } from "../quantize/quantize.ts";
import { isQuantized, type QuantizedTensor } from "../quantize/quantized.ts";
import type { BaselineSpec, QuantizedSpec, Spec } from "../quantize/spec.ts";
import { formatSpec } from "../quantize/spec-text.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { isFloating, type StorageType, type Tensor, type TensorHeader } from "../tensor/tensor.ts";
import { describeDecoder } from "./architectures/index.ts";
import { checkTensors } from "./check-tensors.ts";
import { listMatrices } from "./matrices.ts";
import { refuseNonfinite } from "./nonfinite.ts";
import { orientMatrix } from "./orient.ts";
import { countOutliers, createOutlierFinder } from "./outlier-columns.ts";
import { type PlannedMatrix, planQuantization } from "./plan.ts";

/** What a view may be told besides the spec. */
export interface ViewOptions {
  /** Quantizes NaN and infinite weights as 0 instead of refusing them; unquantized weights keep them. */
  readonly allowNonfinite?: boolean;
  /** Quantizes one matrix, for example on several threads; default: `quantize`. */
  readonly quantize?: (
    weights: Tensor,
    shape: readonly [number, number],
    spec: QuantizedSpec,
    options: QuantizeOptions,
  ) => QuantizedTensor | Promise<QuantizedTensor>;
}

const baselineTypes: Readonly<Record<BaselineSpec["type"], StorageType | undefined>> = {
  fp16: "F16",
  bf16: "BF16",
  fp32: "F32",
  stored: undefined,
};

/**
 * The checkpoint at a spec. Every matrix is `(out, in)`; tensors that the architecture does not need, such as the copy of
 * a tied head, are left out; a baseline rounds every floating-point tensor, a quantized spec or a mix leaves the others as
 * stored.
 *
 * @throws InputError if the checkpoint is packed at another spec, the architecture is unknown, or the tensors are not those
 *   that its config asks for
 */
export function quantizeCheckpoint(checkpoint: Checkpoint, spec: Spec, options: ViewOptions = {}): Checkpoint {
  if (checkpoint.spec) return checkSpec(checkpoint, checkpoint.spec, spec);
  const decoder = describeDecoder(checkpoint.config, checkpoint.tensors, checkpoint.source);
  checkTensors(checkpoint, decoder.tensors, decoder.unused);
  const roles = listMatrices(decoder);
  const plan = planQuantization(checkpoint, spec, roles);
  const matrices = new Map(plan.map((matrix) => [matrix.role.name, matrix]));
  const tensors = new Map<string, TensorHeader>();
  for (const header of checkpoint.tensors.values()) {
    if (decoder.unused.has(header.name)) continue;
    // What another tool packed (GGUF) and this spec leaves alone is kept in 16 bits, as everything in the paper.
    const wasPacked = checkpoint.storedAs?.(header.name).parts.some(({ type }) => type === "U8") ?? false;
    const width = spec.kind !== "baseline" && wasPacked ? "F16" : undefined;
    tensors.set(header.name, describe(header, matrices.get(header.name), spec, width));
  }
  const outliers = createOutlierFinder(checkpoint, roles);
  const levels = new Map<string, number>(); // of codebooks that depend on data, once known

  async function readQuantized(tensor: Tensor, matrix: PlannedMatrix): Promise<QuantizedTensor> {
    const outlierColumns = await outliers.find(matrix);
    const { allowNonfinite, quantize: run = quantizeTensor } = options;
    const name = tensor.name;
    const quantized = await run(tensor, matrix.shape, matrix.spec as QuantizedSpec, {
      name,
      outlierColumns,
      allowNonfinite,
    });
    levels.set(name, quantized.codebook.length);
    return quantized;
  }

  return {
    source: checkpoint.source,
    config: checkpoint.config,
    spec,
    tensors,
    fileBytes: checkpoint.fileBytes,
    files: checkpoint.files,
    async read(name) {
      const header = tensors.get(name);
      if (!header) throw new InputError(`${checkpoint.source} has no tensor ${name}.`);
      const matrix = matrices.get(name);
      const weight = await checkpoint.read(name);
      if (isQuantized(weight)) throw new Error(`${name} of ${checkpoint.source} is quantized already`);
      const tensor = matrix ? orientMatrix(weight, matrix.role) : weight;
      return matrix?.isQuantized
        ? readQuantized(tensor, matrix)
        : convert(tensor, header.type, options, checkpoint.source);
    },
    storedAs(name) {
      const matrix = matrices.get(name);
      return matrix?.isQuantized
        ? describeQuantized(matrix, levels.get(name))
        : { parts: [tensors.get(name)!], isExact: true };
    },
    readText: (fileName) => checkpoint.readText(fileName),
    close: () => checkpoint.close(),
  };
}

const quantizeTensor: NonNullable<ViewOptions["quantize"]> = (tensor, ...rest) => quantize(toFloat32(tensor), ...rest);

/** A packed checkpoint at its own spec, or as stored, is itself. */
function checkSpec(checkpoint: Checkpoint, have: Spec, wanted: Spec): Checkpoint {
  const text = formatSpec(have);
  if (formatSpec(wanted) === text || (wanted.kind === "baseline" && wanted.type === "stored")) return checkpoint;
  throw new InputError(
    `${checkpoint.source} is already at ${text} and cannot be brought to ${formatSpec(wanted)}; give the original model.`,
  );
}

function describe(
  header: TensorHeader,
  matrix: PlannedMatrix | undefined,
  spec: Spec,
  width?: StorageType,
): TensorHeader {
  const own = matrix?.spec ?? spec;
  const baseline = own.kind === "baseline" && isFloating(header.type) ? baselineTypes[own.type] : undefined;
  return { name: header.name, type: baseline ?? width ?? header.type, shape: matrix?.shape ?? header.shape };
}

function describeQuantized(matrix: PlannedMatrix, levels: number | undefined): StoredParts {
  const { role, shape } = matrix;
  const spec = matrix.spec as QuantizedSpec;
  const parts = describePacked(role.name, shape, spec, countOutliers(matrix), levels ?? 2 ** spec.bits);
  return { parts, isExact: levels !== undefined || !dataTypes[spec.type].stored };
}

/** A tensor in the width asked. @throws InputError if a value is not finite, or becomes infinite */
function convert(tensor: Tensor, type: StorageType, { allowNonfinite }: ViewOptions, source: string): Tensor {
  if (!isFloating(tensor.type)) return tensor;
  if (!allowNonfinite) refuseNonfinite(tensor, source);
  if (type === tensor.type) return tensor;
  const converted = fromFloat32(tensor.name, toFloat32(tensor), tensor.shape, type);
  if (!allowNonfinite && type === "F16" && overflows(converted.bytes)) {
    throw new InputError(`${source}: ${tensor.name} holds weights beyond the range of float16; use bf16 or fp32.`);
  }
  return converted;
}

function overflows(bytes: Uint8Array): boolean {
  return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2).some((half) => (half & 0x7fff) === 0x7c00);
}
