// The HTML report as a reader has it: opened from disk in a browser, wide and narrow, light and dark.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { writeHeadline } from "../../src/report/headline.ts";
import { renderReport } from "../../src/report/html.ts";
import { renderMarkdown } from "../../src/report/markdown.ts";
import type { ResultRow } from "../../src/result.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { makeRow, simulateStudy } from "../scaling/simulate.ts";
import { launchBrowser } from "./launch.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-report-"));
const rows = simulateStudy({ blocks: [64, 256], tasks: ["perplexity", "piqa"] });
const failures = [
  { model: "broken", spec: "int4", task: "perplexity", reason: "It ends too early.", date: rows[0].date },
];
let browser: Awaited<ReturnType<typeof launchBrowser>>;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Opens the report from disk; when the test ends, nothing may have been complained of or asked of a network. */
async function openReport(options: BrowserContextOptions = {}, report = { rows, failures }): Promise<Page> {
  const file = join(folder, "report.html");
  writeFileSync(file, renderReport(report));
  const url = pathToFileURL(file).href;
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => troubles.push(message.text()));
  page.on("dialog", (dialog) => troubles.push(dialog.message()));
  page.on("request", (request) => !/^(data|blob):/.test(request.url()) && troubles.push(request.url()));
  onTestFinished(async () => {
    await context.close();
    expect(troubles).toEqual([url]); // the page itself, once
  });
  await page.goto(url);
  return page;
}

const textsOf = (page: Page, selector: string) => page.locator(selector).allTextContents();

test("shows the table of budgets whole on a desktop, its last column too", async () => {
  const named = rows.map((row) => ({ ...row, model: { ...row.model, name: `${row.model.name}-instruct` } }));
  const page = await openReport({ viewport: { width: 1280, height: 900 } }, { rows: named, failures });
  const scroll = page.locator(".scroll").first();
  expect(await scroll.locator("th").last().textContent()).toBe("Rows");
  const [shown, whole] = await scroll.evaluate((element) => [element.clientWidth, element.scrollWidth]);
  expect(whole).toBe(shown);
});

test("begins with the answer and a figure with a labelled line for each precision", async () => {
  const page = await openReport();
  const [main] = answerRows(rows);
  expect(await page.locator(".answer").first().textContent()).toBe(writeHeadline(main)[0]);
  const figure = page.locator("svg.figure.wide").first();
  expect(await figure.isVisible()).toBe(true);
  const lines = figure.locator("g[aria-label=line] path");
  expect(await lines.count()).toBe(8);
  const colors = await lines.evaluateAll((paths) => paths.map((path) => getComputedStyle(path).stroke));
  expect(new Set(colors).size).toBe(8);
  for (const line of await lines.all()) expect((await line.boundingBox())!.width).toBeGreaterThan(40);
  const labels = await figure.locator("text.label").allTextContents(); // `3-bit`, or `3` where lines crowd
  expect(labels.map((label) => Number(label.replace("-bit", ""))).sort((a, b) => a - b)).toEqual([
    2, 3, 4, 5, 6, 7, 8, 16,
  ]);
  const frame = (await figure.boundingBox())!;
  const boxes = await Promise.all((await figure.locator("text.label").all()).map((label) => label.boundingBox()));
  for (const box of boxes) {
    expect(box!.x).toBeGreaterThanOrEqual(frame.x);
    expect(box!.x + box!.width).toBeLessThanOrEqual(frame.x + frame.width);
  }
});

