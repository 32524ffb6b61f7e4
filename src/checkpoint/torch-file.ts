// PyTorch's own checkpoint format (`pytorch_model.bin`): a zip archive, or before 2020 a bare stream, of one pickle and
// the storages that it points to. Nothing in it is executed (pickle.ts); storages are read only when asked for.

import { InputError } from "../input-error.ts";
import { storageTypes, type TensorHeader } from "../tensor/tensor.ts";
import { type ByteSource, type TensorFile, truncated } from "./bytes.ts";
import { readPickle } from "./pickle.ts";
import { countBytes } from "./safetensors.ts";
import { isRecord, type Pickled, type StorageRecord, type TensorRecord } from "./torch-records.ts";
import { locateZipEntry, readZipDirectory } from "./zip.ts";

const maxPickleBytes = 64 * 2 ** 20;
/** The first pickle of a bare stream: the number 0x1950a86a20f9469cfc6c. */
const legacyStart = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/** The state dict of a file, and where each storage's bytes begin. */
interface Contents {
  readonly stateDict: Pickled;
  locate(storage: StorageRecord): Promise<number>;
}

/** Opens a PyTorch checkpoint of plain tensors. Closes `source` if it fails. @throws InputError for anything else */
export async function openTorchFile(source: ByteSource): Promise<TensorFile> {
  try {
    const start = await source.read(0, Math.min(source.size, legacyStart.length));
    const isZip = start[0] === 0x50 && start[1] === 0x4b;
    const isLegacy = start.length === legacyStart.length && legacyStart.every((byte, i) => start[i] === byte);
    if (!isZip && !isLegacy) {
      throw new InputError(
        `${source.name} is not a PyTorch checkpoint: it begins neither as a zip archive nor as its older form.`,
      );
    }
    const { stateDict, locate } = isZip ? await openArchive(source) : await openStream(source);
    const records = collectTensors(stateDict, source.name);
    const tensors = new Map<string, TensorHeader>();
    for (const [name, record] of records) {
      tensors.set(name, { name, type: record.storage.type, shape: record.shape });
      checkWindow(tensors.get(name)!, record, source.name);
    }
    return {
      tensors,
      metadata: [],
      fileBytes: source.size,
      files: [source.name],
      readBytes: async (name) =>
        readWindow(source, tensors.get(name)!, records.get(name)!, await locate(records.get(name)!.storage)),
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openArchive(source: ByteSource): Promise<Contents> {
  const entries = await readZipDirectory(source);
  const pickleName = [...entries.keys()].find((name) => name === "data.pkl" || /^[^/]+\/data\.pkl$/.test(name));
  if (!pickleName)
    throw new InputError(`${source.name} is a zip archive, but no PyTorch checkpoint: it has no data.pkl.`);
  const prefix = pickleName.slice(0, -"data.pkl".length);
  const readEntry = async (name: string) => {
    const entry = entries.get(name)!;
    if (entry.size > maxPickleBytes) throw new InputError(`${source.name}: ${name} has ${entry.size} bytes, too many.`);
    return source.read(await locateZipEntry(source, entry), entry.size);
  };
  if (entries.has(`${prefix}byteorder`)) {
    const order = new TextDecoder().decode(await readEntry(`${prefix}byteorder`));
    if (order !== "little")
      throw new InputError(`${source.name} was written in ${order}-endian byte order; expected little.`);
  }
  return {
    stateDict: readPickle(await readEntry(pickleName), 0, source.name).value,
    async locate(storage) {
      const entry = entries.get(`${prefix}data/${storage.key}`);
      if (!entry) throw new InputError(`${source.name} has no storage ${storage.key}; the file is damaged.`);
      checkStorageSize(storage, entry.size, source.name);
      return locateZipEntry(source, entry);
    },
  };
}

/** magic number | protocol 1001 | facts of the machine | state dict | list of keys | per key: 8 bytes of length, bytes */
async function openStream(source: ByteSource): Promise<Contents> {
  const bytes = await source.read(0, Math.min(source.size, maxPickleBytes));
  let at = legacyStart.length;
  const next = () => {
    const { value, end } = readPickle(bytes, at, source.name);
    at = end;
    return value;
  };
  const protocol = next();
  const machine = next();
  if (protocol !== 1001)
    throw new InputError(`${source.name} has the PyTorch protocol ${String(protocol)}; expected 1001.`);
  if (machine instanceof Map && machine.get("little_endian") === false) {
    throw new InputError(`${source.name} was written in big-endian byte order; expected little.`);
  }
  const stateDict = next();
  const keys = next();
  const storages = new Map(
    Array.from(collectTensors(stateDict, source.name).values(), ({ storage }) => [storage.key, storage]),
  );
  const starts = new Map<string, number>();
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = storages.get(key as string);
    if (!storage) throw new InputError(`${source.name} lists a storage ${String(key)} that no tensor uses.`);
    if (at + 8 > source.size) throw truncated(source.name, at + 8, source.size);
    const length = new DataView((await source.read(at, 8)).buffer).getBigUint64(0, true);
    const size = storage.length * storageTypes[storage.type].bytes;
    if (length !== BigInt(storage.length))
      throw new InputError(`${source.name}: storage ${storage.key} has ${length} values; expected ${storage.length}.`);
    starts.set(storage.key, at + 8);
    at += 8 + size;
    if (at > source.size) throw truncated(source.name, at, source.size);
  }
  return {
    stateDict,
    async locate(storage) {
      const start = starts.get(storage.key);
      const first = storages.get(storage.key);
      if (start === undefined || first?.length !== storage.length || first.type !== storage.type) {
        throw new InputError(
          `${source.name} has no storage ${storage.key} of ${storage.length} values; the file is damaged.`,
        );
      }
      return start;
    },
  };
}

function collectTensors(stateDict: Pickled, where: string): Map<string, TensorRecord> {
  const records = new Map<string, TensorRecord>();
  if (stateDict instanceof Map) {
    for (const [name, value] of stateDict)
      if (typeof name === "string" && isRecord(value, "tensor")) records.set(name, value);
  }
  if (records.size === 0)
    throw new InputError(`${where} holds no tensors by name; expected the state dict of a model.`);
  return records;
}

function checkStorageSize(storage: StorageRecord, size: number, where: string): void {
  const expected = storage.length * storageTypes[storage.type].bytes;
  if (size !== expected)
    throw new InputError(`${where}: storage ${storage.key} has ${size} bytes; expected ${expected}.`);
}

/** Number of values from the first to the last that a tensor touches. */
function countSpan({ shape, strides }: TensorRecord): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((last, size, i) => last + (size - 1) * strides[i], 1);
}

/** A tensor may not reach out of its storage, nor repeat its values to more than the storage holds. */
function checkWindow(header: TensorHeader, record: TensorRecord, where: string): void {
  const bytes = countBytes(header, where);
  const { length } = record.storage;
  const end = record.offset + countSpan(record);
  if (!(end <= length) || bytes > length * storageTypes[header.type].bytes) {
    throw new InputError(
      `${where}: tensor ${header.name} of shape [${header.shape}] reaches out of its storage of ${length} values.`,
    );
  }
}

async function readWindow(
  source: ByteSource,
  header: TensorHeader,
  record: TensorRecord,
  storageStart: number,
): Promise<Uint8Array> {
  const size = storageTypes[header.type].bytes;
  const window = await source.read(storageStart + record.offset * size, countSpan(record) * size);
  return isContiguous(record) ? window : gather(window, record, size, countBytes(header));
}

function isContiguous({ shape, strides }: TensorRecord): boolean {
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== stride) return false;
    stride *= shape[i];
  }
  return true;
}

/** The values of a strided window in row-major order. */
function gather(window: Uint8Array, { shape, strides }: TensorRecord, size: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < length; to += size) {
    for (let b = 0; b < size; b++) out[to + b] = window[from * size + b];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}
