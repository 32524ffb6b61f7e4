// The live page as a reader has it: a running study, the budget's slider, the playground, the inspector; on a desktop and
// on a phone, light and dark. `KBIT_SHOTS=FOLDER` keeps what was seen.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import type { BrowserContextOptions, Page, Route } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import * as kbit from "../../src/node.ts";
import { writeHeadline } from "../../src/report/headline.ts";
import type { ResultRow } from "../../src/result.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { openStore, type Store } from "../../src/study/store/store.ts";
import { watchStore } from "../../src/ui/live-node.ts";
import { bundledModels, openShelf } from "../../src/ui/models-node.ts";
import { startServer } from "../../src/ui/server-node.ts";
import { simulateLargeStudy } from "../scaling/large-study.ts";
import { makeRow, simulateStudy } from "../scaling/simulate.ts";
import { launchBrowser } from "./launch.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-live-"));
const sizes = [1e6, 4.8e6, 52e6];
const rows = simulateStudy({ sizes, types: ["float", "int"], blocks: [64, 256], tasks: ["perplexity", "piqa"] });
const desktop = { viewport: { width: 1100, height: 900 } };
const phone = { viewport: { width: 375, height: 740 }, hasTouch: true };
const shots = process.env["KBIT_SHOTS"];
let browser: Awaited<ReturnType<typeof launchBrowser>>;
let stores = 0;

