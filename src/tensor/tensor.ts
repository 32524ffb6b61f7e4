// A tensor as a checkpoint stores it: a name, a storage type, a shape and little-endian bytes.
// First station of the line; it leaves out all arithmetic, which belongs to quantize/ and kernels/.

/** The storage types that a checkpoint may hold, by their safetensors names. */
export const storageTypes = {
  F64: { bytes: 8 },
  F32: { bytes: 4 },
  F16: { bytes: 2 },
  BF16: { bytes: 2 },
  I64: { bytes: 8 },
  I32: { bytes: 4 },
  I16: { bytes: 2 },
  I8: { bytes: 1 },
  U8: { bytes: 1 },
  BOOL: { bytes: 1 },
} as const;

/** Name of a storage type. */
export type StorageType = keyof typeof storageTypes;

/** Whether a type holds floating-point values. */
export function isFloating(type: StorageType): boolean {
  return type === "F64" || type === "F32" || type === "F16" || type === "BF16";
}

/** What is known of a tensor before its bytes are read. */
export interface TensorHeader {
  readonly name: string;
  readonly type: StorageType;
  /** Row-major; linear weights are `(out, in)`. */
  readonly shape: readonly number[];
}

/** A stored tensor: `bytes.length = product(shape) * storageTypes[type].bytes`, little-endian, row-major. */
export interface Tensor extends TensorHeader {
  readonly bytes: Uint8Array;
}
