// The live page's server by itself: who is let in, what can be read, and what it says of stores that are empty, being
// written, or not readable.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { addUiCommand } from "../../src/cli/ui.ts";
import { InputError } from "../../src/input-error.ts";
import type { RecordPage } from "../../src/report/record-index.ts";
import { openStore } from "../../src/study/store/store.ts";
import { isLoopback } from "../../src/ui/access-node.ts";
import { type LiveState, watchStore } from "../../src/ui/live-node.ts";
import { bundledModels, openShelf } from "../../src/ui/models-node.ts";
import { startServer } from "../../src/ui/server-node.ts";
import type { LiveChoice, LiveView } from "../../src/ui/views.ts";
import { simulateStudy } from "../scaling/simulate.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-ui-"));
afterAll(() => rmSync(folder, { recursive: true }));
const page = join(folder, "page");
mkdirSync(page);
writeFileSync(join(page, "index.html"), "<!doctype html><title>page</title>");
writeFileSync(join(page, "page.js"), "export {};");
writeFileSync(join(folder, "secret.css"), "secret");

const sizes = [1e6, 4.8e6, 52e6];
const rows = simulateStudy({ sizes, types: ["float", "int"], blocks: [64, 256], tasks: ["perplexity", "piqa"] });
let stores = 0;

async function serve(options: { token?: string; rows?: typeof rows; models?: string[] } = {}) {
  const store = await openStore(join(folder, `${stores++}.db`));
  await store.add(options.rows ?? rows);
  const live = watchStore(store, 20);
  const shelf = await openShelf(options.models ?? [bundledModels]);
  const server = await startServer({ live, shelf, host: "127.0.0.1", port: 0, token: options.token, page });
  onTestFinished(async () => {
    live.close();
    await server.close();
    await store.close();
  });
  return { store, live, port: server.port, url: `http://127.0.0.1:${server.port}` };
}

/** A request as it is, with any path and headers; `fetch` would tidy both. */
function ask(port: number, path: string, headers: Record<string, string> = {}, method = "GET") {
  return new Promise<{ status: number; text: string; headers: Record<string, unknown> }>((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, headers, method }, (response) => {
      let text = "";
      response.on("data", (part) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode!, text, headers: response.headers }));
    })
      .on("error", reject)
      .end();
  });
}

const readJson = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>;

