// A peer in a process of its own that answers one line with one line.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface Peer {
  /** @returns the numbers of the answer */
  ask(line: string): Promise<number[]>;
  close(): void;
}

/** Starts `node script ...args`; resolves when it prints its first line. */
export function startPeer(script: string, args: readonly string[]): Promise<Peer> {
  return startProgram(process.execPath, [script, ...args]);
}

/** Starts a program; resolves when it prints its first line. */
export async function startProgram(program: string, args: readonly string[]): Promise<Peer> {
  const child: ChildProcess = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${program} ${args[0]} has ended`);
    return value as string;
  };
  await next();
  return {
    async ask(line) {
      child.stdin!.write(`${line}\n`);
      return JSON.parse(await next()) as number[];
    },
    close: () => child.stdin!.end(),
  };
}
