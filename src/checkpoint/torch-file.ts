// PyTorch's own checkpoint format. (Reader follows.)
import { InputError } from "../input-error.ts";
import type { ByteSource, TensorFile } from "./bytes.ts";

export async function openTorchFile(source: ByteSource): Promise<TensorFile> {
  await source.close();
  throw new InputError(`${source.name} cannot be read yet.`);
}
