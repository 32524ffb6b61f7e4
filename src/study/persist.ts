// Calls to a database that may be away for a while: tried again until it is back or patience ends.

import { setTimeout as sleep } from "node:timers/promises";
import { InputError } from "../input-error.ts";

/** How a call is tried again. */
interface Patience {
  /** Whether the same call may succeed a moment later. */
  readonly isPassing: (error: unknown) => boolean;
  /** Why, as a sentence. */
  readonly explain: (error: unknown) => unknown;
  /** After so many milliseconds without success the error is thrown. */
  readonly patienceMs: number;
  /** Told when waiting begins. */
  readonly onWait?: (reason: string) => void;
  /** Ends the patience: a call that is not answered within `lastMs` of it is given up, and nothing is tried again. */
  readonly signal?: AbortSignal;
}

const firstWaitMs = 200;
const longestWaitMs = 5000;
/** What a call may still take after the signal, in milliseconds. */
const lastMs = 1500;

/** Calls until it succeeds. @throws the last error, as a sentence, if it does not pass or patience ends */
export async function persist<T>(call: () => Promise<T>, patience: Patience): Promise<T> {
  const started = performance.now();
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    try {
      return await bound(call(), patience.signal);
    } catch (error) {
      const explained = patience.explain(error);
      const isOver = patience.signal?.aborted || performance.now() - started >= patience.patienceMs;
      if (isOver || !patience.isPassing(error)) throw explained;
      if (waitMs === firstWaitMs)
        patience.onWait?.(explained instanceof InputError ? explained.message : String(error));
      // Apart, so that a thousand workers do not return as one.
      await sleep(waitMs * (0.75 + Math.random() / 2), undefined, { signal: patience.signal }).catch(() => {});
      if (patience.signal?.aborted) throw explained;
    }
  }
}

/** A call that is given up a moment after the signal. */
function bound<T>(call: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return call;
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const giveUp = () => {
      const silence = () => reject(new InputError("The store did not answer before the end."));
      timer = setTimeout(silence, lastMs);
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
    call.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    });
  });
}
