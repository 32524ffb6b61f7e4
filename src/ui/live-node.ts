// A store that may still be written, watched: its rows are read again when their number has changed, and those who
// listen are told. Trouble with the store is a sentence, and ends when the store can be read again.

import { InputError } from "../input-error.ts";
import { openRows } from "../study/exchange/open-rows.ts";
import type { Store } from "../study/store/store.ts";
import { createSectionMaker } from "./sections-node.ts";
import { type Board, createBoard, type SectionName } from "./views.ts";

/** How the store stands, as the page is told. */
export interface LiveState {
  /** Changes whenever there is something new to show. */
  readonly version: number;
  readonly results: number;
  /** Why the store cannot be read right now; null: it can. */
  readonly trouble: string | null;
}

/** A watched store. */
export interface LiveStore {
  state(): LiveState;
  /** Everything to show of what the store holds now. @throws InputError if it cannot be read */
  board(): Promise<Board>;
  /** A section that takes long, made in a thread of its own. @throws InputError as `board` and its views do */
  section(name: SectionName, query: URLSearchParams): Promise<string>;
  /** Calls back at every change until the function that it returns is called. */
  listen(onChange: (state: LiveState) => void): () => void;
  close(): void;
}

/** Who asks for the board earlier has it earlier. */
const firstPollMs = 150;

/** A busy machine answers late: reading takes at most this share of the time. */
const busyShare = 1 / 3;

/**
 * Watches a store, asking for its count every `pollMs`.
 *
 * @param source - what the store was opened by; `store.path` lacks what is secret in an address
 */
export function watchStore(store: Store, pollMs = 1000, source = store.path): LiveStore {
  const listeners = new Set<(state: LiveState) => void>();
  let state: LiveState = { version: 0, results: 0, trouble: null };
  let held: string | undefined; // counts of the rows that were read
  let board: Promise<Board> | undefined;
  let isNew = false; // rows were read that nobody was told of
  let restUntil = 0;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const sections = createSectionMaker(source);

  function change(next: Omit<LiveState, "version">): void {
    if (!isNew && next.trouble === state.trouble) return;
    isNew = false;
    state = { ...next, version: state.version + 1 };
    for (const listener of listeners) listener(state);
  }

  async function read(): Promise<Board> {
    const started = performance.now();
    const [rows, failures] = [await store.rows({ documents: true }), await store.failures()];
    const made = createBoard(rows, failures, store.path);
    made.view(new URLSearchParams()); // the first page then waits for nothing
    restUntil = performance.now() + (performance.now() - started) / busyShare;
    return made;
  }
  async function poll(): Promise<void> {
    try {
      const count = await store.count();
      const now = `${count.results} ${count.failures}`;
      if (now !== held && performance.now() >= restUntil) {
        held = now;
        isNew = true;
        board = read();
        await board;
      }
      change({ results: (await board)?.count ?? 0, trouble: null });
    } catch (error) {
      held = undefined;
      board = undefined;
      change({ results: state.results, trouble: await explain(error) });
    }
  }
  // A store that fails in an unknown way may have become another version's, which opening it anew says.
  async function explain(error: unknown): Promise<string> {
    if (error instanceof InputError) return error.message;
    try {
      await (await openRows(source)).close();
    } catch (reason) {
      if (reason instanceof InputError) return reason.message;
    }
    return `The store cannot be read: ${error instanceof Error ? error.message : String(error)}.`;
  }
  async function keepPolling(): Promise<void> {
    await poll();
    if (!isClosed) timer = setTimeout(keepPolling, pollMs);
  }
  // Reading a large store takes a second in which nothing else is done; the address is printed and the page shown before.
  timer = setTimeout(keepPolling, firstPollMs);

  return {
    state: () => state,
    async board() {
      if (board === undefined) await poll();
      if (board === undefined) throw new InputError(state.trouble ?? "The store could not be read.");
      return board;
    },
    async section(name, query) {
      const now = await this.board();
      return sections.make(name, query.toString(), held ?? "", now);
    },
    listen(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      sections.close();
    },
  };
}
