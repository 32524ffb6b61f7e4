// Real processes of kbit for tests, and a proxy before the database that can be frozen and cut.

import { type ChildProcess, spawn } from "node:child_process";
import { connect, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";

const kbit = fileURLToPath(new URL("../../src/cli/kbit.ts", import.meta.url));

/** A command of kbit that runs. */
export interface Running {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  output(): string;
  /** Its exit code; null if a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Kills it at once and waits for its end. */
  kill(): Promise<void>;
}

/** Starts a command of kbit. */
export function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, [kbit, ...args], { env: { ...process.env, ...environment } });
  let written = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (written += text));
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return {
    child,
    output: () => written,
    ended,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A proxy on a port of its own. */
export interface TestProxy {
  readonly port: number;
  /** Passes nothing on any more, in either direction, and closes nothing. */
  freeze(): void;
  /** Passes on again what comes from now on; what was frozen stays so. */
  thaw(): void;
  /** Called for every piece and where it goes; true: it does not arrive, and all connections freeze. */
  swallow: ((bytes: Buffer, to: "server" | "client") => boolean) | undefined;
  close(): void;
}

/** A proxy before a port of this machine. */
export async function startProxy(target: number): Promise<TestProxy> {
  const sockets = new Set<Socket>();
  const frozen = new WeakSet<Socket>();
  let isFrozen = false;
  const freezeAll = () => {
    isFrozen = true;
    for (const socket of sockets) frozen.add(socket);
  };
  const proxy: TestProxy = {
    port: 0,
    freeze: freezeAll,
    thaw: () => {
      isFrozen = false;
    },
    swallow: undefined,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  const server = createServer((client) => {
    const remote = connect(target, "127.0.0.1");
    for (const [from, to] of [
      [client, remote],
      [remote, client],
    ] as const) {
      sockets.add(from);
      if (isFrozen) frozen.add(from);
      from.on("data", (bytes) => {
        if (!isFrozen && proxy.swallow?.(bytes, from === client ? "server" : "client")) freezeAll();
        if (!frozen.has(from)) to.write(bytes);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        if (!frozen.has(from)) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.defineProperty(proxy, "port", { value: (server.address() as { port: number }).port });
}