test("the table filters by words, sorts by a heading both ways, and shows a page at a time", async () => {
  const page = await openReport();
  const column = async (name: string) => {
    const names = await page
      .locator("#experiments th")
      .evaluateAll((cells) => cells.map((cell) => cell.dataset.column));
    return textsOf(page, `#experiments tbody tr td:nth-child(${names.indexOf(name) + 1})`);
  };
  expect(await column("model")).toHaveLength(100);
  const shown = page.locator("#shown");
  expect(await shown.textContent()).toBe(`1 to 100 of ${rows.length}`);
  await page.locator("#after").click();
  expect(await shown.textContent()).toBe(`101 to ${rows.length} of ${rows.length}`);
  expect([await page.locator("#after").isDisabled(), await page.locator("#before").isDisabled()]).toEqual([
    true,
    false,
  ]);
  await page.locator("#before").click();
  await page.locator("#filter").fill("b256 PIQA 4.8m");
  await page.waitForFunction((count) => document.querySelectorAll("#experiments tbody tr").length === count, 7);
  expect(await page.locator("#shown").textContent()).toBe("1 to 7 of 7");
  expect(new Set(await column("model"))).toEqual(new Set(["books-4.8m"]));
  for (const spec of await column("spec")) expect(spec).toMatch(/:b256$/);

  await page.locator("#experiments th[data-column=totalBits] button").click();
  const sizes = (await column("totalBits")).map(Number);
  const ascending = sizes.toSorted((a, b) => a - b);
  const sorted = await page.locator("#experiments th[aria-sort]").getAttribute("aria-sort");
  expect(sizes).toEqual(sorted === "ascending" ? ascending : ascending.toReversed());
  await page.locator("#experiments th[data-column=totalBits] button").click();
  expect((await column("totalBits")).map(Number)).toEqual(sizes.toReversed());

  await page.locator("#filter").fill("no such row");
  await page.waitForFunction(() => document.querySelectorAll("#experiments tbody tr").length === 0);
});

test("a row's button and a point of the figure copy the command that measures them again", async () => {
  const page = await openReport({ permissions: ["clipboard-read", "clipboard-write"] });
  const command = (row: ResultRow) => {
    const data = `FILE-${row.key.dataHash.slice(0, 12)}`;
    return `kbit eval ${row.model.name} --spec ${row.key.spec} --text ${data} --window 256 --stride 256`;
  };
  const read = () => page.evaluate(() => navigator.clipboard.readText());
  await page.locator("#experiments tbody button").first().click();
  expect(await read()).toBe(command(rows[0]));
  expect(await page.locator("#said").textContent()).toBe(`Copied: ${command(rows[0])}`);

  const points = page.locator("svg.figure.wide").first().locator(".point");
  await points.first().focus();
  await page.keyboard.press("ArrowRight");
  const focused = page.locator(".point:focus");
  const shortId = (await focused.getAttribute("data-rows"))!;
  const row = rows.find(({ id }) => id.startsWith(shortId))!;
  expect(await page.locator("#tip").textContent()).toContain(`${row.model.name} at ${row.key.spec}`);
  await page.keyboard.press("Enter");
  await page.waitForFunction(
    (text) => document.querySelector("#said")!.textContent === text,
    `Copied: ${command(row)}`,
  );
  expect(await read()).toBe(command(row));
});

test("a number's button shows the rows that it is made of, and a figure's dots say which row they are", async () => {
  const page = await openReport();
  const [main] = answerRows(rows);
  const button = page.locator("table button[data-trace]").first();
  const count = Number.parseInt((await button.textContent())!, 10);
  await button.click();
  await page.waitForFunction((n) => document.querySelectorAll("#experiments tbody tr").length === n, count);
  const { best } = main.budgets[0].choice!;
  const specs = await textsOf(page, "#experiments tbody td:nth-child(3)");
  expect(specs).toContain(best.row.key.spec);
  expect(await page.locator("#traced-note").textContent()).toMatch(/^Only the \d+ behind “Budget /);
  await page.locator("#untrace").click();
  await page.waitForFunction(() => document.querySelectorAll("#experiments tbody tr").length === 100);

  // A dot behind the frontier: not a point of its own, yet the pointer finds its row.
  const cloud = page.locator("figure[data-name$=frontier] svg.wide path[data-cloud]").first();
  await cloud.scrollIntoViewIfNeeded();
  const { x, y, ids } = await cloud.evaluate((path: SVGPathElement) => {
    const [, left, top] = /M([\d.]+),([\d.]+)/.exec(path.getAttribute("d")!)!;
    const place = new DOMPoint(Number(left), Number(top)).matrixTransform(path.getScreenCTM()!);
    return { x: place.x, y: place.y, ids: path.getAttribute("data-cloud")!.split(",") };
  });
  await page.mouse.move(x + 1, y + 1);
  await page.locator("#tip").waitFor({ state: "visible" });
  expect(ids.some((id) => id !== "")).toBe(true);
  expect(await page.locator("#tip").textContent()).toMatch(/ at .*\n.*loss \d.*\nRow [0-9a-f]{16}/s);
});