describe("who is let in", () => {
  test("every answer carries the policy, isolation and no sniffing, also a refusal", async () => {
    const { port } = await serve();
    for (const path of ["/", "/page.js", "/report.css", "/view", "/nothing", "/models/0/config.json"]) {
      const { headers } = await ask(port, path);
      const policy = String(headers["content-security-policy"]);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
      expect(policy).not.toMatch(/unsafe-inline|'unsafe-eval'|\*/);
      expect(headers["cross-origin-opener-policy"]).toBe("same-origin");
      expect(headers["cross-origin-embedder-policy"]).toBe("require-corp");
      expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  test("without a token only names of this machine are answered, so that no other site's name leads here", async () => {
    const { port } = await serve();
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      expect((await ask(port, "/view", { host })).status).toBe(200);
    }
    for (const host of ["evil.example", `evil.example:${port}`, "localhost.evil.example", "127.0.0.1.evil.example"]) {
      const refused = await ask(port, "/view", { host });
      expect(refused.status).toBe(421);
      expect(refused.text).toBe("This page is open on its own machine only; ask for it as localhost.");
    }
  });

  test("with a token nothing is answered without it; the page's address gives it, and a cookie keeps it", async () => {
    const { port } = await serve({ token: "long-enough-token" });
    const paths = [
      "/",
      "/page.js",
      "/view",
      "/rows",
      "/results.csv",
      "/contrasts",
      "/findings",
      "/events",
      "/models",
      "/models/0/config.json",
      "/choice",
    ];
    for (const path of paths) expect((await ask(port, path)).status).toBe(401);
    for (const path of ["/?token=", "/?token=long-enough-toke", "/view?token=long-enough-token"]) {
      expect((await ask(port, path)).status).toBe(401);
    }
    const first = await ask(port, "/?token=long-enough-token");
    expect(first.status).toBe(200);
    const cookie = String(first.headers["set-cookie"]);
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    expect((await ask(port, "/view", { cookie: cookie.split(";")[0] })).status).toBe(200);
    expect((await ask(port, "/view", { cookie: `kbit-${port}=other` })).status).toBe(401);
    expect((await ask(port, "/view", { cookie: "kbit-1=long-enough-token" })).status).toBe(401);
  });

  test("nothing can be changed: only GET is answered", async () => {
    const { port } = await serve();
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      expect((await ask(port, "/view", {}, method)).status).toBe(405);
    }
  });

  test.each([
    ["localhost", true],
    ["127.0.0.1", true],
    ["127.9.9.9", true],
    ["::1", true],
    ["0.0.0.0", false],
    ["192.168.0.7", false],
    ["::", false],
    ["127.0.0.1.example.com", false],
  ])("%s is this machine only: %s", (host, expected) => expect(isLoopback(host)).toBe(expected));
});

describe("what can be read", () => {
  test("no path leads out of the page's and the models' listed files", async () => {
    const { port } = await serve();
    const paths = [
      "/../secret.css",
      "/%2e%2e/secret.css",
      "/..%2fsecret.css",
      "/page.js/../../secret.css",
      "//etc/passwd",
      "/models/0/../../heldout.txt",
      "/models/0/..%2f..%2fheldout.txt",
      "/models/0/%2e%2e",
      "/models/0/README.md",
      "/models/0/constructor",
      "/models/0/__proto__",
      "/models/99/config.json",
      "/models/-1/config.json",
      "/models/0/config.json/..",
    ];
    for (const path of paths) expect((await ask(port, path)).status, path).toBe(404);
    expect((await ask(port, "/models/0/config.json")).status).toBe(200);
    expect((await ask(port, "http://elsewhere.example/view")).status).toBe(200); // a proxy's form: the path counts
    const raw = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.end("GET http:// HTTP/1.1\r\nHost: localhost\r\n\r\n"));
      socket.on("data", (data) => resolve(String(data)));
    });
    expect(raw).toMatch(/^HTTP\/1.1 40[04]/);
  });

  test("models are those below the folder: no other files, and no link out of it", async () => {
    const models = join(folder, "models");
    const outside = join(folder, "outside");
    for (const place of [join(models, "mine"), join(models, "linked"), outside]) mkdirSync(place, { recursive: true });
    for (const place of [join(models, "mine"), outside]) {
      writeFileSync(join(place, "config.json"), "{}");
      writeFileSync(join(place, "model.safetensors"), "weights");
      writeFileSync(join(place, "private.txt"), "private");
    }
    writeFileSync(join(models, "linked", "config.json"), "{}");
    symlinkSync(join(outside, "model.safetensors"), join(models, "linked", "model.safetensors"));
    symlinkSync(outside, join(models, "away"));
    const { port, url } = await serve({ models: [models] });
    const listed = await readJson<{ name: string; files: Record<string, number> }[]>(`${url}/models`);
    expect(listed.map(({ name, files }) => [name, Object.keys(files).sort()])).toEqual([
      ["mine", ["config.json", "model.safetensors"]],
    ]);
    expect((await ask(port, "/models/0/model.safetensors")).text).toBe("weights");
    // A link that is put in the file's place later is not followed out either.
    rmSync(join(models, "mine", "model.safetensors"));
    symlinkSync(join(outside, "model.safetensors"), join(models, "mine", "model.safetensors"));
    expect((await ask(port, "/models/0/model.safetensors")).status).toBe(404);
  });

  test("a folder without models, and none at all, are each refused in a sentence", async () => {
    await expect(openShelf([page])).rejects.toThrow(/holds no model/);
    await expect(openShelf([join(folder, "missing")])).rejects.toThrow(/There is no folder/);
  });
});

