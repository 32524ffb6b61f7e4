// Sections that take seconds (laws, claims) made in a thread of their own, so that the page's slider never waits for them.
// The thread reads the store itself; where it cannot, they are made here.

import { Worker } from "node:worker_threads";
import { InputError } from "../input-error.ts";
import { remember } from "./remember.ts";
import type { Board, SectionName } from "./views.ts";

/** What the thread is asked. */
export interface SectionRequest {
  readonly id: number;
  readonly name: SectionName;
  readonly query: string;
  /** Changes with the store. */
  readonly version: string;
}

/** What it answers: a section, or why there is none. */
export type SectionReply = { readonly id: number } & (
  | { readonly html: string }
  | { readonly reason: string; readonly isInput: boolean }
);

/** Makes sections. */
export interface SectionMaker {
  /** The section of the store as it is at `version`; `board` has the same rows. @throws InputError for a query that is none */
  make(name: SectionName, query: string, version: string, board: Board): Promise<string>;
  close(): void;
}

const threadFile = new URL(`./section-thread-node${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

/** Sections that are kept for a store that does not change. */
const mostKept = 16;

/** Opens a maker for a store by what it is opened by; its thread starts with the first section. */
export function createSectionMaker(source: string): SectionMaker {
  let thread: Worker | undefined;
  let isClosed = false;
  let last = 0;
  let known = { version: "", sections: new Map<string, Promise<string>>() };
  const waiting = new Map<number, (reply: SectionReply | Error) => void>();

  function startThread(): Worker {
    const started = new Worker(threadFile, { workerData: source });
    started.unref();
    started.on("message", (reply: SectionReply) => {
      waiting.get(reply.id)?.(reply);
      waiting.delete(reply.id);
    });
    const end = (error: Error) => {
      thread = undefined;
      for (const settle of waiting.values()) settle(error);
      waiting.clear();
    };
    started.on("error", end);
    started.on("exit", () =>
      end(isClosed ? new InputError("kbit ui is ending.") : new Error("The thread of long sections has ended.")),
    );
    return started;
  }
  async function ask(name: SectionName, query: string, version: string, board: Board): Promise<string> {
    if (isClosed || source === ":memory:") return board.section(name, new URLSearchParams(query));
    thread ??= startThread();
    const id = ++last;
    const { promise, resolve } = Promise.withResolvers<SectionReply | Error>();
    waiting.set(id, resolve);
    thread.postMessage({ id, name, query, version } satisfies SectionRequest);
    const reply = await promise;
    if (reply instanceof Error) throw reply;
    if ("html" in reply) return reply.html;
    throw reply.isInput ? new InputError(reply.reason) : new Error(reply.reason);
  }
  return {
    make(name, query, version, board) {
      if (version !== known.version) known = { version, sections: new Map() };
      const { sections } = known;
      const key = `${name}?${name === "findings" ? "" : query}`;
      const made = remember(sections, key, mostKept, () => ask(name, query, version, board));
      made.catch(() => sections.delete(key));
      return made;
    },
    close() {
      isClosed = true;
      void thread?.terminate();
    },
  };
}
