// The logits of every scored position, tile by tile, for comparisons of whole distributions.
// It leaves out what is done with them; score.ts is the way where only the targets' log-probabilities are wanted.

import type { Kernels } from "../kernels/kernels.ts";
import type { LogitTile, ScoreRequest } from "../language-model.ts";
import { createCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import { checkRequest, groupRequests, layOut } from "./pack.ts";

/** Logits of one tile, 16 MiB. */
const maxTileLogits = 4 * 2 ** 20;

/**
 * Tiles over all requests, each with one continuation, in order. Hidden states are kept apart from the decoder, so that
 * other calls may use it between two tiles.
 */
export async function* readLogits(
  kernels: Kernels,
  decoder: Decoder,
  requests: readonly ScoreRequest[],
): AsyncGenerator<LogitTile, void, undefined> {
  const { maxTokens, head, shape } = decoder;
  for (const request of requests) {
    checkRequest(request, shape.maxLength, shape.vocabulary);
    if (request.continuations.length !== 1) throw new Error("readLogits: a request with several continuations");
  }
  const tileRows = Math.max(1, Math.min(maxTokens, Math.floor(maxTileLogits / head.rows)));
  const kept = kernels.createBuffer(maxTokens * head.columns);
  const tile = kernels.createBuffer(tileRows * head.columns);
  const out = kernels.createBuffer(tileRows * head.rows);
  try {
    for (const group of groupRequests(requests, maxTokens, false)) {
      const { ids, positions, slots, spans, predictors } = layOut(group, false);
      const cache = createCache(kernels, shape, ids.length, ids.length <= maxTokens ? "forward" : "forwards");
      try {
        for (let start = 0; start < ids.length; start += maxTokens) {
          const end = Math.min(start + maxTokens, ids.length);
          const wanted = predictors.filter((t) => t >= start && t < end).map((t) => t - start);
          const hidden = decoder.forward(
            {
              ids: ids.subarray(start, end),
              positions: positions.subarray(start, end),
              slots: slots.subarray(start, end),
              spans: spans.subarray(4 * start, 4 * end),
              wanted: wanted.length > 0 ? wanted : Int32Array.of(0),
              length: shape.maxLength,
              path: "scoring",
            },
            cache,
          );
          kernels.gather(kept, hidden, count(0, wanted.length), head.columns);
          for (let from = 0; from < wanted.length; from += tileRows) {
            const rows = Math.min(tileRows, wanted.length - from);
            kernels.gather(tile, kept, count(from, rows), head.columns);
            yield { rows, logits: await decoder.readLogits(out, tile, rows, "scoring") };
          }
        }
      } finally {
        cache.release();
      }
    }
  } finally {
    for (const buffer of [kept, tile, out]) kernels.release(buffer);
  }
}

/** `from, from + 1, ..`, `(length)`. */
function count(from: number, length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => from + i);
}