describe("what is shown", () => {
  test("the view is the chosen series under the chosen filters, as the report shows it", async () => {
    const { url } = await serve();
    const view = await readJson<LiveView>(`${url}/view`);
    expect(view.series).toEqual(["books, perplexity (loss)", "books, piqa (accuracy)"]);
    expect(view.head).toMatch(/bits give the lowest loss on the text at equal size/);
    expect([view.types, view.blocks]).toEqual([
      ["float", "int"],
      ["64", "256"],
    ]);
    const other = await readJson<LiveView>(
      `${url}/view?series=${encodeURIComponent(view.series[1])}&types=int&blocks=256`,
    );
    expect(other.chosen).toBe("books, piqa (accuracy)");
    expect(other.head).toMatch(/by accuracy on piqa/);
    expect(other.answer).toContain("int4:b256");
    expect(other.answer).not.toContain("float4");
    for (const query of ["count=none", "metric=bleu"]) {
      const refused = await fetch(`${url}/view?${query}`);
      expect(refused.status).toBe(422);
      expect(await refused.text()).toMatch(/^(There is no count|Metric "bleu")/);
    }
  });

  test("as the budget grows the recommendation is never worse and always fits", async () => {
    const { url } = await serve();
    const [low, high] = (await readJson<LiveView>(`${url}/view`)).range!;
    let [before, last] = [Number.POSITIVE_INFINITY, -1];
    for (let i = 0; i <= 12; i++) {
      const budget = Math.ceil(low * (high / low) ** (i / 12));
      const choice = await readJson<LiveChoice>(`${url}/choice?budget=${budget}`);
      const row = rows.find(({ id }) => id.startsWith(choice.rows[0]))!;
      expect(row.bits.total).toBeLessThanOrEqual(budget);
      expect(row.metrics["nll"].value).toBeLessThanOrEqual(before);
      expect(choice.sentences[0]).toContain(`${row.model.name} at ${row.key.spec}`);
      expect(choice.marks.wide[0]).toBeGreaterThan(last);
      [before, last] = [row.metrics["nll"].value, choice.marks.wide[0]];
    }
    const none = await readJson<LiveChoice>(`${url}/choice?budget=8`);
    expect([none.rows, none.sentences[0]]).toEqual([[], "Nothing that was measured fits into 1 B."]);
    for (const budget of ["0", "-1", "x", "Infinity"])
      expect((await fetch(`${url}/choice?budget=${budget}`)).status).toBe(422);
  });

  test("rows come a page at a time: by words, ids and in order, and all of them as CSV", async () => {
    const { url } = await serve();
    const find = (query: Record<string, string>) =>
      readJson<RecordPage>(`${url}/rows?${new URLSearchParams({ count: "10", ...query })}`);
    const all = await find({});
    expect([all.total, all.from, all.rows.length]).toEqual([rows.length, 0, 10]);
    const words = await find({ words: "PIQA 4.8m", sort: "totalBits", descending: "true" });
    const wanted = rows.filter((row) => row.key.task === "piqa" && row.model.name === "books-4.8m");
    expect(words.total).toBe(wanted.length);
    const sizes = wanted.map((row) => row.bits.total).sort((a, b) => b - a);
    expect(words.rows.map((row) => row["totalBits"])).toEqual(sizes.slice(0, 10));
    const last = await find({ from: "1000000" });
    expect([last.from, last.rows.length]).toEqual([rows.length - 1, 1]);
    const ids = [rows[3].id, rows[5].id.slice(0, 16), "no such id"];
    expect((await find({ ids: ids.join(" ") })).rows.map((row) => row["id"]).sort()).toEqual(
      [rows[3].id, rows[5].id].sort(),
    );
    for (const query of [{ from: "-1" }, { count: "100000" }, { from: "x" }] as Record<string, string>[])
      expect((await fetch(`${url}/rows?${new URLSearchParams(query)}`)).status).toBe(422);
    const csv = (await (await fetch(`${url}/results.csv`)).text()).trimEnd().split("\r\n");
    expect(csv).toHaveLength(1 + rows.length);
  });

  test("what takes long comes apart from the answer, made in a thread, and is refused in a sentence too", async () => {
    const { url, store } = await serve();
    const contrasts = await (await fetch(`${url}/contrasts`)).text();
    expect(contrasts).toContain("Block sizes at");
    expect(contrasts).toContain("data-rows=");
    expect(await (await fetch(`${url}/findings`)).text()).toContain("Findings of the paper, on these rows");
    const refused = await fetch(`${url}/contrasts?metric=bleu`);
    expect([refused.status, await refused.text()]).toEqual([422, expect.stringMatching(/^Metric "bleu"/)]);
    await store.add(simulateStudy({ family: "other", sizes, tasks: ["perplexity"] }));
    await expect
      .poll(async () => (await (await fetch(`${url}/contrasts`)).text()).includes("<h3>Families</h3>"), {
        timeout: 9000,
      })
      .toBe(true);
  });

  test("an empty store is a sentence, and its first results are told of", async () => {
    const { url, store, live } = await serve({ rows: [] });
    const view = await readJson<LiveView>(`${url}/view`);
    expect(view.head).toContain("There are no results yet.");
    expect(view.range).toBeNull();
    const stream = (await fetch(`${url}/events`)).body!.pipeThrough(new TextDecoderStream()).getReader();
    const next = async (): Promise<LiveState> => JSON.parse((await stream.read()).value!.slice("data: ".length));
    const first = await next();
    expect([first.results, first.trouble]).toEqual([0, null]);
    await store.add(rows.slice(0, 40));
    const second = await next();
    expect(second).toMatchObject({ results: 40, trouble: null });
    expect(second.version).toBeGreaterThan(first.version);
    await store.addFailure({ model: "m", spec: "int4", task: "t", reason: "It broke.", date: rows[0].date });
    expect((await next()).version).toBeGreaterThan(second.version);
    expect((await readJson<LiveView>(`${url}/view`)).troubles).toContain("It broke.");
    await stream.cancel();
    expect(live.state().results).toBe(40);
  });

  test("trouble with the store is a sentence while it lasts, and the rows come back after it", async () => {
    const { store } = await serve();
    let broken = true;
    const flaky = {
      ...store,
      count: () =>
        broken ? Promise.reject(new InputError("The store x cannot be used: it is damaged.")) : store.count(),
    };
    const live = watchStore(flaky, 10);
    onTestFinished(() => live.close());
    await expect(live.board()).rejects.toThrow("The store x cannot be used: it is damaged.");
    expect(live.state().trouble).toBe("The store x cannot be used: it is damaged.");
    broken = false;
    expect((await live.board()).count).toBe(rows.length);
    expect(live.state().trouble).toBeNull();
  });
});

