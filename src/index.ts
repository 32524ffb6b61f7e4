// biome-ignore-all assist/source/organizeImports: the order is that of the line.
// The public interface, safe in a browser: nothing here reaches Node's modules. node.ts adds files, threads and studies.
// checkpoint -> tensor -> quantize -> model (on kernels) -> evaluate -> results -> scaling -> report

export { InputError } from "./input-error.ts";

export { type Checkpoint, type StoredParts, sideFiles } from "./checkpoint/checkpoint.ts";
export { openCheckpointFiles, weightFiles } from "./checkpoint/open.ts";

export { type StorageType, type Tensor, type TensorHeader, storageTypes } from "./tensor/tensor.ts";
export { fromFloat32, toFloat32 } from "./tensor/convert.ts";

export type * from "./quantize/spec.ts";
export { createMix, formatMix, formatSpec, parseMixText, parseSpec } from "./quantize/spec-text.ts";
export { type DataType, buildCodebook, dataTypes } from "./quantize/data-types.ts";
export { type BlockScales, type OutlierColumns, type QuantizedTensor, isQuantized } from "./quantize/quantized.ts";
export { type QuantizeOptions, dequantize, quantize } from "./quantize/quantize.ts";
export { packCodes, unpackCodes } from "./quantize/pack.ts";
export { expandAbsmax } from "./quantize/blocks.ts";
export { type UnitWeights, columnDeviations, pickOutliers, unitDeviations } from "./quantize/outliers.ts";
export { type QuantizationError, measureError } from "./quantize/error.ts";
export { type TensorSize, measureSize, nominalBits } from "./quantize/size.ts";

export type * from "./kernels/kernels.ts";
export { createReferenceKernels } from "./kernels/reference.ts";
export { type WasmOptions, createWasmKernels } from "./kernels/wasm/wasm.ts";
export { type KernelSetCheck, type SelectOptions, checkKernelSets, selectKernels } from "./kernels/select.ts";
export type { CreateOptions, KernelSet } from "./kernels/select.ts";

export type { MatrixRole, Writer } from "./model/roles.ts";
export { describeMatrices } from "./model/architectures/index.ts";
export { type PlannedMatrix, planQuantization } from "./model/plan.ts";
export { type ViewOptions, quantizeCheckpoint } from "./model/quantized-view.ts";
export { type ParameterCount, countBits, countParameters } from "./model/count.ts";
export { type LoadOptions, loadModel } from "./model/load.ts";
export type { Model } from "./model/model.ts";
export type { LayerInputs } from "./model/inputs.ts";
export type { GenerateOptions } from "./model/generate.ts";
export type { SamplingOptions } from "./model/sample.ts";
export { type TextStream, createTextStream } from "./model/text-stream.ts";

export type * from "./language-model.ts";
export type { Convention } from "./evaluate/conventions.ts";
export type { PerplexityOptions, PerplexityResult } from "./evaluate/perplexity.ts";
export { conventions } from "./evaluate/conventions.ts";
export { listPerplexityMetrics, measurePerplexity } from "./evaluate/perplexity.ts";
export type { ChoicePrompt, Prompt, RollingPrompt, Task, TaskOptions, TaskResult, TextPair } from "./evaluate/task.ts";
export { defineTask, evaluateTask } from "./evaluate/task.ts";
export { tasks } from "./evaluate/tasks/index.ts";
export { parseTask } from "./evaluate/user-task.ts";
export { type Document, type FieldKind, type Fields, parseDocuments } from "./evaluate/documents.ts";
export type { DocumentScore, MetricName } from "./evaluate/metrics.ts";
export { type Profile, type ProfileName, profiles } from "./evaluate/profiles.ts";
export { type AccuracySummary, summarizeAccuracy } from "./evaluate/summary.ts";
export { cacheScores, type ScoreStore } from "./evaluate/cached-model.ts";
export { compareResults, type TaskComparison } from "./evaluate/compare/task.ts";
export { compareOnText, type TextComparison } from "./evaluate/compare/text.ts";
export type { TokenStatistics } from "./evaluate/compare/tokens.ts";
export { describeComparison } from "./evaluate/compare/verdict.ts";

export type * from "./result.ts";
export { codeVersions, formatKey } from "./result.ts";

export { type Answer, type AnswerOptions, type BudgetAnswer, answerRows } from "./scaling/answer.ts";
export { type MetricFacts, findMetric } from "./scaling/metrics.ts";
export { type Series, type SeriesFilter, groupSeries } from "./scaling/series.ts";
export type { SpecFilter } from "./scaling/facets.ts";
export { type UnstableRow, findUnstable } from "./scaling/stability.ts";
export { type CountName, type Curve, type Point, buildCurves, pickBest, placePoints } from "./scaling/curves.ts";
export { type Reading, interpolate } from "./scaling/interpolate.ts";
export { type Part, computePairedError } from "./scaling/paired.ts";
export type * from "./scaling/compare.ts";
export { compareAt, compareRange } from "./scaling/compare.ts";
export { type Choice, chooseWithin, findFrontier } from "./scaling/frontier.ts";
export { type PointSummary, summarizeAnswer } from "./scaling/summary.ts";
export { type LawChoice, selectLaw } from "./scaling/select-law.ts";
export { type Fit, type FitOptions, fitLaw } from "./scaling/fit.ts";
export { laws } from "./scaling/laws/laws.ts";
export { type ClaimAnswer, type ClaimOptions, checkClaims } from "./scaling/claims.ts";
export { type Recommendation, type RecommendOptions, recommend } from "./scaling/recommend.ts";
export { type MixSolution, solveMix } from "./scaling/mix-solver.ts";
export type { MixOption } from "./scaling/mix-bound.ts";

export { writeHeadline } from "./report/headline.ts";
export { type ReportInput, renderReport } from "./report/html.ts";
export { renderMarkdown } from "./report/markdown.ts";
