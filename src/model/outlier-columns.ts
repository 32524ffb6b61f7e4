// Proxy quantization on a checkpoint: which input columns of a matrix stay in 16 bits, found in the full-precision
// weights of the matrices that write its inputs (MatrixRole.writers), or in its own columns.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { InputError } from "../input-error.ts";
import { pickOutliers, type UnitWeights, unitDeviations } from "../quantize/outliers.ts";
import { isQuantized } from "../quantize/quantized.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { type Orientation, orientMatrix } from "./orient.ts";
import type { PlannedMatrix } from "./plan.ts";
import type { MatrixRole, Writer } from "./roles.ts";

/** Number of columns of a matrix that stay in 16 bits. */
export function countOutliers({ role, shape, spec }: PlannedMatrix): number {
  const proxy = spec.kind === "quantized" ? spec.proxy : undefined;
  if (!proxy || (proxy.rule === "previous" && role.writers.length === 0)) return 0;
  return pickOutliers(new Float64Array(shape[1]), proxy.percent).length;
}

/** By which rule outlier columns are told: the units that write them, or the columns themselves. */
export type OutlierRule = "previous" | "self";

/** Finds the outlier columns of the matrices of one checkpoint; the deviations are computed once for each set of writers. */
export interface OutlierFinder {
  /** Ascending; undefined: none. */
  find(matrix: PlannedMatrix): Promise<Uint32Array | undefined>;
  /** The standard deviation behind each input column, `(columns)`; undefined: nothing writes it. */
  measure(matrix: PlannedMatrix, rule: OutlierRule): Promise<Float64Array | undefined>;
}

/** A finder over an unquantized checkpoint; `roles` tell how its matrices are stored. */
export function createOutlierFinder(checkpoint: Checkpoint, roles: readonly MatrixRole[]): OutlierFinder {
  const roleOf = new Map(roles.map((role) => [role.name, role]));
  const known = new Map<string, Promise<Float64Array>>();

  async function readUnits({ name, axis, units }: Writer): Promise<UnitWeights> {
    const { weights, shape } = await readMatrix(checkpoint, name, roleOf.get(name) ?? {});
    return { weights, shape, axis, units };
  }
  async function measureUnits(writers: readonly Writer[]): Promise<Float64Array> {
    const units: UnitWeights[] = [];
    for (const writer of writers) units.push(await readUnits(writer));
    return unitDeviations(units);
  }
  async function measure({ role, shape }: PlannedMatrix, rule: OutlierRule): Promise<Float64Array | undefined> {
    const writers = rule === "self" ? [{ name: role.name, axis: "columns" as const }] : role.writers;
    if (writers.length === 0) return undefined;
    const key = writers.map(({ name, axis, units }) => `${name} ${axis} ${units ?? ""}`).join("|");
    const measuring = known.get(key) ?? measureUnits(writers);
    known.set(key, measuring);
    const deviations = await measuring;
    if (deviations.length === shape[1]) return deviations;
    throw new InputError(
      `${checkpoint.source}: ${role.name} has ${shape[1]} inputs, but ${writers[0].name}, which writes them, has ${deviations.length} units.`,
    );
  }
  return {
    measure,
    async find(matrix) {
      const { spec } = matrix;
      if (spec.kind !== "quantized" || !spec.proxy) return undefined;
      const deviations = await measure(matrix, spec.proxy.rule);
      return deviations && pickOutliers(deviations, spec.proxy.percent);
    },
  };
}

/** A matrix of an unquantized checkpoint as float32, `(out, in)`. */
async function readMatrix(
  checkpoint: Checkpoint,
  name: string,
  orientation: Orientation,
): Promise<{ weights: Float32Array; shape: readonly [number, number] }> {
  const weight = await checkpoint.read(name);
  if (isQuantized(weight)) throw new Error(`${name} of ${checkpoint.source} is quantized already`);
  const tensor = orientMatrix(weight, orientation);
  return { weights: toFloat32(tensor), shape: [tensor.shape[0], tensor.shape[1]] };
}
