// Reads Python pickles that hold nothing but tensor records, and executes nothing: the opcodes that a state dict needs
// move values on a stack, the few names it needs are known to torch-records.ts by their text, and every other opcode and
// name is refused with a sentence. torch-file.ts finds the bytes that the records point to.

import { InputError } from "../input-error.ts";
import { callKnown, isKnownName, isRecord, makeStorage, type Pickled } from "./torch-records.ts";

/**
 * Reads the pickle that begins at `start`.
 *
 * @param where - file name, for messages
 * @returns its value and where it ended
 * @throws InputError for everything that is not a tensor record, by name
 */
export function readPickle(bytes: Uint8Array, start: number, where: string): { value: Pickled; end: number } {
  const reader = new PickleReader(bytes, start, where);
  const value = reader.run();
  return { value, end: reader.at };
}

class PickleReader {
  at: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly where: string;
  private stack: Pickled[] = [];
  /** What lay below each open mark. */
  private readonly marks: Pickled[][] = [];
  private readonly memo = new Map<number, Pickled>();

  constructor(bytes: Uint8Array, start: number, where: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
    this.where = where;
  }

  run(): Pickled {
    for (;;) {
      const opcode = this.bytes[this.take(1)];
      if (opcode === 0x2e /* . STOP */) return this.pop();
      this.step(opcode);
    }
  }

  private step(opcode: number): void {
    const { stack, view } = this;
    switch (opcode) {
      case 0x80 /* PROTO */:
        return void this.take(1);
      case 0x95 /* FRAME */:
        return void this.take(8);
      case 0x28 /* ( MARK */:
        this.marks.push(stack);
        this.stack = [];
        return;
      case 0x30 /* 0 POP */:
        return void this.pop();
      case 0x4e /* N NONE */:
        return void stack.push(null);
      case 0x88 /* NEWTRUE */:
        return void stack.push(true);
      case 0x89 /* NEWFALSE */:
        return void stack.push(false);
      case 0x4a /* J BININT */:
        return void stack.push(view.getInt32(this.take(4), true));
      case 0x4b /* K BININT1 */:
        return void stack.push(this.bytes[this.take(1)]);
      case 0x4d /* M BININT2 */:
        return void stack.push(view.getUint16(this.take(2), true));
      case 0x47 /* G BINFLOAT */:
        return void stack.push(view.getFloat64(this.take(8), false));
      case 0x8a /* LONG1 */:
        return void stack.push(this.takeLong(this.bytes[this.take(1)]));
      case 0x58 /* X BINUNICODE */:
      case 0x54 /* T BINSTRING */:
        return void stack.push(this.takeText(view.getUint32(this.take(4), true)));
      case 0x8c: /* SHORT_BINUNICODE */
      case 0x55 /* U SHORT_BINSTRING */:
        return void stack.push(this.takeText(this.bytes[this.take(1)]));
      case 0x5d /* ] EMPTY_LIST */:
      case 0x29 /* ) EMPTY_TUPLE */:
        return void stack.push([]);
      case 0x7d /* } EMPTY_DICT */:
        return void stack.push(new Map());
      case 0x85: /* TUPLE1 */
      case 0x86: /* TUPLE2 */
      case 0x87 /* TUPLE3 */:
        return void stack.push(this.popMany(opcode - 0x84));
      case 0x74 /* t TUPLE */:
        return void this.push(this.popToMark());
      case 0x61 /* a APPEND */:
        {
          const [item] = this.popMany(1);
          return void this.topList().push(item);
        }
      case 0x65 /* e APPENDS */:
        {
          const items = this.popToMark();
          const list = this.topList();
          for (const item of items) list.push(item);
          return;
        }
      case 0x73 /* s SETITEM */:
        return void this.setItems(this.popMany(2));
      case 0x75 /* u SETITEMS */:
        return void this.setItems(this.popToMark());
      case 0x71 /* q BINPUT */:
        return void this.memo.set(this.bytes[this.take(1)], this.top());
      case 0x72 /* r LONG_BINPUT */:
        return void this.memo.set(view.getUint32(this.take(4), true), this.top());
      case 0x94 /* MEMOIZE */:
        return void this.memo.set(this.memo.size, this.top());
      case 0x68 /* h BINGET */:
        return void this.recall(this.bytes[this.take(1)]);
      case 0x6a /* j LONG_BINGET */:
        return void this.recall(view.getUint32(this.take(4), true));
      case 0x63 /* c GLOBAL */:
        return void this.pushGlobal(this.takeLine(), this.takeLine());
      case 0x93: {
        /* STACK_GLOBAL */
        const [module, name] = this.popMany(2);
        return void this.pushGlobal(String(module), String(name));
      }
      case 0x51 /* Q BINPERSID */:
        return void stack.push(this.makeStorage(this.pop()));
      case 0x52 /* R REDUCE */:
        {
          const [callable, args] = this.popMany(2);
          return void stack.push(this.call(callable, args));
        }
      case 0x62 /* b BUILD */:
        {
          // An OrderedDict carries attributes (`_metadata`: versions of modules), which say nothing of the weights.
          this.pop();
          if (!(this.top() instanceof Map)) throw this.refuse("sets the state of an object (opcode BUILD)");
          return;
        }
      default: {
        const letter = opcode > 0x20 && opcode < 0x7f ? ` '${String.fromCharCode(opcode)}'` : "";
        throw this.refuse(`uses the pickle opcode 0x${opcode.toString(16).padStart(2, "0")}${letter}`);
      }
    }
  }

