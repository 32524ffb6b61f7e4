// Writes GGUF files for tests, true ones and false ones.

export type TestValue =
  | { text: string; length?: bigint }
  | { u32: number }
  | { list: number; count: bigint }
  | { type: number };

export interface FileParts {
  magic?: string;
  version?: number;
  tensorCount?: bigint;
  keyCount?: bigint;
  keys: [string, TestValue][];
  tensors: { name: string; sizes: number[]; type: number; offset: number }[];
  /** Bytes of zeros behind the header. */
  data: number;
}

export function writeGguf(parts: FileParts): Uint8Array {
  const pieces: Uint8Array[] = [];
  const add = (size: number, write: (view: DataView) => void) => {
    const view = new DataView(new ArrayBuffer(size));
    write(view);
    pieces.push(new Uint8Array(view.buffer));
  };
  const u32 = (value: number) => add(4, (view) => view.setUint32(0, value, true));
  const u64 = (value: bigint | number) => add(8, (view) => view.setBigUint64(0, BigInt(value), true));
  const text = (value: string, length?: bigint) => {
    const bytes = new TextEncoder().encode(value);
    u64(length ?? bytes.length);
    pieces.push(bytes);
  };
  pieces.push(new TextEncoder().encode(parts.magic ?? "GGUF"));
  u32(parts.version ?? 3);
  u64(parts.tensorCount ?? parts.tensors.length);
  u64(parts.keyCount ?? parts.keys.length);
  for (const [key, value] of parts.keys) {
    text(key);
    if ("text" in value) {
      u32(8);
      text(value.text, value.length);
    } else if ("u32" in value) {
      u32(4);
      u32(value.u32);
    } else if ("list" in value) {
      u32(9);
      u32(value.list);
      u64(value.count);
    } else u32(value.type);
  }
  for (const { name, sizes, type, offset } of parts.tensors) {
    text(name);
    u32(sizes.length);
    sizes.forEach(u64);
    u32(type);
    u64(offset);
  }
  const header = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const start = Math.ceil(header / 32) * 32;
  const file = new Uint8Array(start + parts.data);
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}
