// A headless Chromium for tests: the one that comes as a package, else the system's; pages served from the clone.
// The package also carries the shared libraries that a bare machine lacks.

import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

const contentTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** A browser of playwright-core; close it after use. */
export async function launchBrowser() {
  // Tells the package that it must bring its own shared libraries.
  process.env["AWS_LAMBDA_JS_RUNTIME"] ??= "nodejs22.x";
  const { default: packaged } = await import("@sparticuz/chromium");
  const { chromium } = await import("playwright-core");
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"];
  return chromium.launch({ executablePath: await packaged.executablePath(), args, headless: true });
}

/**
 * Serves the clone's files (and `pages`, by path) on a free local port, isolated so that SharedArrayBuffer works.
 *
 * @param isolated - send the headers that make a page cross-origin isolated
 */
export async function serveClone(
  pages: Record<string, string>,
  isolated = true,
): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    const file = join(root, path);
    const body = pages[path] ?? (file.startsWith(root) && existsSync(file) ? readFileSync(file) : undefined);
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    if (body === undefined) return response.writeHead(404).end();
    response.setHeader("Content-Type", contentTypes[extname(path)] ?? "text/html; charset=utf-8");
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { url: `http://127.0.0.1:${address.port}`, server };
}
