// What llama.cpp's converter does to weights, so that it can be undone.

/** What was done to a tensor when it was converted. */
export type Change =
  /** Row r of the original is row `order[r]` of the file. */
  | { readonly kind: "rows"; readonly order: Int32Array }
  /** The original is (in, out). */
  | { readonly kind: "transposed" }
  /** 1 was added. */
  | { readonly kind: "plus1" };

/** Rotary pairs lie side by side in the file: row 2 i + p of a head is row p half + i of the original. */
export function orderPairs(heads: number, headSize: number): Change {
  const half = headSize / 2;
  const order = Int32Array.from({ length: heads * headSize }, (_, row) => {
    const place = row % headSize;
    return row - place + 2 * (place % half) + Math.floor(place / half);
  });
  return { kind: "rows", order };
}

/** All queries, keys and values in the file; for each key head its queries, key and value in the original. */
export function orderGroups(heads: number, keyHeads: number, headSize: number): Change {
  const group = heads / keyHeads;
  const order = Int32Array.from({ length: (heads + 2 * keyHeads) * headSize }, (_, row) => {
    const head = Math.floor(row / headSize);
    const place = head % (group + 2);
    const key = Math.floor(head / (group + 2));
    const from = place < group ? key * group + place : heads + (place - group) * keyHeads + key;
    return from * headSize + (row % headSize);
  });
  return { kind: "rows", order };
}
