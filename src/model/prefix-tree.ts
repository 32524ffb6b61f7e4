// Token sequences as a tree: what several of them begin with stands once, in a segment above the rest of each.
// Where segments lie in a forward, and what is asked of them, is pack.ts's business.

/** Tokens that follow each other, and what goes on after them; the children differ before their ends. */
export interface Segment {
  tokens: readonly number[]; // at least one
  children: Segment[];
  /** Place of its first token among all that are fed. */
  at: number;
}

/** The tree of sequences; every segment that has children has at least two. */
export function buildTree(sequences: readonly (readonly number[])[]): Segment[] {
  const roots: Segment[] = [];
  for (const sequence of sequences) insert(roots, sequence);
  return settle(roots, 0);
}

function insert(roots: Segment[], sequence: readonly number[]): void {
  let siblings = roots;
  for (let from = 0; from < sequence.length; ) {
    const segment = siblings.find(({ tokens }) => tokens[0] === sequence[from]);
    if (!segment) {
      siblings.push({ tokens: sequence.slice(from), children: [], at: 0 });
      return;
    }
    const { tokens, children } = segment;
    const same = countSame(tokens, sequence, from);
    from += same;
    if (same === tokens.length && children.length === 0) {
      segment.tokens = [...tokens, ...sequence.slice(from)];
      return;
    }
    if (same < tokens.length && from < sequence.length) {
      segment.tokens = tokens.slice(0, same);
      segment.children = [{ tokens: tokens.slice(same), children, at: 0 }];
    }
    siblings = segment.children;
  }
}

/** Tokens of a segment that stand in the sequence from a place on. */
function countSame(tokens: readonly number[], sequence: readonly number[], from: number): number {
  const most = Math.min(tokens.length, sequence.length - from);
  let same = 0;
  while (same < most && tokens[same] === sequence[from + same]) same++;
  return same;
}

/** Shared segments stay where that is worth it; the others are repeated in front of each child. */
function settle(segments: readonly Segment[], depth: number): Segment[] {
  return segments.flatMap((segment) => {
    const { tokens } = segment;
    const children = settle(segment.children, depth + tokens.length);
    if (children.length === 0 || isWorthSharing(tokens.length, children.length, depth)) return { ...segment, children };
    return children.map((child) => ({ ...child, tokens: [...tokens, ...child.tokens] }));
  });
}

/**
 * Sharing saves the tokens of all children but one. Behind other tokens it costs a copy of their keys and values, a fraction
 * of computing them; at the beginning it costs attention, which takes two spans of keys longer than one.
 */
function isWorthSharing(tokens: number, children: number, depth: number): boolean {
  return depth === 0 ? tokens >= 4 : (children - 1) * tokens >= depth / 4;
}

/** The segments that a sequence goes through, one below the other, the last perhaps beyond its end. */
export function findPath(roots: readonly Segment[], sequence: readonly number[]): Segment[] {
  const path: Segment[] = [];
  let siblings = roots;
  for (let from = 0; from < sequence.length; ) {
    const fits = ({ tokens }: Segment) =>
      countSame(tokens, sequence, from) === Math.min(tokens.length, sequence.length - from);
    const segment = siblings.find(fits)!;
    path.push(segment);
    from += segment.tokens.length;
    siblings = segment.children;
  }
  return path;
}
