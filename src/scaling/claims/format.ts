// Checks of claims about blocks, data types and exponent bits: differences of specs on the same model.

import { type Estimate, intervalOf } from "../contrast.ts";
import { estimateMeanEffect } from "../effect.ts";
import { groupBy } from "../series.ts";
import { type Contrast, compareSpecs, type Frame, labelled, listDifferences, type Sample, sameBut } from "./frame.ts";
import {
  boundsOf,
  decideNegligible,
  decidePositive,
  type Finding,
  formatNumber,
  type Labelled,
  lackEvidence,
} from "./verdict.ts";

const isBits =
  (...bits: number[]) =>
  (sample: Sample) =>
    bits.includes(sample.bits);
const isBlock = (block: string) => (sample: Sample) => sample.spec.block === block;
const isType = (type: string) => (sample: Sample) => sample.spec.type === type;
const both =
  (...tests: ((sample: Sample) => boolean)[]) =>
  (sample: Sample) =>
    tests.every((test) => test(sample));
/**
 * Of floats at one width only those with one number of exponent bits, so that a width is compared once: `preferred` where it
 * was measured, else what most models have, of equals that of least loss.
 */
function isUsual(frame: Frame, preferred = ""): (sample: Sample) => boolean {
  const chosen = new Map<number, string>();
  const floats = frame.samples.filter(isType("float"));
  for (const [bits, samples] of groupBy(floats, (sample) => String(sample.bits))) {
    const groups = [...groupBy(samples, (sample) => sample.spec.exponent)];
    const lossOf = (group: readonly Sample[]) => mean(group.map((sample) => sample.loss));
    groups.sort(([, a], [, b]) => b.length - a.length || lossOf(a) - lossOf(b));
    chosen.set(Number(bits), (groups.find(([exponent]) => exponent === preferred) ?? groups[0])[0]);
  }
  return (sample) => sample.spec.type !== "float" || sample.spec.exponent === chosen.get(sample.bits);
}

const valuesOf = (frame: Frame, test: (sample: Sample) => boolean, read: (sample: Sample) => string) => [
  ...new Set(frame.samples.filter(test).map(read)),
];

/** "About the same gain": between half and twice. */
const aboutTheSame = [0.5, 2] as const;

/** At 4 bits, blocks of 64 instead of 1024 gain about what a fifth bit gains. */
export function checkBlockGain(frame: Frame): Finding {
  const usual = isUsual(frame);
  const block: Contrast = {
    first: both(isBits(4), isBlock("64"), usual),
    second: both(isBits(4), isBlock("1024"), usual),
    same: sameBut("block"),
  };
  const bit: Contrast = {
    first: both(isBits(5), isBlock("1024"), usual),
    second: both(isBits(4), isBlock("1024"), usual),
    same: sameBut("bits", "exponent"),
  };
  const [blocks, bits] = [listDifferences(frame, block), listDifferences(frame, bit)];
  const pairs = blocks.flatMap((one) => {
    const other = bits.find((two) => two.size === one.size);
    return other ? [{ block: one, bit: other }] : [];
  });
  const what = "Gain of blocks 1024 to 64 over the gain of 4 to 5 bits, both at 4 bits and block 1024";
  if (pairs.length === 0)
    return lackEvidence(`No model has 4 bits at blocks of 64 and 1024 and 5 bits at 1024.`, "times");
  // The mean of `block - times x bit`; where it does not differ from zero, `times` is in Fieller's interval.
  const excess = (times: number): Estimate =>
    estimateMeanEffect(
      pairs.map(({ block: a, bit: b }) => ({
        size: a.size,
        value: a.value - times * b.value,
        parts: [...a.parts, ...b.parts.map(({ row, factor }) => ({ row, factor: -times * factor }))],
      })),
      frame.metric,
    );
  const effect = mean(pairs.map((one) => one.block.value)) / mean(pairs.map((one) => one.bit.value));
  if (excess(1).standardError === null)
    return { ...lackEvidence(`${what}: too few models for an interval.`, "times"), effect };
  const steps = Array.from({ length: 1201 }, (_, i) => -2 + i / 100).filter((times) => {
    const [low, high] = intervalOf(excess(times))!;
    return low <= 0 && high >= 0;
  });
  const interval = steps.length > 0 ? ([steps[0], steps[steps.length - 1]] as const) : ([effect, effect] as const);
  const [low, high] = interval;
  const isOutside = high < aboutTheSame[0] || low > aboutTheSame[1];
  const verdict =
    low > aboutTheSame[0] && high < aboutTheSame[1] ? "holds" : isOutside ? "does not hold" : "not enough evidence";
  const reason = `${what}: ${formatNumber(effect)} times [${formatNumber(low)}, ${formatNumber(high)}]; about the same is 0.5 to 2.`;
  return { verdict, effect, interval, unit: "times", reason };
}

