// The one error of kbit that speaks to the user: input that cannot be used.
// A leaf of the tree: everything may import it, it imports nothing.
// Programming errors are ordinary Errors; the command line prints those with their stack.

/**
 * Bad input, told in one sentence: what was wrong, where, what was expected, what to do.
 * The command line prints the message alone and exits with 2.
 */
export class InputError extends Error {
  override readonly name = "InputError";
}

/**
 * The candidate nearest to `word` by edit distance, for "did you mean" hints; undefined if none is near.
 *
 * @param word - what the user wrote
 * @param candidates - the valid names
 */
export function findNearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