describe("kbit ui", () => {
  const run = (...args: string[]) => {
    const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
    addUiCommand(program);
    program.commands[0].exitOverride().configureOutput({ writeErr: () => {} });
    return program.parseAsync(["node", "kbit", "ui", ...args]);
  };

  test("a store that is missing, of another version or none, and an odd port or token, are each one sentence", async () => {
    const newer = join(folder, "newer.db");
    await (await openStore(newer)).close();
    const database = new DatabaseSync(newer);
    database.exec("insert into kbit_schema (version, applied) values (99, '')");
    database.close();
    const text = join(folder, "text.db");
    writeFileSync(text, "this is no database, whatever its name says, and it is long enough to be one".repeat(20));
    await expect(run("--db", join(folder, "none.db"))).rejects.toThrow(/^There is no store at/);
    await expect(run("--db", newer)).rejects.toThrow(/has schema version 99/);
    await expect(run("--db", text)).rejects.toThrow(/it is not an SQLite file/);
    await expect(run("--db", newer, "--port", "70000")).rejects.toThrow(/--port takes/);
    await expect(run("--db", newer, "--token", "short")).rejects.toThrow(/--token takes/);
    await expect(run("--db", newer, "--models", join(folder, "none"))).rejects.toThrow(/There is no folder/);
  });
});

describe("kbit ui as a process", () => {
  const start = async (...args: string[]) => {
    const db = join(folder, `${stores++}.db`);
    const store = await openStore(db);
    await store.add(rows);
    await store.close();
    const kbit = fileURLToPath(new URL("../../src/cli/kbit.ts", import.meta.url));
    const child = spawn(process.execPath, [kbit, "ui", "--db", db, "--port", "0", "--json", ...args]);
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    let printed = "";
    const { url } = await new Promise<{ url: string }>((resolve, reject) => {
      child.stdout.on("data", (data) => {
        printed += data;
        if (printed.trimEnd().endsWith("}")) resolve(JSON.parse(printed));
      });
      child.on("close", () => reject(new Error("it ended")));
    });
    return { child, url };
  };

  test("serves the built page on this machine alone, and ends well at Ctrl+C", async () => {
    const { child, url } = await start();
    expect(url).toMatch(/^http:\/\/localhost:\d+\/$/);
    expect(await (await fetch(url)).text()).toContain("<title>kbit</title>");
    expect(await (await fetch(`${url}worker.js`)).text()).toContain("WebAssembly");
    expect((await readJson<LiveView>(`${url}view`)).series).toHaveLength(2);
    const stream = await fetch(`${url}events`); // an open page does not keep it from ending
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    await stream.body!.cancel().catch(() => {});
  });

  test("any other address has a random token, without which nothing is answered", async () => {
    const [one, other] = [await start("--host", "0.0.0.0"), await start("--host", "0.0.0.0")];
    const tokenOf = (url: string) => new URL(url).searchParams.get("token")!;
    expect(tokenOf(one.url)).toMatch(/^[\w-]{32}$/);
    expect(tokenOf(one.url)).not.toBe(tokenOf(other.url));
    const { port } = new URL(one.url);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(401);
    expect((await fetch(`http://127.0.0.1:${port}/?token=${tokenOf(other.url)}`)).status).toBe(401);
    expect((await fetch(`http://127.0.0.1:${port}/?token=${tokenOf(one.url)}`)).status).toBe(200);
  });
});