/** At 4 bits and equal total bits, blocks of 64 or 128 are better than all other sizes. */
export function checkBestBlock(frame: Frame): Finding {
  if (frame.equalBits === undefined) return lackEvidence(frame.whyNot, frame.unit);
  const sizes = valuesOf(frame, isBits(4), (sample) => sample.spec.block!);
  const others = sizes.filter((size) => size !== "64" && size !== "128");
  const good = sizes.filter((size) => size === "64" || size === "128");
  if (good.length === 0 || others.length === 0)
    return lackEvidence("4 bits were not measured at blocks of 64 or 128 and at others.", frame.unit);
  const against = (size: string, other: string): Contrast => ({
    first: both(isBits(4), isBlock(size)),
    second: both(isBits(4), isBlock(other)),
    same: sameBut("block"),
    atEqualBits: true,
  });
  const best = good.reduce((a, b) => (a !== b && compareSpecs(frame, against(b, a)).value > 0 ? b : a));
  const effects = others.flatMap((other) => labelled(frame, `over ${nameBlock(other)}`, against(best, other)));
  return decidePositive(effects, frame.unit, `Blocks of ${best} at 4 bits, at equal bits`);
}

/** At 6 to 8 bits neither block nor data type changes the loss. */
export function checkManyBits(frame: Frame): Finding {
  const usual = isUsual(frame);
  const effects = [6, 7, 8].flatMap((bits) => {
    const blocks = valuesOf(frame, isBits(bits), (sample) => sample.spec.block!).filter((size) => Number(size) > 0);
    blocks.sort((a, b) => Number(a) - Number(b));
    const types = valuesOf(frame, isBits(bits), (sample) => sample.spec.type);
    const byBlock = pairUp(blocks.length > 1 ? [blocks[0], blocks[blocks.length - 1]] : []).flatMap(([a, b]) =>
      labelled(frame, `block ${a} over ${b} at ${bits} bits`, {
        first: both(isBits(bits), isBlock(a)),
        second: both(isBits(bits), isBlock(b)),
        same: sameBut("block"),
      }),
    );
    const byType = pairUp(types).flatMap(([a, b]) =>
      labelled(frame, `${a} over ${b} at ${bits} bits`, {
        first: both(isBits(bits), isType(a), usual),
        second: both(isBits(bits), isType(b), usual),
        same: sameBut("type", "exponent"),
      }),
    );
    return [...byBlock, ...byType];
  });
  return decideNegligible(effects, frame.unit, "Blocks and types at 6 to 8 bits");
}

/** At each width, the best float with exponent bits of at least half the bits beats the best with fewer. */
export function checkExponent(frame: Frame): Finding {
  const effects = [3, 4, 5, 6, 7, 8].flatMap((bits): Labelled[] => {
    const half = Math.ceil(bits / 2);
    const exponents = valuesOf(frame, both(isBits(bits), isType("float")), (sample) => sample.spec.exponent);
    const [wide, narrow] = [
      exponents.filter((e) => Number(e.slice(1)) >= half),
      exponents.filter((e) => Number(e.slice(1)) < half),
    ];
    const against = (a: string, b: string): Contrast => ({
      first: both(isBits(bits), isType("float"), (sample) => sample.spec.exponent === a),
      second: both(isBits(bits), isType("float"), (sample) => sample.spec.exponent === b),
      same: sameBut("exponent"),
    });
    const better = (a: string, b: string) => (a !== b && compareSpecs(frame, against(b, a)).value > 0 ? b : a);
    if (wide.length === 0 || narrow.length === 0) return [];
    const [a, b] = [wide.reduce(better), narrow.reduce(better)];
    return labelled(frame, `${a} over ${b} at ${bits} bits`, against(a, b));
  });
  return decidePositive(effects, frame.unit, "Exponent bits of at least half the bits against fewer");
}