test("a figure zooms and pans on its axes by wheel, drag, keys and buttons, and goes back", async () => {
  const page = await openReport();
  const figure = page.locator("figure[data-name$=curves]").first();
  const svg = figure.locator("svg.wide");
  await svg.scrollIntoViewIfNeeded();
  const read = () =>
    svg.evaluate((element) => ({
      points: [...element.querySelectorAll("circle.point")].map((point) => [
        Number(point.getAttribute("cx")),
        Number(point.getAttribute("cy")),
        Number(point.getAttribute("r")),
      ]),
      matrix: element.querySelector(".marks [aria-label=line]")!.getAttribute("transform"),
      ticks: [...element.querySelectorAll(".zoom-axes text")].map((text) => text.textContent!),
    }));
  const frames = () => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
  const before = await read();
  const box = (await svg.boundingBox())!;
  const middle = [box.x + box.width / 2, box.y + box.height / 2] as const;
  const scrolled = await page.evaluate(() => scrollY);
  await page.mouse.move(...middle);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
  await frames();
  const zoomed = await read();
  expect(await page.evaluate(() => scrollY)).toBe(scrolled);
  const k = Number(/matrix\(([\d.]+),/.exec(zoomed.matrix!)![1]);
  expect(k).toBeGreaterThan(1.5);
  const apart = (list: number[][]) => list[1][0] - list[0][0];
  expect(apart(zoomed.points) / apart(before.points)).toBeCloseTo(k, 1);
  expect(zoomed.points[0][2]).toBe(before.points[0][2]); // marks keep their size
  expect(new Set(zoomed.ticks).size).toBe(zoomed.ticks.length);
  expect(zoomed.ticks.filter((tick) => / [KM]B$/.test(tick)).length).toBeGreaterThan(2);

  await page.mouse.down();
  await page.mouse.move(middle[0] + 40, middle[1], { steps: 4 });
  await page.mouse.up();
  await frames();
  const dragged = await read();
  expect(dragged.points[0][0] - zoomed.points[0][0]).toBeCloseTo((40 * 760) / box.width, 0);
  expect(await page.locator("#said").textContent()).toBe(""); // a drag copies nothing

  await figure.locator("[data-zoom=reset]").click();
  await frames();
  const back = await read();
  expect([back.matrix, back.ticks]).toEqual([null, []]);
  back.points.forEach(([x, y], i) => {
    expect(x).toBeCloseTo(before.points[i][0], 1);
    expect(y).toBeCloseTo(before.points[i][1], 1);
  });
  await svg.locator(".point").first().focus();
  await page.keyboard.press("+");
  await frames();
  expect((await read()).matrix).toMatch(/^matrix\(1.5,/);
  await page.keyboard.press("0");
  await frames();
  expect((await read()).matrix).toBeNull();
});

test("two fingers zoom a figure, one then moves it, and the page stays where it is", async () => {
  const page = await openReport({ viewport: { width: 375, height: 740 }, hasTouch: true });
  const svg = page.locator("figure[data-name$=curves] svg.narrow").first();
  await svg.scrollIntoViewIfNeeded();
  const box = (await svg.boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const devtools = await page.context().newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...places: [number, number][]) =>
    devtools.send("Input.dispatchTouchEvent", { type, touchPoints: places.map(([x, y], id) => ({ x, y, id })) });
  const matrix = () =>
    svg.evaluate(
      (element) => /\(([^)]+)/.exec(element.querySelector("[aria-label=line]")!.getAttribute("transform") ?? "()")![1],
    );
  const settle = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50))));
  const scrolled = await page.evaluate(() => scrollY);
  await touch("touchStart", [x - 30, y], [x + 30, y]);
  for (let i = 1; i <= 6; i++) await touch("touchMove", [x - 30 - 10 * i, y], [x + 30 + 10 * i, y]);
  await touch("touchEnd");
  await settle();
  const [k, , , , left] = (await matrix()).split(",").map(Number);
  expect(k).toBeGreaterThan(2);
  expect(k).toBeLessThan(4); // the fingers moved to three times their distance
  await touch("touchStart", [x, y]);
  for (let i = 1; i <= 5; i++) await touch("touchMove", [x + 10 * i, y + 5 * i]);
  await touch("touchEnd");
  await settle();
  const moved = (await matrix()).split(",").map(Number);
  expect(moved[0]).toBe(k);
  expect(moved[4]).toBeGreaterThan(left + 20);
  expect(await page.evaluate(() => scrollY)).toBe(scrolled);
});

