// kbit study run where models do not open: what it says is to be done, by whom, and that status counts the same.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { runInTerminal } from "../../src/cli/study-run.ts";
import { readStatus } from "../../src/study/status.ts";
import { openStore } from "../../src/study/store/store.ts";
import { createStudy } from "../../src/study/study-file.ts";

const books = fileURLToPath(new URL("../../models/books", import.meta.url));
const model = join(books, "books-0.2m");
const folder = mkdtempSync(join(tmpdir(), "kbit-study-run-"));
afterAll(() => rmSync(folder, { recursive: true }));
const broken = join(folder, "broken");
cpSync(model, broken, { recursive: true });
writeFileSync(join(broken, "model.safetensors"), "not a model");

test("a study of models that do not open invites no workers, and its failures are counted", async () => {
  const store = await openStore(join(folder, "kbit.db"));
  const run = async (models: string[], isDetached: boolean) => {
    const study = createStudy({ models, specs: ["int4"], text: join(books, "heldout.txt"), window: 16, limit: 1 });
    const written: string[] = [];
    const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
    const summary = await runInTerminal({ ...study, name: "books" }, store, { isDetached }).finally(() =>
      spy.mockRestore(),
    );
    return { summary, text: written.join("") };
  };
  const none = await run([broken], false);
  expect(none.text).toMatch(/^Nothing can be run: no model can be measured\.\n/);
  expect(none.text).not.toMatch(/kbit worker/);
  expect(none.summary.failures).toHaveLength(1);
  const state = { name: "books", done: 0, running: 0, failed: 1 };
  expect(await readStatus(store)).toMatchObject({ failed: 1, studies: [{ ...state, experiments: 1, queued: 0 }] });
  const some = await run([broken, model], true);
  expect(some.text).toMatch(
    /^2 experiments, 1 of models that cannot be opened; they wait in the queue for kbit worker/,
  );
  expect(await readStatus(store)).toMatchObject({ failed: 1, studies: [{ ...state, experiments: 2, queued: 1 }] });
  expect(await store.failures()).toMatchObject([{ model: "broken", study: "books" }]);
  await store.close();
});
