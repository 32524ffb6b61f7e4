// The live page's server: a handful of addresses on Node's own http, all of them read-only. Nothing of a request becomes
// part of a path: the page's files and the models' files are listed when it starts.

import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../input-error.ts";
import { pageStyle } from "../report/page-style.ts";
import { cookieName, pageHeaders, refuse } from "./access-node.ts";
import type { LiveState, LiveStore } from "./live-node.ts";
import type { ModelShelf } from "./models-node.ts";
import { sectionNames } from "./views.ts";

/** What the server shows, and to whom. */
export interface ServerOptions {
  readonly live: LiveStore;
  readonly shelf: ModelShelf;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Needed for every request; absent: none, for this machine only. */
  readonly token?: string;
  /** Folder of the built page; default: the package's. */
  readonly page?: string;
}

/** A server that listens. */
export interface LiveServer {
  readonly port: number;
  close(): Promise<void>;
}

interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
}

const contentTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".csv": "text/csv; charset=utf-8",
};

const builtPage = fileURLToPath(new URL("../../dist/dashboard", import.meta.url));

/** Starts the server. @throws InputError if the page was not built, or the address cannot be had */
export async function startServer(options: ServerOptions): Promise<LiveServer> {
  const { live, shelf, host, token } = options;
  const page = readPage(options.page ?? builtPage);
  const streams = new Set<ServerResponse>();

  async function answer({ path, query, response }: Asked): Promise<void> {
    const file = page.get(path === "/" ? "/index.html" : path);
    if (file) return send(response, 200, file.type, file.body);
    if (path === "/view") return sendJson(response, (await live.board()).view(query));
    if (path === "/choice") return sendJson(response, (await live.board()).choose(query));
    if (path === "/rows") return sendJson(response, (await live.board()).find(query));
    if (path === "/results.csv") return send(response, 200, contentTypes[".csv"], (await live.board()).csv());
    const section = sectionNames.find((name) => path === `/${name}`);
    if (section) return send(response, 200, contentTypes[".txt"], await live.section(section, query));
    if (path === "/events") return openStream(response);
    if (path === "/models") return sendJson(response, shelf.models);
    const [, model, name] = /^\/models\/(\d{1,6})\/([\w.-]{1,200})$/.exec(path) ?? [];
    const weights = name === undefined ? undefined : await shelf.find(Number(model), name);
    if (weights !== undefined) return sendFile(response, weights, shelf.models[Number(model)].files[name]);
    return send(response, 404, contentTypes[".txt"], "There is nothing here.");
  }
  function openStream(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const tell = (state: LiveState) => response.write(`data: ${JSON.stringify(state)}\n\n`);
    tell(live.state());
    const stop = live.listen(tell);
    streams.add(response);
    response.on("close", () => {
      stop();
      streams.delete(response);
    });
  }
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(pageHeaders)) response.setHeader(name, value);
    const url = URL.parse(request.url ?? "/", "http://localhost");
    if (url === null || request.method !== "GET") {
      response.setHeader("Allow", "GET");
      return send(response, url === null ? 400 : 405, contentTypes[".txt"], "Only GET is answered here.");
    }
    const offered = url.pathname === "/" ? url.searchParams.get("token") : null;
    const { port } = server.address() as AddressInfo;
    const refusal = refuse(request.headers, port, token, offered);
    if (refusal !== undefined) return send(response, token === undefined ? 421 : 401, contentTypes[".txt"], refusal);
    if (token !== undefined && offered !== null) {
      response.setHeader("Set-Cookie", `${cookieName(port)}=${token}; Path=/; HttpOnly; SameSite=Strict`);
    }
    return answer({ path: url.pathname, query: url.searchParams, response });
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      if (response.headersSent) return response.destroy();
      const isInput = error instanceof InputError;
      if (!isInput) console.error(error);
      const sentence = isInput ? error.message : "kbit failed at this; its terminal says how.";
      return send(response, isInput ? 422 : 500, contentTypes[".txt"], sentence);
    });
  });
  await listen(server, host, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        for (const stream of streams) stream.end();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The page's files by the path under which they are asked for. */
function readPage(folder: string): Map<string, { readonly type: string; readonly body: Buffer | string }> {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    throw new InputError(`The page is missing in ${folder}; build it with npm run build.`);
  }
  const files = new Map<string, { type: string; body: Buffer | string }>();
  files.set("/report.css", { type: contentTypes[".css"], body: pageStyle });
  for (const name of names) {
    const type = contentTypes[extname(name)];
    if (type !== undefined) files.set(`/${name}`, { type, body: readFileSync(join(folder, name)) });
  }
  return files;
}

function listen(server: ReturnType<typeof createServer>, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        EADDRINUSE: "another program has it; name another with --port",
        EACCES: "permission is denied; name one above 1023 with --port",
        EADDRNOTAVAIL: "this machine has no such address; name another with --host",
        ENOTFOUND: "there is no such host; name another with --host",
      };
      const reason = reasons[error.code ?? ""];
      reject(reason ? new InputError(`Port ${port} of ${host} cannot be used: ${reason}.`) : error);
    });
    server.listen(port, host, resolve);
  });
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) }).end(body);
}

function sendJson(response: ServerResponse, value: unknown): void {
  send(response, 200, contentTypes[".json"], JSON.stringify(value));
}

function sendFile(response: ServerResponse, path: string, bytes: number): void {
  response.writeHead(200, { "Content-Type": "application/octet-stream", "X-Bytes": bytes });
  createReadStream(path)
    .on("error", () => response.destroy())
    .pipe(response);
}
