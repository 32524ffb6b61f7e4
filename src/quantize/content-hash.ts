// The hash by which a spec's text names what is too long to stand in it: a user's codebook, a mix.
// Not a defence against forgery: it tells contents apart that were not made to collide.

/** FNV-1a, 64 bits, as 16 hexadecimal digits. */
export function hashBytes(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, "0");
}
