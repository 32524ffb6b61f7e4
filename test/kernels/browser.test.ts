// The WASM kernels where pages run them: in a Web Worker with threads, on the main thread, and without shared memory.

import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser, serveClone } from "../browser/launch.ts";

type Browser = Awaited<ReturnType<typeof launchBrowser>>;
let browser: Browser;
let bundle = "";

beforeAll(async () => {
  const result = await build({
    logLevel: "error",
    configFile: false,
    build: {
      write: false,
      minify: false,
      target: "esnext",
      lib: { entry: new URL("./browser-entry.ts", import.meta.url).pathname, formats: ["es"], fileName: "kernels" },
    },
  });
  const output = Array.isArray(result) ? result[0] : result;
  if (!("output" in output)) throw new Error("no bundle was made");
  bundle = output.output[0].code;
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** Opens a page that runs the bundle, in a worker or on the main thread, and gives what it reports. */
async function runPage(isolated: boolean, inWorker: boolean) {
  const script = inWorker
    ? `const worker = new Worker("/bundle.js", { type: "module" });
       worker.onmessage = ({ data }) => { window.report = data; };
       worker.onerror = ({ message }) => { window.report = { error: message }; };`
    : `import { checkHere } from "/bundle.js"; window.report = await checkHere();`;
  const pages = { "/": `<script type="module">${script}</script>`, "/bundle.js": bundle };
  const { url, server } = await serveClone(pages, isolated);
  const page = await browser.newPage();
  try {
    await page.goto(url);
    await page.waitForFunction("window.report !== undefined", undefined, { timeout: 30_000 });
    return await page.evaluate("window.report");
  } finally {
    await page.close();
    server.close();
  }
}

test("in a worker of an isolated page, two threads pass the self-test", async () => {
  expect(await runPage(true, true)).toEqual({ name: "wasm", threads: 2, failure: "none" });
});

test("on the main thread, which may not wait, one thread passes it", async () => {
  expect(await runPage(true, false)).toEqual({ name: "wasm", threads: 1, failure: "none" });
});

test("where a page may not share memory, one thread passes it", async () => {
  expect(await runPage(false, true)).toEqual({ name: "wasm", threads: 1, failure: "none" });
});
