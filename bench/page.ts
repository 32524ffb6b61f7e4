// How long does a study of 35,250 results take to show, and does its page pan without stutter?
//
//     node bench/page.ts [--json]
//
// Starts `kbit ui` on a simulated store of the paper's size as a user would, opens its page in a browser, and writes the
// report of the same store. Needs what the browser tests need (npm test installs it) and a built dist/.
// Times are wall clock: on a busy machine also look at the processor times.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openStore } from "../src/study/store/store.ts";
import { launchBrowser } from "../test/browser/launch.ts";
import { simulateLargeStudy } from "../test/scaling/large-study.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-bench-page-"));
const db = join(folder, "large.db");
const kbit = fileURLToPath(new URL("../dist/cli/bin.js", import.meta.url));
const rows = simulateLargeStudy();
const store = await openStore(db);
await store.add(rows);
await store.close();

const browser = await launchBrowser();
const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
await page.goto("about:blank");
const figures: Record<string, number> = { results: rows.length };

// From the command to an answer on the page, then until everything that is computed later is there.
let started = performance.now();
const since = () => Math.round(performance.now() - started);
const server = spawn(process.execPath, [kbit, "ui", "--db", db, "--port", "0", "--json"]);
const url = await new Promise<string>((resolve, reject) => {
  let printed = "";
  server.stdout.on("data", (data) => {
    printed += data;
    if (printed.trimEnd().endsWith("}")) resolve(JSON.parse(printed).url);
  });
  server.on("close", () => reject(new Error("kbit ui ended")));
});
figures["ui_listens_ms"] = since();
await page.goto(url);
await page.locator("#answer svg.figure").first().waitFor();
await page.locator("#experiments tbody button").first().waitFor({ state: "attached" });
figures["ui_answer_ms"] = since();
await page.waitForFunction(() => ["contrasts", "findings"].every((id) => document.querySelector(`#${id} section`)));
figures["ui_all_ms"] = since();
started = performance.now();
await page.reload();
await page.locator("#answer svg.figure").first().waitFor();
await page.locator("#experiments tbody button").first().waitFor({ state: "attached" });
figures["ui_reload_ms"] = since();
server.kill("SIGINT");

started = performance.now();
const report = join(folder, "large.html");
await new Promise((resolve) =>
  spawn(process.execPath, [kbit, "report", "--db", db, "--out", report, "--json"], { stdio: "ignore" }).on(
    "close",
    resolve,
  ),
);
figures["report_written_ms"] = since();
figures["report_megabytes"] = Number((statSync(report).size / 1e6).toFixed(1));
started = performance.now();
await page.goto(pathToFileURL(report).href);
await page.locator("#experiments tbody button").first().waitFor({ state: "attached" });
figures["report_opens_ms"] = since();

// Frames while the figure with most marks is zoomed and dragged about: the slowest counts.
const frontier = page.locator("figure[data-name$=frontier] svg.wide").first();
await frontier.scrollIntoViewIfNeeded();
figures["marks"] = await frontier.evaluate(
  (svg) =>
    svg.querySelectorAll(".point").length +
    [...svg.querySelectorAll("[data-cloud]")].reduce(
      (n, path) => n + path.getAttribute("data-cloud")!.split(",").length,
      0,
    ),
);
const box = (await frontier.boundingBox())!;
const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
await page.evaluate(() => {
  const times: number[] = [];
  Object.assign(window, { times });
  let last = performance.now();
  const tick = (now: number) => {
    times.push(now - last);
    last = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
});
await page.mouse.move(x, y);
await page.keyboard.down("Control");
for (let i = 0; i < 10; i++) await page.mouse.wheel(0, -20);
await page.keyboard.up("Control");
await page.mouse.down();
for (let i = 0; i < 60; i++) await page.mouse.move(x + 100 * Math.sin(i / 5), y + 60 * Math.cos(i / 7));
await page.mouse.up();
const times = (await page.evaluate(() => (window as unknown as { times: number[] }).times)).sort((a, b) => a - b);
figures["pan_median_frame_ms"] = Number(times[times.length >> 1].toFixed(1));
figures["pan_slowest_frame_ms"] = Number(times[times.length - 1].toFixed(1));

await browser.close();
rmSync(folder, { recursive: true });
if (process.argv.includes("--json")) console.log(JSON.stringify(figures, null, 2));
else for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(24)} ${value}`);
process.exit(0);
