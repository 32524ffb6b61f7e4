// The result store: what goes in comes out, two processes write at once, and what is no store is refused in a sentence.

import { execFile } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { deflateRawSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { packDocuments, unpackDocuments } from "../../src/study/store/documents.ts";
import { openImmutable } from "../../src/study/store/node-sqlite.ts";
import { splitRow } from "../../src/study/store/rows.ts";
import { openStore } from "../../src/study/store/store.ts";
import { createRandom } from "../scaling/simulate.ts";
import { describeQueue } from "./queue-conformance.ts";
import { makeRow } from "./rows.ts";
import { describeStore } from "./store-conformance.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-store-"));
let files = 0;
const newPath = () => join(folder, `${files++}.db`);
afterAll(() => rmSync(folder, { recursive: true }));

const failure = { model: "m", spec: "int4:b64", task: "perplexity", reason: "It broke.", date: "2026-01-01T00:00:00Z" };

describeStore("SQLite", newPath);
describeQueue("SQLite", newPath);

/** What a process that may write nothing of ours is told of a store: its rows, why it cannot add, why it cannot make it. */
async function readAsNobody(path: string): Promise<[rows: number, refused: string, denied: string]> {
  const program = `
    const { openStore } = await import(${JSON.stringify(new URL("../../src/study/store/store.ts", import.meta.url).href)});
    if (process.getuid?.() === 0) { process.setgid(65534); process.setuid(65534); }
    const path = ${JSON.stringify(path)};
    const store = await openStore(path, { create: false });
    const rows = await store.rows();
    const refused = await store.addFailure(${JSON.stringify(failure)}).catch((error) => error.message);
    await store.close();
    const denied = await openStore(path).catch((error) => error.message);
    console.log(JSON.stringify([rows.length, refused, denied]));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  return JSON.parse(stdout);
}

describe("a store", () => {
  test("that may only be read is read, in a folder that may only be read too, and is not written", async () => {
    const only = mkdtempSync(join(folder, "only-"));
    const path = join(only, "a.db");
    const store = await openStore(path);
    await store.add([makeRow(1), makeRow(2)]);
    await store.close();
    chmodSync(path, 0o444);
    for (const mode of [0o755, 0o555]) {
      chmodSync(folder, 0o755);
      chmodSync(only, mode);
      const [rows, refused, denied] = await readAsNobody(path);
      expect(rows).toBe(2);
      expect(refused).toMatch(/a\.db cannot be used: it is read-only\.$/);
      expect(denied).toMatch(/a\.db cannot be used: it may only be read; name another, or allow writing\.$/);
      expect(readdirSync(only)).toEqual(["a.db"]);
    }
    chmodSync(only, 0o755);
    writeFileSync(`${path}-wal`, "x");
    expect(() => openImmutable(path)).toThrow(/a\.db-wal; copy both/);
  });

  test("ten thousand answers take less than three kilobytes; bytes that are no documents are refused", () => {
    const random = createRandom(1);
    const values = Float32Array.from({ length: 10_000 }, () => Number(random() < 0.6));
    const packed = packDocuments({ acc: { values } });
    expect(packed.length).toBeLessThan(3000);
    expect(unpackDocuments(packed)).toEqual({ acc: { values } });
    const lies = [
      '[{"name":"acc","count":3,"weighted":false}]\n12345678',
      '[{"name":"acc","count":-1,"weighted":false}]\n',
      "{}\n",
      "[",
    ];
    for (const bytes of [packed.subarray(0, 100), new Uint8Array(), ...lies.map((text) => deflateRawSync(text))])
      expect(() => unpackDocuments(bytes)).toThrow(/it is damaged/);
  });
});

describe("a store of version 1", () => {
  // What the first kbit made: no table of documents.
  const firstVersion = `
    create table kbit_schema (version integer primary key, applied text not null);
    insert into kbit_schema values (1, '2026-11-24T08:00:00.000Z');
    create table results (id text primary key, model text not null, family text not null, spec text not null,
      bits_per_weight double precision not null, total_bits bigint not null, task text not null, date text not null,
      rest text not null);
    create index results_by_name on results (model, spec, task);
    create table metrics (result_id text not null references results (id), name text not null,
      value double precision not null, standard_error double precision, n bigint not null,
      constraint metrics_key primary key (result_id, name));
    create table failures (id text primary key, result_id text, model text not null, spec text not null,
      task text not null, reason text not null, date text not null);`;

  test("opens, keeps its rows, and takes documents from then on", async () => {
    const path = newPath();
    const old = makeRow(1);
    const { result, metrics } = splitRow(old);
    const database = new DatabaseSync(path);
    database.exec(firstVersion);
    const insert = (table: string, row: object) => {
      const marks = Object.keys(row).map(() => "?");
      database.prepare(`insert into ${table} values (${marks})`).run(...Object.values(row));
    };
    insert("results", result);
    for (const { chance: _, ...metric } of metrics) insert("metrics", metric);
    database.close();

    const added = makeRow(2, { documents: { nll: { values: Float32Array.of(1, 2) } } });
    // One that may only be read is read in a copy, stays as it is, and takes nothing.
    const only = mkdtempSync(join(folder, "older-"));
    const kept = join(only, "old.db");
    copyFileSync(path, kept);
    chmodSync(kept, 0o444);
    for (const mode of [0o755, 0o555]) {
      chmodSync(folder, 0o755);
      chmodSync(only, mode);
      const [rows, refused] = await readAsNobody(kept);
      expect(rows).toBe(1);
      expect(refused).toMatch(/old\.db cannot be used: it is read-only\.$/);
      expect(readFileSync(kept)).toEqual(readFileSync(path));
      expect(readdirSync(only)).toEqual(["old.db"]);
    }
    chmodSync(only, 0o755);

    for (let opened = 0; opened < 2; opened++) {
      const store = await openStore(path, { create: false });
      await store.add([old, added]);
      expect(await store.rows({ documents: true })).toEqual([old, added]);
      await store.close();
    }
    const versions = new DatabaseSync(path).prepare("select version from kbit_schema").all();
    expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
  });
});

describe("a file that is no store is refused:", () => {
  const refuse = async (path: string, message: RegExp) => {
    const error = await openStore(path, { create: false }).then(
      (store) => store.close(),
      (error) => error,
    );
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
  };

  test("one that is missing", () => refuse(newPath(), /^There is no store at /));

  test("one in a folder that is missing", async () => {
    await expect(openStore(join(folder, "no/such/folder.db"))).rejects.toThrow(/there is no folder/);
  });

  test("a text file", async () => {
    const path = newPath();
    writeFileSync(path, "perplexity,bits\n".repeat(100));
    await refuse(path, /it is not an SQLite file/);
    expect(readFileSync(path, "utf8")).toBe("perplexity,bits\n".repeat(100));
  });

  test("a database of another program", async () => {
    const path = newPath();
    const database = new DatabaseSync(path);
    database.exec("create table albums (title text)");
    database.close();
    await refuse(path, /was not made by kbit \(it holds a table albums\)/);
  });

  test("a store of a newer version", async () => {
    const path = newPath();
    await (await openStore(path)).close();
    const database = new DatabaseSync(path);
    database.exec("insert into kbit_schema values (1000, '2030-01-01')");
    database.close();
    await refuse(path, /has schema version 1000, this kbit knows versions up to \d+; update kbit/);
  });

  test("a damaged one", async () => {
    const path = newPath();
    const store = await openStore(path);
    await store.add(Array.from({ length: 200 }, (_, i) => makeRow(i)));
    await store.close();
    const file = openSync(path, "r+");
    writeSync(file, Buffer.alloc(3000, 0xa5), 0, 3000, 1000);
    await refuse(path, /it is damaged/);
  });

  test("an address of a server, whose password is not repeated", () =>
    refuse("mysql://user:secret@host/db", /^The store mysql:\/\/\.\. cannot be used/));
});
