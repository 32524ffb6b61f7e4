// As much of the Hub's interface as a download uses, on this machine.

import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** One repository: the files of each commit, and the commit of each branch. */
export interface FakeRepository {
  readonly kind: "models" | "datasets";
  readonly name: string;
  readonly branches: Readonly<Record<string, string>>;
  readonly commits: Readonly<Record<string, ReadonlyMap<string, Buffer>>>;
}

/** The server, what it was asked, and its address. */
export interface FakeHub {
  readonly server: Server;
  /** `METHOD /path` of each request; emptied by the tests. */
  readonly requests: string[];
  readonly url: string;
}

/** Starts a Hub with one repository. */
export async function startFakeHub({ kind, name, branches, commits }: FakeRepository): Promise<FakeHub> {
  const requests: string[] = [];
  const api = `/api/${kind}/${name}`;
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, "http://hub").pathname);
    requests.push(`${request.method} ${path}`);
    const json = (value: unknown, status = 200) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const findFiles = (commit: string) => commits[commit] ?? new Map<string, Buffer>();
    const describe = (commit: string) => (path: string) => {
      const bytes = findFiles(commit).get(path)!;
      const oid = createHash("sha1").update(bytes).digest("hex");
      return { type: "file", path, oid, size: bytes.length, lastCommit: { id: commit, title: "", date: "" } };
    };
    const revision = path.startsWith(`${api}/revision/`) ? path.slice(`${api}/revision/`.length) : undefined;
    const [, tree] = new RegExp(`^${api}/tree/([^/]+)$`).exec(path) ?? [];
    const [, listed] = new RegExp(`^${api}/paths-info/([^/]+)$`).exec(path) ?? [];
    const place = kind === "datasets" ? `/datasets/${name}` : `/${name}`;
    const [, commit, file] = new RegExp(`^${place}/resolve/([^/]+)/(.+)$`).exec(path) ?? [];
    const sha = revision === undefined ? undefined : (branches[revision] ?? (commits[revision] && revision));
    const bytes = file === undefined ? undefined : findFiles(commit).get(file);
    if (sha) json({ _id: "1", id: name, sha, lastModified: "2026-01-01" });
    else if (tree && commits[tree]) json([...findFiles(tree).keys()].map(describe(tree)));
    else if (listed && commits[listed]) {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => json(JSON.parse(body).paths.map(describe(listed))));
    } else if (bytes) {
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [];
      const part = from === undefined ? bytes : bytes.subarray(Number(from), Number(to) + 1);
      const range = from === undefined ? {} : { "content-range": `bytes ${from}-${to}/${bytes.length}` };
      response
        .writeHead(from === undefined ? 200 : 206, { etag: '"x"', "content-length": part.length, ...range })
        .end(part);
    } else json({ error: "not found" }, 404);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