beforeAll(async () => {
  if (!existsSync(fileURLToPath(new URL("../../dist/dashboard/page.js", import.meta.url)))) {
    throw new Error("dist/dashboard is missing; run npm run build");
  }
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

interface Opened {
  readonly page: Page;
  readonly store: Store;
}

/** Opens a view of a store; by the end the page may not have complained, nor its policy, nor asked anyone else. */
async function openPage(
  view: string,
  options: BrowserContextOptions,
  stored: readonly ResultRow[] = rows,
  prepare: (page: Page) => Promise<void> = async () => {},
): Promise<Opened> {
  const store = await openStore(join(folder, `${stores++}.db`));
  await store.add(stored);
  const live = watchStore(store, 50);
  await live.board();
  const server = await startServer({ live, shelf: await openShelf([bundledModels]), host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${server.port}/`;
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => troubles.push(message.text()));
  page.on("dialog", (dialog) => troubles.push(dialog.message()));
  page.on(
    "response",
    (response) => response.status() >= 400 && troubles.push(`${response.status()} ${response.url()}`),
  );
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) troubles.push(request.url());
  });
  onTestFinished(async () => {
    await context.close();
    live.close();
    await server.close();
    await store.close();
    expect(troubles).toEqual([]);
  });
  await prepare(page);
  await page.goto(`${url}#${view}`);
  return { page, store };
}

const waitForRows = (page: Page) => page.locator("#experiments tbody button").first().waitFor({ state: "attached" });
const waitForChoice = (page: Page, text: string) =>
  page.waitForFunction((part) => document.getElementById("choice")!.textContent!.includes(part), text);
const countOverflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** What the model of the first folder writes in Node, the prompt included. */
async function writeHere(spec: string, prompt: string, maxTokens: number): Promise<string> {
  const checkpoint = await kbit.openCheckpoint(join(bundledModels, "books-0.2m"));
  const kernels = await kbit.selectKernels({ name: "wasm", threads: 1 });
  const model = await kbit.loadModel(kbit.quantizeCheckpoint(checkpoint, kbit.parseSpec(spec)), kernels);
  const start = model.encode(prompt, "default");
  const written = await Array.fromAsync(model.generate(start, { maxTokens, temperature: 0 }));
  const text = prompt + model.decode([...start, ...written]).slice(model.decode(start).length);
  await model.close();
  await kernels.close();
  await checkpoint.close();
  return text;
}

async function shoot(page: Page, name: string): Promise<void> {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

test("shows the report's answer, follows a running study, and keeps what the reader had set", async () => {
  const half = rows.filter((row) => row.bitsPerWeight >= 5);
  const { page, store } = await openPage("report", desktop, half);
  await waitForRows(page);
  const headline = () => page.locator("#head .answer").first().textContent();
  expect(await headline()).toBe(writeHeadline(answerRows(half)[0])[0]);
  expect(await page.locator("#live").textContent()).toMatch(new RegExp(`^Live: ${half.length} results at `));

  await page.locator("#filter").fill("piqa 4.8m");
  await page.locator("#experiments th[data-column=totalBits] button").click();
  await page.waitForFunction(() => document.querySelector("#shown")!.textContent!.endsWith(" of 17"));
  await page.locator("#answer figure [data-zoom=in]").first().click();
  await page.locator("#answer svg.wide.zoomed").waitFor();
  await store.add(rows);
  await page.waitForFunction(
    (count) => document.querySelector("#live")!.textContent!.includes(` ${count} `),
    rows.length,
  );
  await page.waitForFunction(() => document.querySelector("#shown")!.textContent!.endsWith(" of 29"));
  expect(await headline()).toBe(writeHeadline(answerRows(rows)[0])[0]);
  await page.locator("#answer svg.wide.zoomed[data-view^='2 ']").waitFor();
  expect(await page.locator("#filter").inputValue()).toBe("piqa 4.8m");
  expect(await page.locator("#experiments th[aria-sort]").getAttribute("data-column")).toBe("totalBits");
  await shoot(page, "report-desktop");
});

test("a filter that is changed while a store's sections are on their way loses none of them", async () => {
  const half = rows.filter((row) => row.bitsPerWeight >= 5);
  /** Holds the next answer of a path; resolves once it is asked for. */
  const held = async (page: Page, path: string) => {
    const { promise: isAsked, resolve: tell } = Promise.withResolvers<void>();
    const { promise: isFree, resolve: letGo } = Promise.withResolvers<void>();
    const answer = async (route: Route) => {
      tell();
      await isFree;
      await route.continue();
    };
    await page.route(`**/${path}?*`, answer, { times: 1 });
    return { isAsked, letGo };
  };
  let findings: Awaited<ReturnType<typeof held>>;
  const { page, store } = await openPage("report", desktop, half, async (page) => {
    findings = await held(page, "findings");
  });
  await waitForRows(page);
  await findings!.isAsked;
  await page.locator("#filters [name=blocks]").selectOption("256");
  await waitForChoice(page, ":b256");
  findings!.letGo();
  await page.locator("#findings:not([aria-busy]) section").waitFor();

  const view = await held(page, "view");
  await store.add(rows);
  await view.isAsked;
  await page.locator("#filters [name=blocks]").selectOption("64");
  await waitForChoice(page, ":b64");
  view.letGo();
  await page.waitForFunction(
    (count) => document.querySelector("#shown")!.textContent!.endsWith(` of ${count}`),
    rows.length,
  );
});

test("of 35,000 results the answer, a page of rows and the slider are there before what takes long", async () => {
  const large = simulateLargeStudy();
  const sizes: Record<string, number> = {};
  const { promise: isSeen, resolve: letGo } = Promise.withResolvers<void>();
  const { page } = await openPage("report", desktop, large, async (page) => {
    page.setDefaultTimeout(100_000);
    for (const name of ["contrasts", "findings"]) {
      await page.route(`**/${name}?*`, async (route) => {
        await isSeen; // as if the server needed that long
        await route.continue();
      });
    }
    page.on("response", async (response) => {
      const { pathname } = new URL(response.url());
      if (["/view", "/rows"].includes(pathname)) sizes[pathname] = (await response.body()).length;
    });
  });
  await waitForRows(page);
  expect(await page.locator("#answer svg.figure.wide").count()).toBe(2);
  expect(await page.locator("#shown").textContent()).toBe("1 to 100 of 35,250");
  await page.locator("#budget").fill("900");
  await waitForChoice(page, "Within ");
  expect(await page.locator("#contrasts").textContent()).toBe("Comparing one choice at a time ..");
  expect(sizes["/view"]).toBeLessThan(1e6);
  expect(sizes["/rows"]).toBeLessThan(3e5);
  expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(12_000);

  // Every row can be reached: the last page, and words over all of them.
  await page.locator("#filter").fill("bloomz-3.0e+4m hellaswag quantile8:b64");
  await page.waitForFunction(() => document.querySelector("#shown")!.textContent === "1 to 1 of 1");
  letGo();
  await page.locator("#contrasts section").waitFor();
  await page.locator("#findings section").waitFor();
}, 120_000);

test("the slider moves the recommendation, marked in the figures, and filters choose what is compared", async () => {
  const { page } = await openPage("report", desktop);
  await waitForRows(page);
  const slide = (value: number) => page.locator("#budget").fill(String(value));
  const { points } = answerRows(rows)[0];
  const smallest = points[0].row;
  await slide(0);
  await waitForChoice(page, `${smallest.model.name} at ${smallest.key.spec}`);
  const small = await page.locator("#choice").textContent();
  await slide(1000);
  await waitForChoice(page, "books-52m");
  expect(await page.locator("#choice").textContent()).not.toBe(small);
  expect(await page.locator("#choice-curves").textContent()).toMatch(/^At exactly this size|^No precision/);
  const figure = page.locator("svg.figure.wide").first();
  const marked = figure.locator(".point.chosen");
  expect(await marked.count()).toBe(1);
  expect(await marked.getAttribute("aria-label")).toContain("books-52m");
  const line = (await figure.locator(".budget").boundingBox())!;
  const frame = (await figure.boundingBox())!;
  expect(line.x).toBeGreaterThan(frame.x + frame.width * 0.85);
  expect(line.x).toBeLessThan(frame.x + frame.width);

  await page.locator("#filters [name=blocks]").selectOption("256");
  await page.locator("#filters [name=types]").selectOption("int");
  await waitForChoice(page, ":b256");
  await page.locator("#filters [name=series]").selectOption({ index: 1 });
  await page.waitForFunction(() =>
    /by accuracy on|highest accuracy/.test(document.querySelector("#head")!.textContent!),
  );
  expect(await page.locator("svg.figure.wide").first().locator(".point[aria-label*='float']").count()).toBe(0);
  expect(await page.locator("#filters [name=blocks]").inputValue()).toBe("256");
});

test("the playground writes on with the WASM kernels on threads, and stops", async () => {
  const { page } = await openPage("playground", desktop);
  const status = page.locator("#play-status");
  await page.locator("#play [name=model] option").first().waitFor({ state: "attached" });
  await page.locator("#play [name=model]").selectOption("0");
  await page.locator("#play [name=maxTokens]").fill("60");
  await page.locator("#play [name=temperature]").fill("0");
  await page.locator("#play button[type=submit]").click();
  await page.waitForFunction(() => /kernels on/.test(document.querySelector("#play-status")!.textContent!));
  expect(await status.textContent()).toMatch(/^60 tokens, \d+ tokens a second; .* wasm kernels on \d+ threads?$/);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  const text = (await page.locator("#written").textContent())!;
  expect(text).toBe(await writeHere("nf4:b64:embed:head", "It was near the close of the year, and", 60));
  await shoot(page, "playground-desktop");

  // The same words at 2 bits are others; a spec that there is not is a sentence.
  await page.locator("#play [name=spec]").fill("int2:b1024");
  await page.locator("#play button[type=submit]").click();
  await page.waitForFunction((before) => document.querySelector("#written")!.textContent !== before, text);
  await page.waitForFunction(() => /kernels on/.test(document.querySelector("#play-status")!.textContent!));
  expect(await page.locator("#written").textContent()).not.toBe(text);
  await page.locator("#play [name=spec]").fill("int9");
  await page.locator("#play button[type=submit]").click();
  await page.locator("#play-status.trouble").waitFor();
  expect(await status.textContent()).toMatch(/int9/);

  // A stop that is asked for while the model is being prepared is seen after the first token.
  await page.locator("#play [name=spec]").fill("fp16");
  await page.evaluate(() => {
    document.querySelector<HTMLFormElement>("#play")!.requestSubmit();
    document.querySelector<HTMLButtonElement>("#stop")!.click();
  });
  await page.waitForFunction(() => /kernels on/.test(document.querySelector("#play-status")!.textContent!));
  expect(await status.textContent()).toMatch(/^1 token; .* wasm kernels on/);
  expect(await page.locator("#stop").isDisabled()).toBe(true);
});

test.each(["report", "playground", "inspector"])(
  "every control of the %s has a name, and keys reach it",
  async (view) => {
    const { page } = await openPage(view, desktop);
    if (view === "report") {
      await waitForRows(page);
      await page.locator("#findings section").waitFor();
    } else await page.locator(`#view-${view} select option`).first().waitFor({ state: "attached" });
    const controls = "button, input, select, textarea, a, summary, svg.figure, [role=region]";
    const nameless = await page.evaluate((selector) => {
      const nameOf = (element: Element) => {
        const own = element.getAttribute("aria-label") ?? "";
        const labels = [...((element as HTMLInputElement).labels ?? [])].map((label) => label.textContent);
        return [own, ...labels, element.matches("button, a, summary") ? element.textContent : ""].join("").trim();
      };
      const isShown = (element: Element) => element.getClientRects().length > 0;
      const all = [...document.querySelectorAll(selector)].filter(isShown);
      return all.filter((element) => nameOf(element) === "").map((element) => element.outerHTML.slice(0, 200));
    }, controls);
    expect(nameless).toEqual([]);
    const wanted = { report: "budget", playground: "play-write", inspector: "look-start" }[view];
    const reached: string[] = [];
    for (let i = 0; i < 20 && !reached.includes(wanted!); i++) {
      await page.keyboard.press("Tab");
      reached.push(await page.evaluate(() => document.activeElement!.id));
    }
    expect(reached).toContain(wanted);
    if (view !== "report") return;
    const before = await page.locator("#budget-size").textContent();
    for (let i = 0; i < 3; i++) await page.keyboard.press("PageUp");
    await page.waitForFunction((text) => document.querySelector("#budget-size")!.textContent !== text, before);
    expect(await page.locator("#budget").getAttribute("aria-valuetext")).toBe(
      await page.locator("#budget-size").textContent(),
    );
  },
);

test("the inspector draws weights under their codebook, errors by block, and marks outlier columns", async () => {
  const { page } = await openPage("inspector", desktop);
  await page.locator("#seen figure").nth(2).waitFor();
  const [codes, captions] = [page.locator("#seen .code"), page.locator("#seen figcaption")];
  const countLines = async () => (await codes.getAttribute("d"))!.split("M").length - 1;
  expect(await countLines()).toBe(15); // float4:e2 has two zeros
  expect(await page.locator("#seen .strong").getAttribute("d")).not.toBe("");
  expect(await captions.nth(2).textContent()).toMatch(/marked are the \d+ that stay in 16 bits/);
  await shoot(page, "inspector-desktop");
  await page.locator("#look [name=spec]").fill("int2:b64");
  await page.locator("#look button").click();
  await page.waitForFunction(() => /the 3 values/.test(document.querySelector("#seen")!.textContent!));
  expect(await countLines()).toBe(3);
  expect(await captions.nth(2).textContent()).toMatch(/keeps none of them/);
  await page.locator("#look [name=spec]").fill("fp16");
  await page.locator("#look button").click();
  await page.locator("#look-status.trouble").waitFor();
  expect(await page.locator("#look-status").textContent()).toMatch(/quantizes nothing/);
});

test.each(["report", "playground", "inspector"])(
  "nothing of the %s sticks out of a phone, light or dark",
  async (view) => {
    for (const colorScheme of ["light", "dark"] as const) {
      const { page } = await openPage(view, { ...phone, colorScheme });
      if (view === "report") await waitForRows(page);
      if (view === "inspector") await page.locator("#seen figure").nth(2).waitFor();
      expect(await countOverflow(page)).toBe(0);
      await shoot(page, `${view}-phone-${colorScheme}`);
    }
  },
);

test("a store that another version of kbit takes over is a sentence, what was read stays, and it comes back", async () => {
  const { page, store } = await openPage("report", desktop, rows.slice(0, 60));
  await waitForRows(page);
  const headline = await page.locator("#head .answer").first().textContent();
  const database = new DatabaseSync(store.path);
  const taken = "alter table results rename to other; insert into kbit_schema (version, applied) values (99, '')";
  const given = "alter table other rename to results; delete from kbit_schema where version = 99";
  database.exec(taken);
  await page.locator("#live.trouble").waitFor();
  expect(await page.locator("#live").textContent()).toMatch(/has schema version 99/);
  expect(await page.locator("#head .answer").first().textContent()).toBe(headline);
  database.exec(given);
  await page.waitForFunction(() => /^Live: 60 results/.test(document.querySelector("#live")!.textContent!));
  await store.add(rows);
  await page.waitForFunction(
    (n) => document.querySelector("#live")!.textContent!.includes(` ${n} results`),
    rows.length,
  );
  database.close();
});

test("a page opened while its store is down does not claim to read it, and fills when it comes back", async () => {
  const store = await openStore(join(folder, `${stores++}.db`));
  await store.add(rows);
  let isDown = true;
  const count = () => (isDown ? Promise.reject(new kbit.InputError("The store is down.")) : store.count());
  const live = watchStore({ ...store, count }, 50);
  const server = await startServer({ live, shelf: await openShelf([bundledModels]), host: "127.0.0.1", port: 0 });
  const context = await browser.newContext(desktop);
  onTestFinished(async () => {
    await context.close();
    live.close();
    await server.close();
    await store.close();
  });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${server.port}/`);
  await page.waitForFunction(() => /^Nothing can be shown yet/.test(document.querySelector("#head")!.textContent!));
  expect(await page.locator("#live.trouble").textContent()).toBe("The store is down.");
  isDown = false;
  await waitForRows(page);
  await page.waitForFunction(() => /^Live: /.test(document.querySelector("#live")!.textContent!));
  expect(await page.locator("#head .answer").first().textContent()).toBe(writeHeadline(answerRows(rows)[0])[0]);
});

test("the inspector's status stands beside its button, on one line", async () => {
  const { page } = await openPage("inspector", { viewport: { width: 1280, height: 900 } });
  await page.locator("#seen figure").nth(2).waitFor();
  const [button, status] = [
    await page.locator("#look-start").boundingBox(),
    await page.locator("#look-status").boundingBox(),
  ];
  expect(await page.locator("#look-status").textContent()).toMatch(/bits/);
  expect(status!.height).toBeLessThan(1.2 * button!.height);
  expect(Math.abs(status!.y + status!.height / 2 - button!.y - button!.height / 2)).toBeLessThan(button!.height / 2);
});

test("an empty store says so and fills by itself; hostile names stay text", async () => {
  const { page, store } = await openPage("report", phone, []);
  await page.waitForFunction(() => /There are no results yet/.test(document.querySelector("#head")!.textContent!));
  expect(await page.locator("#chooser").isVisible()).toBe(false);
  const name = `</script><img src="https://example.com/x" onerror="alert(1)">\u202e${"x".repeat(2000)}`;
  const hostile = [8e6, 16e6].flatMap((total) =>
    [4, 8].map((bitsPerWeight) =>
      makeRow({
        model: `${name}${total}`,
        family: name,
        spec: name + bitsPerWeight,
        bitsPerWeight,
        total,
        metrics: { nll: 1 },
      }),
    ),
  );
  await store.add(hostile);
  await waitForRows(page);
  expect(await page.locator("img, iframe").count()).toBe(0);
  expect(await page.locator("#choice").isVisible()).toBe(true);
  expect(await countOverflow(page)).toBe(0);
});
