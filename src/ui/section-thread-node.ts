// The thread that makes long sections: reads the store when its version has changed, and answers one request at a time.

import { parentPort, workerData } from "node:worker_threads";
import { InputError } from "../input-error.ts";
import { openRows } from "../study/exchange/open-rows.ts";
import type { SectionReply, SectionRequest } from "./sections-node.ts";
import { type Board, createBoard } from "./views.ts";

const port = parentPort!;
let read: { readonly version: string; readonly board: Promise<Board> } | undefined;

async function readStore(): Promise<Board> {
  const store = await openRows(workerData as string);
  try {
    return createBoard(await store.rows({ documents: true }), await store.failures(), store.path);
  } finally {
    await store.close();
  }
}

async function answer({ id, name, query, version }: SectionRequest): Promise<SectionReply> {
  try {
    if (read?.version !== version) read = { version, board: readStore() };
    const board = await read.board;
    return { id, html: board.section(name, new URLSearchParams(query)) };
  } catch (error) {
    read = undefined;
    return { id, reason: error instanceof Error ? error.message : String(error), isInput: error instanceof InputError };
  }
}

port.on("message", async (request: SectionRequest) => port.postMessage(await answer(request)));
