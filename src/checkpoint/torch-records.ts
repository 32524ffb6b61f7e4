// What a pickle of tensors may refer to and call: a list of names, known by their text. pickle.ts reads the stack
// machine's opcodes and asks here; nothing is ever looked up or executed.

import type { StorageType } from "../tensor/tensor.ts";

/** Bytes that tensors share: a storage of `length` values, found by `key`. */
export interface StorageRecord {
  readonly kind: "storage";
  readonly key: string;
  readonly type: StorageType;
  readonly length: number;
}

/** A tensor as pickled: a strided window of a storage, in values. */
export interface TensorRecord {
  readonly kind: "tensor";
  readonly storage: StorageRecord;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A name that the pickle refers to, such as `torch.FloatStorage`. */
interface GlobalRecord {
  readonly kind: "global";
  readonly name: string;
}

/** What such a pickle can hold; lists and tuples are arrays, dicts are Maps. */
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Pickled[]
  | Map<Pickled, Pickled>
  | StorageRecord
  | TensorRecord
  | GlobalRecord;

const storageTypeOf: Readonly<Record<string, StorageType>> = {
  "torch.DoubleStorage": "F64",
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
};

const callables = new Set([
  "torch._utils._rebuild_tensor",
  "torch._utils._rebuild_tensor_v2",
  "torch._utils._rebuild_parameter",
  "collections.OrderedDict",
]);

/** Whether a pickle may refer to a name such as `torch.FloatStorage`. */
export function isKnownName(name: string): boolean {
  return callables.has(name) || Object.hasOwn(storageTypeOf, name);
}

/** The storage that a persistent id stands for, `("storage", class, key, device, number of values, ..)`; undefined: none. */
export function makeStorage(id: Pickled): StorageRecord | undefined {
  if (!Array.isArray(id)) return undefined;
  const [tag, storageClass, key, , length] = id;
  const type = isRecord(storageClass, "global") ? storageTypeOf[storageClass.name] : undefined;
  if (tag !== "storage" || !type || typeof key !== "string" || !isSize(length)) return undefined;
  return { kind: "storage", key, type, length };
}

/** What calling a known name with these arguments gives; undefined if they do not fit. */
export function callKnown(name: string, args: readonly Pickled[]): Pickled | undefined {
  switch (name) {
    case "collections.OrderedDict":
      return args.length === 0 ? new Map() : makeDict(args[0]);
    case "torch._utils._rebuild_parameter":
      return isRecord(args[0], "tensor") ? args[0] : undefined;
    case "torch._utils._rebuild_tensor":
    case "torch._utils._rebuild_tensor_v2":
      return makeTensor(args);
    default:
      return undefined;
  }
}

function makeDict(pairs: Pickled): Pickled | undefined {
  const isPair = (pair: Pickled): pair is Pickled[] => Array.isArray(pair) && pair.length === 2;
  return Array.isArray(pairs) && pairs.every(isPair) ? new Map(pairs.map(([key, value]) => [key, value])) : undefined;
}

function makeTensor([storage, offset, shape, strides]: readonly Pickled[]): TensorRecord | undefined {
  const isWindow = isRecord(storage, "storage") && isSize(offset) && isSizes(shape) && isSizes(strides);
  if (!isWindow || shape.length !== strides.length) return undefined;
  return { kind: "tensor", storage, offset, shape, strides };
}

/** Whether a value is a record of a kind. */
export function isRecord<K extends "global" | "storage" | "tensor">(
  value: Pickled,
  kind: K,
): value is Extract<Pickled, { kind: K }> {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}

function isSize(value: Pickled): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isSizes(value: Pickled): value is number[] {
  return Array.isArray(value) && value.every(isSize);
}
