// kbit worker: what it refuses before it works, each in one sentence, and what it leaves as it was.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, expect, test } from "vitest";
import { addWorkerCommand } from "../../src/cli/worker.ts";
import { InputError } from "../../src/input-error.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-worker-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["a store that is missing", ["--db", "typo.db"], /^There is no store at .*typo\.db; kbit study run --db/],
  ["a file of rows", ["--db", "rows.csv"], /rows\.csv is a file of exported rows, which has no queue; name the store/],
  [
    "a folder as a store",
    ["--db", "."],
    /^The store .* cannot be used: it is a folder; name a file, such as .*kbit\.db/,
  ],
  [
    "a heartbeat too short to keep",
    ["--db", "a.db", "--heartbeat", "1"],
    /^--heartbeat takes at least 100 milliseconds, not 1\.$/,
  ],
])("kbit worker refuses %s", async (_, [flag, db, ...rest], sentence) => {
  writeFileSync(join(folder, "rows.csv"), "id\n");
  const path = join(folder, db);
  const program = new Command().exitOverride();
  addWorkerCommand(program);
  const args = ["worker", flag, path, "--models", folder, ...rest];
  const error = await program.parseAsync(args, { from: "user" }).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).toMatch(sentence);
  if (db.endsWith(".db")) expect(existsSync(path)).toBe(false);
});