test("the CSV holds every row", async () => {
  const page = await openReport({ acceptDownloads: true });
  const started = page.waitForEvent("download");
  await page.locator("#csv").click();
  const download = await started;
  expect(download.suggestedFilename()).toBe("kbit-results.csv");
  const [head, ...lines] = readFileSync(await download.path(), "utf8")
    .trimEnd()
    .split("\r\n");
  expect(head).toContain("spec");
  expect(lines).toHaveLength(rows.length);
});

test.each([320, 375, 800])("nothing sticks out of a page %i pixels wide", async (width) => {
  const page = await openReport({ viewport: { width, height: 740 } });
  const overflow = () =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(await overflow()).toBe(0);
  expect(await page.locator("svg.figure.narrow").first().isVisible()).toBe(width < 500);
  expect(await page.locator("svg.figure.wide").first().isVisible()).toBe(width >= 500);
  for (const details of await page.locator("details > summary").all()) await details.click();
  expect(await overflow()).toBe(0);
  const point = page.locator("svg.figure:visible .point").last();
  await point.scrollIntoViewIfNeeded();
  await point.focus();
  const tip = (await page.locator("#tip").boundingBox())!;
  expect(tip.x).toBeGreaterThanOrEqual(0);
  expect(tip.x + tip.width).toBeLessThanOrEqual(width);
});

