// kbit ui: the report as a live page on a running or finished study, with a playground and an inspector.

import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { InputError } from "../input-error.ts";
import { openRows } from "../study/exchange/open-rows.ts";
import { isLoopback } from "../ui/access-node.ts";
import { watchStore } from "../ui/live-node.ts";
import { bundledModels, openShelf } from "../ui/models-node.ts";
import { type LiveServer, startServer } from "../ui/server-node.ts";
import { paint, printJson, printLine } from "./terminal.ts";

interface UiOptions {
  readonly db: string;
  readonly host: string;
  readonly port?: number;
  readonly token?: string;
  readonly models?: string;
  readonly json?: boolean;
}

const usualPort = 4848;

/** Adds `kbit ui`. */
export function addUiCommand(program: Command): void {
  program
    .command("ui")
    .description("Show a study as a live page in the browser, with a playground and an inspector of weights.")
    .requiredOption(
      "--db <store>",
      "the store of a study, running or finished: a file, or postgres://USER@HOST/DATABASE",
    )
    .option("--port <n>", `port to listen on (default: ${usualPort}, or a free one)`, parsePort)
    .option("--host <name>", "address to listen on; others than this machine's need a token", "localhost")
    .option("--token <text>", "token that requests need (default: a random one, unless only this machine can ask)")
    .option("--models <folder>", "models for playground and inspector besides the bundled ones")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit ui --db results.db
  kbit ui --db results.db --models ~/models --host 0.0.0.0 --port 8080`,
    )
    .action(runUi);
}

async function runUi(options: UiOptions): Promise<void> {
  const { host } = options;
  if (options.token !== undefined && !/^[\w.~-]{8,200}$/.test(options.token)) {
    throw new InputError("--token takes 8 to 200 letters, digits, or any of . _ ~ - .");
  }
  const token = options.token ?? (isLoopback(host) ? undefined : randomBytes(24).toString("base64url"));
  const shelf = await openShelf([bundledModels, ...(options.models === undefined ? [] : [options.models])]);
  const store = await openRows(options.db);
  const live = watchStore(store, undefined, options.db);
  const start = (port: number) => startServer({ live, shelf, host, port, token });
  let server: LiveServer;
  try {
    server = await start(options.port ?? usualPort).catch((error) => {
      if (options.port !== undefined || !String(error).includes(`Port ${usualPort} `)) throw error;
      return start(0);
    });
  } catch (error) {
    live.close();
    await store.close();
    throw error;
  }
  const name = host.includes(":") ? `[${host}]` : host;
  const url = `http://${name}:${server.port}/${token === undefined ? "" : `?token=${token}`}`;
  if (options.json) printJson({ url, db: store.path, models: shelf.models.map((model) => model.name) });
  else printLine(`${store.path} is shown at ${paint("underline", url)} until Ctrl+C.`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  live.close();
  await server.close();
  await store.close();
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InputError(`--port takes a whole number from 0 to 65535, not "${text}".`);
}
