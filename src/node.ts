// biome-ignore-all assist/source/organizeImports: the order is that of the line.
// The public interface in Node: everything of index.ts, and files, threads, native kernels, stores and studies.
// Where both have a name (`selectKernels`, `checkKernelSets`), the one here knows native kernels and worker threads.

export * from "./index.ts";

export { openCheckpoint } from "./checkpoint/open-node.ts";
export type { DownloadOptions } from "./checkpoint/hub-node.ts";
export { type WriteOptions, type WrittenCheckpoint, writePackedCheckpoint } from "./checkpoint/write-packed-node.ts";
export { type CheckpointHashes, hashCheckpoint } from "./checkpoint/hash-node.ts";

export { type ThreadedQuantizer, createThreadedQuantizer } from "./quantize/threads-node.ts";
export { type QuantizerOptions, selectQuantizer } from "./kernels/quantizer-node.ts";
export { type NodeSelectOptions, checkKernelSets, selectKernels } from "./kernels/select-node.ts";

export type * from "./study/study.ts";
export { type StudyFlags, createStudy, parseStudy } from "./study/study-file.ts";
export { type Store, type StudyStore, openStore } from "./study/store/store.ts";
export { openRows } from "./study/exchange/open-rows.ts";
export { writeRows } from "./study/exchange/rows-file.ts";
export { type RunOptions, type StudyEvent, type StudySummary, runStudy } from "./study/run.ts";
export type { StudyProgress } from "./study/progress.ts";
