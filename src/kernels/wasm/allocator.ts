// Places in a range of memory that can grow at its end: first fit, 64-byte aligned, neighbours joined when freed.
// It knows addresses only, not the memory.

const alignment = 64;

/** Hands out and takes back ranges of bytes from `start` on. */
export class Allocator {
  /** Free ranges before `end`, ascending, never touching. */
  #holes: { address: number; bytes: number }[] = [];
  readonly #sizes = new Map<number, number>(); // bytes of each range in use
  #end: number;

  constructor(start: number) {
    this.#end = roundUp(start);
  }

  /**
   * The address of a new range.
   * @param reserve - called with the new end when the memory must reach further; may throw, and nothing changes
   */
  allocate(bytes: number, reserve: (end: number) => void): number {
    const size = roundUp(Math.max(bytes, 1));
    const index = this.#holes.findIndex((hole) => hole.bytes >= size);
    if (index < 0) return this.#extend(size, reserve);
    const hole = this.#holes[index];
    const address = hole.address;
    if (hole.bytes === size) this.#holes.splice(index, 1);
    else this.#holes[index] = { address: address + size, bytes: hole.bytes - size };
    this.#sizes.set(address, size);
    return address;
  }

  /** Takes a range back. Throws on an address that is not in use. */
  free(address: number): void {
    const bytes = this.#sizes.get(address);
    if (bytes === undefined) throw new Error(`no range is in use at ${address}`);
    this.#sizes.delete(address);
    let at = this.#holes.findIndex((hole) => hole.address > address);
    if (at < 0) at = this.#holes.length;
    this.#holes.splice(at, 0, { address, bytes });
    this.#join(at);
    if (at > 0) this.#join(at - 1);
  }

  #extend(size: number, reserve: (end: number) => void): number {
    const last = this.#holes.at(-1);
    const address = last && last.address + last.bytes === this.#end ? last.address : this.#end;
    reserve(address + size);
    if (address !== this.#end) this.#holes.pop();
    this.#end = address + size;
    this.#sizes.set(address, size);
    return address;
  }

  #join(at: number): void {
    const [hole, next] = [this.#holes[at], this.#holes[at + 1]];
    if (!next || hole.address + hole.bytes !== next.address) return;
    this.#holes.splice(at, 2, { address: hole.address, bytes: hole.bytes + next.bytes });
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
