// What the metadata of a packed checkpoint says: the version of the format, the spec, and of each quantized matrix the storage
// type it had and its shape. Of a mix, whose text is only its hash, it holds the map itself too (kbit_mix), in canonical JSON.

import { InputError } from "../input-error.ts";
import type { Spec } from "../quantize/spec.ts";
import { formatMix, formatSpec, parseMixText, parseSpec } from "../quantize/spec-text.ts";
import { type StorageType, storageTypes, type TensorHeader } from "../tensor/tensor.ts";
import type { TensorFile } from "./bytes.ts";

/** The latest version of the format; a file of a later one is refused. Mixes came with version 2; all else is written as 1. */
const packedFormat = 2;

/** What the metadata says of a quantized matrix: the storage type it had, and its shape (out, in). */
interface MatrixFacts {
  readonly type: StorageType;
  readonly shape: readonly [number, number];
}

/** Whether a file is a packed checkpoint. */
export function isPacked(file: TensorFile): boolean {
  return file.metadata.some((metadata) => metadata.kbit_format !== undefined);
}

/** The metadata of a packed file. */
export function formatPackedMetadata(spec: Spec, matrices: readonly TensorHeader[]): Record<string, string> {
  const facts = Object.fromEntries(matrices.map(({ name, type, shape }) => [name, { type, shape }]));
  return {
    format: "pt",
    kbit_format: spec.kind === "mix" ? "2" : "1",
    kbit_spec: formatSpec(spec),
    ...(spec.kind === "mix" && { kbit_mix: formatMix(spec) }),
    kbit_matrices: JSON.stringify(facts),
  };
}

/** @throws InputError if the metadata is none of a packed checkpoint that this kbit reads */
export function parsePackedMetadata(
  file: TensorFile,
  where: string,
): { spec: Spec; matrices: Map<string, MatrixFacts> } {
  const matrices = new Map<string, MatrixFacts>();
  const texts = new Set<string>();
  let mix: string | undefined;
  for (const { kbit_format: format, kbit_spec: text, kbit_mix, kbit_matrices: facts } of file.metadata) {
    if (format === undefined || text === undefined || facts === undefined) {
      throw new InputError(
        `${where}: a file of this packed checkpoint lacks its kbit metadata; quantize the model again.`,
      );
    }
    if (!/^\d+$/.test(format) || Number(format) > packedFormat) {
      throw new InputError(
        `${where} is a packed checkpoint of format ${format}, but this kbit reads up to ${packedFormat}; update kbit.`,
      );
    }
    texts.add(text);
    mix ??= kbit_mix;
    for (const [name, fact] of Object.entries(parseFacts(facts, where)))
      matrices.set(name, checkFacts(name, fact, where));
  }
  if (texts.size !== 1) throw new InputError(`${where}: its files have different specs: ${[...texts].join(", ")}.`);
  const [text] = texts;
  const spec = parseSpec(text);
  if (spec.kind === "mix") return { spec: readMix(text, mix, where), matrices };
  if (matrices.size > 0 && spec.kind !== "quantized") throw new InputError(`${where}: ${text} quantizes no matrix.`);
  return { spec, matrices };
}

/** The mix of a file, which must be the one that its spec names. */
function readMix(text: string, json: string | undefined, where: string): Spec {
  const mix = parseMixText(json ?? "", `${where} (kbit_mix of its metadata)`);
  if (formatSpec(mix) !== text) throw new InputError(`${where}: its kbit_mix is not ${text}, which it should be.`);
  return mix;
}

function parseFacts(text: string, where: string): Record<string, unknown> {
  let facts: unknown;
  try {
    facts = JSON.parse(text);
  } catch {
    facts = undefined;
  }
  if (typeof facts !== "object" || facts === null)
    throw new InputError(`${where}: kbit_matrices of the metadata is not a JSON object.`);
  return facts as Record<string, unknown>;
}

function checkFacts(name: string, fact: unknown, where: string): MatrixFacts {
  const { type, shape } = (fact ?? {}) as Partial<MatrixFacts>;
  const isShape =
    Array.isArray(shape) && shape.length === 2 && shape.every((size) => Number.isSafeInteger(size) && size > 0);
  if (
    !isShape ||
    !Number.isSafeInteger(shape[0] * shape[1]) ||
    typeof type !== "string" ||
    !Object.hasOwn(storageTypes, type)
  ) {
    throw new InputError(
      `${where}: kbit_matrices says of ${name} ${JSON.stringify(fact)}; expected a type and a shape.`,
    );
  }
  return { type, shape: [shape[0], shape[1]] };
}