  /** Moves on by `count` bytes and returns where they began. */
  private take(count: number): number {
    const start = this.at;
    if (count > this.bytes.length - start) throw new InputError(`${this.where} is truncated: its pickle does not end.`);
    this.at += count;
    return start;
  }

  private takeText(length: number): string {
    const start = this.take(length);
    return new TextDecoder().decode(this.bytes.subarray(start, start + length));
  }

  private takeLine(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0 || end - this.at > 1000) throw this.refuse("has a name that does not end");
    const line = this.takeText(end - this.at);
    this.take(1);
    return line;
  }

  /** A little-endian two's complement number; beyond 2^53 as a bigint. */
  private takeLong(length: number): number | bigint {
    const start = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[start + i]);
    value = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  private push(value: Pickled): void {
    this.stack.push(value);
  }

  private pop(): Pickled {
    return this.popMany(1)[0];
  }

  private popMany(count: number): Pickled[] {
    if (this.stack.length < count) throw this.refuse("takes more from its stack than is there");
    return this.stack.splice(this.stack.length - count);
  }

  private popToMark(): Pickled[] {
    const below = this.marks.pop();
    if (!below) throw this.refuse("closes a mark that was not opened");
    const items = this.stack;
    this.stack = below;
    return items;
  }

  private top(): Pickled {
    const value = this.stack.at(-1);
    if (value === undefined) throw this.refuse("takes more from its stack than is there");
    return value;
  }

  private topList(): Pickled[] {
    const list = this.top();
    if (!Array.isArray(list)) throw this.refuse("appends to what is no list");
    return list;
  }

  private recall(key: number): void {
    const value = this.memo.get(key);
    if (value === undefined) throw this.refuse(`refers to memo ${key}, which is not there`);
    this.stack.push(value);
  }

  private setItems(items: Pickled[]): void {
    const dict = this.top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw this.refuse("sets items of what is no dict");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }

  private pushGlobal(module: string, name: string): void {
    const full = `${module}.${name}`;
    if (!isKnownName(full)) throw this.refuse(`refers to ${full}`);
    this.stack.push({ kind: "global", name: full });
  }

  private makeStorage(id: Pickled): Pickled {
    const storage = makeStorage(id);
    if (!storage) throw this.refuse("has a persistent id that is no storage");
    return storage;
  }

  private call(callable: Pickled, args: Pickled): Pickled {
    if (!isRecord(callable, "global") || !Array.isArray(args)) throw this.refuse("calls what is no function");
    const result = callKnown(callable.name, args);
    if (result === undefined) throw this.refuse(`calls ${callable.name} with arguments that do not fit`);
    return result;
  }

  private refuse(what: string): InputError {
    return new InputError(
      `${this.where} ${what}, which a file of plain tensors does not need; it was not executed. Use a safetensors version of the model.`,
    );
  }
}
