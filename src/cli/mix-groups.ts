// The choice behind a mix: which matrices go together, what each group can be at, and what that takes.
// Measuring stands in mix-measure.ts, choosing in scaling/mix-solver.ts.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { InputError } from "../input-error.ts";
import { countStoredBytes } from "../model/count.ts";
import { type PlannedMatrix, planQuantization } from "../model/plan.ts";
import { quantizeCheckpoint } from "../model/quantized-view.ts";
import { isBlockLayer } from "../model/roles.ts";
import { asStored, type MatrixSpec, type MixEntry, type MixSpec } from "../quantize/spec.ts";
import { createMix, formatSpec } from "../quantize/spec-text.ts";

/** What is at one spec together. */
export const groupings = ["matrix", "part", "layer", "operation"] as const;

/** Every matrix for itself; attention and feed-forward of a layer; a layer; the same operation in all layers. */
export type Grouping = (typeof groupings)[number];

/** Matrices that get one spec. */
export interface MixGroup {
  readonly label: string;
  readonly matrices: readonly PlannedMatrix[];
  readonly options: readonly GroupOption[];
}

/** A spec of a group. */
export interface GroupOption {
  readonly spec: MatrixSpec;
  /** The specs of the list that come to this for these matrices, by index. */
  readonly of: number[];
  /** Of all tensors that its matrices are stored as. */
  readonly bytes: number;
}

/**
 * The groups of a model. Linear layers of the blocks have every spec; embedding and head have those that ask for them, and
 * stay as stored where a spec does not; what no spec quantizes is in no group.
 *
 * @throws InputError if the model is quantized already
 */
export async function listGroups(
  checkpoint: Checkpoint,
  specs: readonly MatrixSpec[],
  grouping: Grouping,
): Promise<MixGroup[]> {
  if (checkpoint.spec) {
    throw new InputError(`${checkpoint.source} is already at ${formatSpec(checkpoint.spec)}; give the original model.`);
  }
  const views = specs.map((spec) => quantizeCheckpoint(checkpoint, spec));
  const plans = specs.map((spec) => planQuantization(checkpoint, spec));
  const members = new Map<string, PlannedMatrix[]>();
  for (const matrix of planQuantization(checkpoint, asStored)) {
    const label = nameGroup(matrix, grouping);
    members.set(label, [...(members.get(label) ?? []), matrix]);
  }
  const groups: MixGroup[] = [];
  for (const [label, matrices] of members) {
    const options = new Map<string, GroupOption>();
    for (const [i, written] of specs.entries()) {
      const [first] = matrices;
      const isQuantized = plans[i].find(({ role }) => role.name === first.role.name)!.isQuantized;
      const isLinear = isBlockLayer(first.role);
      if (!isLinear && first.role.part !== "embedding" && first.role.part !== "head") continue;
      const spec = isQuantized || (isLinear && written.kind === "baseline") ? narrowSpec(written, matrices) : asStored;
      const known = options.get(formatSpec(spec));
      known?.of.push(i);
      if (known) continue;
      const view = isQuantized || isLinear ? views[i] : checkpoint;
      let bytes = 0;
      for (const { role } of matrices) bytes += await countStoredBytes(view, role.name);
      options.set(formatSpec(spec), { spec, of: [i], bytes });
    }
    const list = [...options.values()];
    const isChoice = list.some(({ spec }) => formatSpec(spec) !== "stored");
    if (isChoice) groups.push({ label, matrices, options: list });
  }
  return groups;
}

function nameGroup({ role: { name, part, layer, operation } }: PlannedMatrix, grouping: Grouping): string {
  if (layer < 0 || grouping === "matrix") return name;
  return { part: `layer ${layer}, ${part}`, layer: `layer ${layer}`, operation: `${part}, ${operation}` }[grouping];
}

/** A spec without the words that do nothing for these matrices: equal results have one name. */
function narrowSpec(spec: MatrixSpec, [{ role }]: readonly PlannedMatrix[]): MatrixSpec {
  if (spec.kind === "baseline") return spec;
  const isEmbedding = role.part === "embedding";
  return { ...spec, embed: isEmbedding && (spec.embed || spec.head), head: role.part === "head" && spec.head };
}

/**
 * The mix that puts each group at a spec; `default` is what most weights of the blocks have. Where a spec for the whole model
 * comes to the same, it is that.
 *
 * @param specs - of the groups, in order
 * @param list - the specs that the groups' options are of
 */
export function assembleMix(
  groups: readonly MixGroup[],
  specs: readonly MatrixSpec[],
  list: readonly MatrixSpec[],
): MatrixSpec | MixSpec {
  const isOf = (i: number) =>
    groups.every(({ options }, g) => options.find(({ of }) => of.includes(i))!.spec === specs[g]);
  const uniform = list.find((_, i) => isOf(i));
  if (uniform) return uniform;
  const weights = new Map<string, { spec: MatrixSpec; count: number }>();
  for (const [g, { matrices }] of groups.entries()) {
    if (matrices[0].role.layer < 0) continue;
    const text = formatSpec(specs[g]);
    const size = matrices.reduce((sum, { shape }) => sum + shape[0] * shape[1], 0);
    weights.set(text, { spec: specs[g], count: size + (weights.get(text)?.count ?? 0) });
  }
  const usual = [...weights.values()].reduce((a, b) => (b.count > a.count ? b : a)).spec;
  const entries: MixEntry[] = [{ pattern: "default", spec: usual }];
  for (const [g, { matrices }] of groups.entries()) {
    const isUsual = formatSpec(specs[g]) === formatSpec(matrices[0].role.layer < 0 ? asStored : usual);
    if (!isUsual) for (const { role } of matrices) entries.push({ pattern: role.name, spec: specs[g] });
  }
  return createMix(entries);
}

/** The model as stored but for one group. */
export function isolateGroup({ matrices }: MixGroup, spec: MatrixSpec): MixSpec {
  return createMix([
    { pattern: "default", spec: asStored },
    ...matrices.map(({ role }) => ({ pattern: role.name, spec })),
  ]);
}