/** Quantile has the lowest loss of all data types, at 3 to 5 bits. */
export function checkQuantile(frame: Frame): Finding {
  const few = isBits(3, 4, 5);
  const rivals = valuesOf(frame, few, (sample) => sample.spec.type).filter((type) =>
    ["int", "float", "dynamic"].includes(type),
  );
  const effects = rivals.flatMap((type) =>
    labelled(frame, `over ${type}`, {
      first: both(few, isType("quantile")),
      second: both(few, isType(type), isUsual(frame)),
      same: sameBut("type", "exponent"),
    }),
  );
  return decidePositive(effects, frame.unit, "Quantile at 3 to 5 bits");
}

/** Float against integer at a width; float with the 3 exponent bits that the paper ran, where they were measured. */
export function checkFloatAndInt(bits: number, first: "float" | "int"): (frame: Frame) => Finding {
  const second = first === "float" ? "int" : "float";
  return (frame) => {
    const usual = isUsual(frame, "e3");
    const exponents = valuesOf(frame, both(isBits(bits), isType("float"), usual), (sample) => sample.spec.exponent);
    const contrast: Contrast = {
      first: both(isBits(bits), isType(first), usual),
      second: both(isBits(bits), isType(second), usual),
      same: sameBut("type", "exponent"),
    };
    const what = `${first} at ${bits} bits (float: ${exponents.join(", ") || "not measured"})`;
    return decidePositive(labelled(frame, `over ${second}`, contrast), frame.unit, what);
  };
}

/** Centering changes nothing. */
export function checkCentering(frame: Frame): Finding {
  const isCentered = (sample: Sample) => sample.spec.rest.some((word) => word.startsWith("center"));
  const same = (sample: Sample) =>
    `${sameBut("rest")(sample)} ${sample.spec.rest.filter((word) => !word.startsWith("center")).join(":")}`;
  const effects = [
    ...new Set(
      frame.samples
        .filter(isCentered)
        .flatMap((sample) => sample.spec.rest.filter((word) => word.startsWith("center"))),
    ),
  ].flatMap((word) =>
    labelled(frame, word, {
      first: (sample) => sample.spec.rest.includes(word),
      second: (sample) => sample.bits < 16 && !isCentered(sample),
      same,
    }),
  );
  return decideNegligible(effects, frame.unit, "Centering against none");
}

/** Keeping outlier columns in 16 bits pays at 3 bits and not at 4, at equal total bits. */
export function checkProxy(frame: Frame): Finding {
  if (frame.equalBits === undefined) return lackEvidence(frame.whyNot, frame.unit);
  const isProxy = (sample: Sample) => sample.spec.rest.some((word) => word.startsWith("proxy"));
  const same = (sample: Sample) =>
    `${sameBut("rest")(sample)} ${sample.spec.rest.filter((word) => !word.startsWith("proxy")).join(":")}`;
  const gain = (bits: number) =>
    labelled(frame, `at ${bits} bits`, {
      first: both(isBits(bits), isProxy),
      second: (sample) => sample.bits === bits && !isProxy(sample),
      same,
      atEqualBits: true,
    });
  const what = "Proxy quantization against none at equal bits";
  const three = decidePositive(gain(3), frame.unit, what);
  const [four] = gain(4);
  if (three.verdict !== "holds") return three;
  if (four === undefined || four.estimate.standardError === null)
    return {
      ...three,
      verdict: "not enough evidence",
      reason: `${three.reason} At 4 bits too few models have both sides.`,
    };
  const [low, high] = boundsOf(four.estimate, 1);
  const range = `At 4 bits ${formatNumber(four.estimate.value)} [${formatNumber(low)}, ${formatNumber(high)}]`;
  if (high < 0.01) return { ...three, reason: `${three.reason} ${range}: no gain.` };
  const verdict = low > 0 ? "does not hold" : "not enough evidence";
  return { ...three, verdict, reason: `${three.reason} ${range}${low > 0 ? ": a gain there too" : ""}.` };
}

function pairUp<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((a, i) => items.slice(i + 1).map((b): [T, T] => [a, b]));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function nameBlock(block: string): string {
  return /^\d/.test(block) ? `blocks of ${block}` : `one absmax a ${block}`;
}
