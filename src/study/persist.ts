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
}

const firstWaitMs = 200;
const longestWaitMs = 5000;

/** Calls until it succeeds. @throws the last error, as a sentence, if it does not pass or patience ends */
export async function persist<T>(call: () => Promise<T>, patience: Patience): Promise<T> {
  const started = performance.now();
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    try {
      return await call();
    } catch (error) {
      const explained = patience.explain(error);
      if (!patience.isPassing(error) || performance.now() - started >= patience.patienceMs) throw explained;
      if (waitMs === firstWaitMs)
        patience.onWait?.(explained instanceof InputError ? explained.message : String(error));
      await sleep(waitMs * (0.75 + Math.random() / 2)); // apart, so that a thousand workers do not return as one
    }
  }
}
