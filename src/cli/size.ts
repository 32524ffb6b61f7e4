// Sizes as people write them: MB = 10^6 bytes, MiB = 2^20.

import { InputError } from "../input-error.ts";

const units: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** A size such as `2MB` or `1.5GiB`, in bytes. @throws InputError naming the option */
export function parseBytes(text: string, option: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const bytes = Number(number) * (units[unit?.toLowerCase() ?? ""] ?? Number.NaN);
  if (bytes > 0 && Number.isFinite(bytes)) return bytes;
  throw new InputError(
    `${option} ${text} is not a size; write a number and B, KB, MB, GB, KiB, MiB or GiB, such as 2MB.`,
  );
}
