// What each weight matrix of a checkpoint is for: the facts that quantization needs of an architecture.
// architectures/ fills them in, plan.ts decides by them what is quantized and which columns stay in 16 bits.

/** A two-dimensional weight of a checkpoint and its place in the network. */
export interface MatrixRole {
  /** Its tensor name in the checkpoint. */
  readonly name: string;
  readonly part: "attention" | "ffn" | "embedding" | "position" | "head" | "projection";
  /** Block number from 0; -1 outside the blocks. */
  readonly layer: number;
  /** What it computes inside its part; `qkv` is a fused projection; empty outside the blocks. */
  readonly operation: "q" | "k" | "v" | "qkv" | "out" | "up" | "gate" | "gateUp" | "down" | "";
  /** Stored as (in, out), as GPT-2's Conv1D; it is transposed when read. */
  readonly transposed: boolean;
  /** Row r is stored as row `rowOrder[r]`, `(rows)`; its rows are put in order when it is read. Absent: the identity. */
  readonly rowOrder?: Int32Array;
  /**
   * The previous writers of what this matrix reads, for proxy quantization: matrices whose output units (rows), or for
   * the embedding whose columns, are this matrix's input columns. Several writers are joined unit by unit.
   */
  readonly writers: readonly Writer[];
}

/** Whether a matrix is a linear layer of a block: what every spec quantizes. */
export function isBlockLayer({ part }: MatrixRole): boolean {
  return part === "attention" || part === "ffn";
}

/** A matrix whose output units feed the columns of another. */
export interface Writer {
  readonly name: string;
  /** `rows`: unit u is row u; `columns`: unit u is column u (embeddings). */
  readonly axis: "rows" | "columns";
  /** Row of the writer behind each input column of the reader, `(columns)`; absent: the identity. */
  readonly units?: Int32Array;
}
