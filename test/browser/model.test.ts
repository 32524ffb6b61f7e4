// A model in a page: fetched, quantized, measured and written with, held to the same in Node. Once as a plain page uses
// the built package, by an import map; once as a bundler packs it for a worker.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import * as kbit from "../../src/index.ts";
import { readExamples } from "../docs/examples.ts";
import { walkImports } from "../reach.ts";
import { launchBrowser, serveClone } from "./launch.ts";
import { modelFiles, runLine } from "./line.js";

type Line = Awaited<ReturnType<typeof runLine>>;
const root = fileURLToPath(new URL("../..", import.meta.url));
const head = `<!doctype html><link rel="icon" href="data:,">`;
const entry = `${root}dist/index.js`;
let browser: Awaited<ReturnType<typeof launchBrowser>>;
let here: Line;

beforeAll(async () => {
  if (!existsSync(entry)) throw new Error("dist/index.js is missing; run npm run build");
  const folder = `${root}models/books/books-0.2m`;
  const files = new Map(modelFiles.map((name) => [name, new Uint8Array(readFileSync(`${folder}/${name}`))]));
  const text = readFileSync(`${root}models/books/heldout.txt`, "utf8");
  here = await runLine(kbit, files, text, { name: "wasm", threads: 1 });
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** A module and all that it imports in one file, as a bundler makes it. */
async function bundle(file: string): Promise<string> {
  const lib = { entry: file, formats: ["es" as const], fileName: "bundle" };
  const result = await build({
    root,
    logLevel: "error",
    configFile: false,
    build: { write: false, minify: false, target: "esnext", lib },
  });
  const output = Array.isArray(result) ? result[0] : result;
  if (!("output" in output)) throw new Error("no bundle was made");
  expect(output.output[0].imports).toEqual([]);
  return output.output[0].code;
}

/** A page that runs a script on the built package as it is, its packages found by an import map; and what it loads. */
async function makePlainPage(script: string): Promise<Record<string, string>> {
  const { packages } = walkImports(new URL("../../src/index.ts", import.meta.url));
  const imports: Record<string, string> = { "kbit/browser": "/dist/index.js" };
  const pages: Record<string, string> = {};
  for (const [i, name] of [...packages].entries()) {
    imports[name] = `/packages/${i}.js`;
    // A page takes no CommonJS, of which some packages consist; so each is bundled.
    pages[imports[name]] = await bundle(fileURLToPath(import.meta.resolve(name)));
  }
  const map = `<script type="importmap">${JSON.stringify({ imports })}</script>`;
  return { ...pages, "/": `${head}<body>${map}<script type="module">${script}</script>` };
}

/** Opens a page and waits until it has done its work; no error may come up meanwhile. */
async function openPage(pages: Record<string, string>, isolated: boolean, isDone: () => boolean): Promise<Page> {
  const { url, server } = await serveClone(pages, isolated);
  const page = await browser.newPage();
  onTestFinished(async () => {
    await page.close();
    server.closeAllConnections();
    server.close();
  });
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  page.on(
    "response",
    (response) => response.status() >= 400 && troubles.push(`${response.status()} ${response.url()}`),
  );
  await page.goto(url);
  await page.waitForFunction(isDone, undefined, { timeout: 30_000 }).catch((error) => troubles.push(String(error)));
  expect(troubles).toEqual([]);
  return page;
}

async function readReport(pages: Record<string, string>, isolated: boolean): Promise<Line> {
  const page = await openPage(pages, isolated, () => "report" in window);
  return page.evaluate(() => (window as unknown as { report: Line }).report);
}

function expectSame(there: Line) {
  expect(there.convention).toBe(here.convention);
  expect(there.tokens).toBe(6 * 127);
  expect(there.total).toBe(here.total);
  expect(Math.abs(there.nll / here.nll - 1)).toBeLessThan(1e-6);
  expect(Math.abs(there.perplexity / here.perplexity - 1)).toBeLessThan(1e-6);
  expect(there.text).toBe(here.text);
  expect(there.written).toEqual(here.written);
  expect(there.sampled).toEqual(here.sampled);
}

test("in Node the model is the trained one: it predicts its text far better than chance and writes on", () => {
  expect(here).toMatchObject({ name: "wasm", threads: 1, convention: "windows-128-stride-128" });
  expect(here.perplexity).toBeGreaterThan(2);
  expect(here.perplexity).toBeLessThan(200);
  expect(here.written).toHaveLength(24);
  expect(here.sampled).not.toEqual(here.written);
});

test("a plain page without isolation runs the built package on its main thread, on one thread", async () => {
  const pages = await makePlainPage(`
    import * as kbit from "kbit/browser";
    import { fetchAndRunLine } from "/test/browser/line.js";
    window.report = await fetchAndRunLine(kbit, { name: "wasm", threads: 4 });`);
  const there = await readReport(pages, false);
  expect(there).toMatchObject({ name: "wasm", threads: 1 });
  expectSame(there);
});

test("a worker of an isolated page runs the bundled package on several threads", async () => {
  const page = `${head}<script type="module">
      if (!crossOriginIsolated) throw new Error("not isolated");
      const worker = new Worker("/worker.js", { type: "module" });
      worker.onmessage = ({ data }) => { window.report = data; };
      worker.onerror = (event) => console.error(event.message);
    </script>`;
  const worker = `import * as kbit from "/bundle.js";
    import { fetchAndRunLine } from "/test/browser/line.js";
    postMessage(await fetchAndRunLine(kbit, { name: "wasm", threads: 3 }));`;
  const there = await readReport({ "/": page, "/worker.js": worker, "/bundle.js": await bundle(entry) }, true);
  expect(there).toMatchObject({ name: "wasm", threads: 3 });
  expectSame(there);
});

test("the page of docs/api.md writes what its program for Node writes", async () => {
  const examples = readExamples("api");
  const { code } = examples.find(({ language }) => language === "js")!;
  const page = await openPage(await makePlainPage(code), true, () => /\w/.test(document.body.innerText));
  const text = await page.evaluate(() => document.body.innerText);
  expect(text).toMatch(/^It was near the close of \w+/);
  expect(examples.map(({ output }) => output).join("")).toContain(`  ${text}\n`);
});