test("text stands out from its ground in light and in dark, which differ, and print is light", async () => {
  const page = await openReport();
  const look = async (media: Parameters<Page["emulateMedia"]>[0]) => {
    await page.emulateMedia(media);
    return page.evaluate(() => {
      const luminance = (color: string) => {
        const parts = color.match(/[\d.]+/g)!.slice(0, 3);
        const [r, g, b] = parts.map((part) => {
          const share = Number(part) / 255;
          return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const paper = luminance(getComputedStyle(document.body).backgroundColor);
      const contrast = (selector: string, property: "color" | "fill") => {
        const ink = luminance(getComputedStyle(document.querySelector(selector)!)[property]);
        return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      };
      const texts = [".answer", ".facts", ".note", "figcaption", "td", "h2", "dt"];
      return {
        paper,
        text: Math.min(...texts.map((selector) => contrast(selector, "color"))),
        label: contrast("svg.wide text.label", "fill"),
      };
    });
  };
  const light = await look({ colorScheme: "light" });
  const dark = await look({ colorScheme: "dark" });
  const print = await look({ colorScheme: "dark", media: "print" });
  expect(light.paper).toBeGreaterThan(0.9);
  expect(dark.paper).toBeLessThan(0.05);
  expect(print.paper).toBe(light.paper);
  // What WCAG asks for of text, and of graphical objects.
  for (const { text, label } of [light, dark, print]) {
    expect(text).toBeGreaterThan(4.5);
    expect(label).toBeGreaterThan(3);
  }
});

test("printed on A4 nothing is cut off, and no button is on the paper", async () => {
  const page = await openReport({ viewport: { width: 680, height: 960 } });
  await page.emulateMedia({ media: "print" });
  const wide = await page.evaluate(() =>
    [...document.querySelectorAll("table, svg.figure")]
      .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
      .map((element) => element.outerHTML.slice(0, 120)),
  );
  expect(wide).toEqual([]);
  expect(
    await page.locator("button.plain:visible").evaluateAll((all) => all.map((one) => one.outerHTML.slice(0, 120))),
  ).toEqual([]);
});

test("without scripts the answer, the figure and the rows are there", async () => {
  const page = await openReport({ javaScriptEnabled: false });
  expect(await page.locator(".answer").first().isVisible()).toBe(true);
  expect(await page.locator("svg.figure.wide").first().isVisible()).toBe(true);
  expect(await page.locator("#experiments tbody tr").count()).toBe(Math.min(200, rows.length));
  expect(await page.locator("#filter").isVisible()).toBe(false);
});

test("names that are HTML, script or endless are shown as text and break nothing", async () => {
  const names = [
    '</script><script>alert(1)</script><img src="https://example.com/x" onerror="alert(2)">',
    "x".repeat(3000),
  ];
  const hostile = names.flatMap((name) =>
    [8e6, 16e6].map((total) => ({
      ...makeRow({ model: `${name}${total}`, family: name, spec: name, total, metrics: { nll: 8e6 / total } }),
      machine: name,
    })),
  );
  const page = await openReport({ viewport: { width: 375, height: 740 } }, { rows: hostile, failures });
  expect(await page.locator("img, iframe").count()).toBe(0);
  expect((await textsOf(page, "#experiments tbody td:first-child")).some((text) => text.startsWith(names[0]))).toBe(
    true,
  );
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(375);
});

test("the figures of a Markdown report are whole SVG files, whatever names stand in them", async () => {
  const name = `a\u00a0b & <c> "d" 'e' class="label" \u202e`;
  const hostile = [8e6, 16e6, 32e6].flatMap((total) =>
    [4, 8, 16].map((bitsPerWeight) =>
      makeRow({
        model: `${total} ${name}`,
        family: name,
        spec: bitsPerWeight === 16 ? "fp16" : `int${bitsPerWeight}:b64`,
        bitsPerWeight,
        parameters: total,
        total: (total * bitsPerWeight) / 4,
        metrics: { nll: 2 + 1e7 / total },
      }),
    ),
  );
  const page = await openReport();
  for (const svg of renderMarkdown({ rows: hostile }, "report").figures.values()) {
    const read = await page.evaluate((text) => {
      const { documentElement } = new DOMParser().parseFromString(text, "image/svg+xml");
      return [documentElement.tagName, documentElement.textContent!];
    }, svg);
    expect(read[0]).toBe("svg");
    expect(read[1]).toContain("a\u00a0b & <c>");
  }
});

test("a figure is saved as SVG and PNG that stand alone, and its data as CSV", async () => {
  const page = await openReport({ acceptDownloads: true, colorScheme: "dark" });
  const save = async (kind: string) => {
    const started = page.waitForEvent("download");
    await page.locator(`figure[data-name=kbit-books-perplexity-curves] button[data-save=${kind}]`).click();
    const download = await started;
    expect(download.suggestedFilename()).toBe(`kbit-books-perplexity-curves.${kind}`);
    return readFileSync(await download.path());
  };
  const svg = (await save("svg")).toString();
  expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  expect(svg).not.toMatch(/var\(--|class=|tabindex|<script/);
  expect(svg).toContain("rgb(20, 21, 24)"); // the paper, as it is shown
  const png = await save("png");
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1520, 1000]);
  expect(png.length).toBeGreaterThan(20_000); // drawn, not blank
  const csv = (await save("csv")).toString().trimEnd().split("\r\n");
  expect(csv).toHaveLength(
    1 + (await page.locator("figure[data-name=kbit-books-perplexity-curves] svg.wide .point").count()),
  );
  if (process.env["KBIT_SHOTS"]) writeFileSync(join(process.env["KBIT_SHOTS"], "saved.png"), png);
});
