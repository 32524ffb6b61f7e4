// Rotary positions: the frequencies of each architecture, with the scalings that stretch a context.
// Follows transformers' modeling_rope_utils.py in float32, step by step, so that angles agree at long contexts.

import type { Rotary } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";

const round = Math.fround;

/** What an architecture calls its rotary fields. */
export interface RotaryFields {
  readonly headSize: number;
  readonly maxLength: number;
  readonly theta: string | readonly string[];
  /** Where the config has none; 10000 if not said. */
  readonly defaultTheta?: number;
  /** Which of `rope_parameters`, where they are given by kind of layer. */
  readonly layers?: string;
  readonly share: string | readonly string[];
  /** Share of each head that turns, where the config does not say. */
  readonly defaultShare: number;
}

/**
 * Reads the rotary positions of a config: `rope_theta` and `rope_scaling`, or `rope_parameters` as newer transformers
 * writes them.
 *
 * @see https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py
 */
export function readRotary(config: ConfigReader, fields: RotaryFields): Rotary {
  const all = config.object("rope_parameters");
  const parameters = (fields.layers && all?.object(fields.layers)) || all;
  // Where kinds of layers have positions of their own, the old field speaks of those that see everything.
  const old = fields.layers === "sliding_attention" ? undefined : config.object("rope_scaling");
  const scaling = old ?? parameters;
  const nested = parameters ?? scaling;
  const theta = nested?.has("rope_theta")
    ? nested.number("rope_theta")
    : config.number(fields.theta, fields.defaultTheta ?? 10000);
  const share = nested?.has("partial_rotary_factor")
    ? nested.number("partial_rotary_factor")
    : config.number(fields.share, fields.defaultShare);
  const size = Math.trunc(fields.headSize * share);
  if (size % 2 !== 0 || size > fields.headSize || size === 0) {
    throw config.fail(
      `rotary positions turn ${size} of ${fields.headSize} values of a head; an even number from 2 is expected.`,
    );
  }
  const kind = scaling?.choice(["rope_type", "type"], scalings, "default") ?? scalings.default;
  const trained = (config.has("original_max_position_embeddings") ? config : (scaling ?? config)).number(
    "original_max_position_embeddings",
    fields.maxLength,
  );
  return kind({ config: scaling ?? config, theta, size, maxLength: fields.maxLength, trainedLength: trained });
}

interface Scaling {
  readonly config: ConfigReader;
  readonly theta: number;
  readonly size: number;
  readonly maxLength: number;
  /** Length before the context was stretched. */
  readonly trainedLength: number;
}

const scalings: Readonly<Record<string, (scaling: Scaling) => Rotary>> = {
  default: ({ theta, size }) => fixed(size, inverseFrequencies(theta, size)),

  linear({ config, theta, size }) {
    const factor = config.number("factor");
    return fixed(
      size,
      inverseFrequencies(theta, size).map((frequency) => frequency / factor),
    );
  },

  /** NTK-aware: beyond the trained length the base grows with the length of the sequence. */
  dynamic({ config, size, theta, maxLength }) {
    const factor = config.number("factor");
    const short = inverseFrequencies(theta, size);
    return {
      size,
      magnitude: 1,
      frequencies(length) {
        if (length <= maxLength) return short;
        const growth = (factor * length) / maxLength - (factor - 1);
        return inverseFrequencies(theta * growth ** (size / (size - 2)), size);
      },
    };
  },

  /** Low frequencies are divided by the factor, high ones kept, those between interpolated. */
  llama3({ config, theta, size, trainedLength }) {
    const factor = config.number("factor");
    const low = config.number("low_freq_factor");
    const high = config.number("high_freq_factor");
    if (high <= low) throw config.fail("high_freq_factor must be above low_freq_factor.");
    const frequencies = inverseFrequencies(theta, size).map((frequency) => {
      const wavelength = (2 * Math.PI) / frequency;
      if (wavelength < trainedLength / high) return frequency;
      if (wavelength > trainedLength / low) return frequency / factor;
      const smooth = (trainedLength / wavelength - low) / (high - low);
      return ((1 - smooth) * frequency) / factor + smooth * frequency;
    });
    return fixed(size, frequencies);
  },

  /** Each frequency has a divisor of its own. @see https://arxiv.org/abs/2402.13753 */
  longrope: readLongRope,
  su: readLongRope,

  /** NTK by parts, with warmer attention. @see https://arxiv.org/abs/2309.00071 */
  yarn({ config, size, theta, maxLength, trainedLength }) {
    const factor = config.number("factor", maxLength / trainedLength);
    const warmth = (scale: number, weight = 1) => (scale <= 1 ? 1 : 0.1 * weight * Math.log(scale) + 1);
    const inferred =
      config.has("mscale") && config.has("mscale_all_dim")
        ? warmth(factor, config.number("mscale")) / warmth(factor, config.number("mscale_all_dim"))
        : warmth(factor);
    const magnitude = config.number("attention_factor", inferred);
    // The dimension that turns so many times within the trained length.
    const dimensionOf = (turns: number) =>
      (size * Math.log(trainedLength / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
    const truncate = config.boolean("truncate", true);
    const first = dimensionOf(config.number("beta_fast", 32));
    const last = dimensionOf(config.number("beta_slow", 1));
    const low = Math.max(truncate ? Math.floor(first) : first, 0);
    let high = Math.min(truncate ? Math.ceil(last) : last, size - 1);
    if (low === high) high += 0.001;
    const frequencies = Float32Array.from({ length: size / 2 }, (_, i) => {
      const position = round(theta ** round((2 * i) / size));
      const keep = 1 - Math.min(1, Math.max(0, (i - low) / (high - low)));
      return (1 / (factor * position)) * (1 - keep) + (1 / position) * keep;
    });
    return { size, magnitude, frequencies: () => frequencies };
  },
};

/** The divisors up to the trained length; those beyond it would change the keys of a sequence that grows past it. */
function readLongRope({ config, size, theta, maxLength, trainedLength }: Scaling): Rotary {
  const divisors = config.numbers("short_factor");
  if (divisors.length !== size / 2 || divisors.some((divisor) => divisor <= 0)) {
    throw config.fail(`short_factor has ${divisors.length} numbers; ${size / 2} above 0 are expected.`);
  }
  const growth = config.number("factor", maxLength / trainedLength);
  const warmth = growth <= 1 ? 1 : Math.sqrt(1 + Math.log(growth) / Math.log(trainedLength));
  const frequencies = Float32Array.from(
    divisors,
    (divisor, i) => 1 / round(round(divisor) * round(theta ** round((2 * i) / size))),
  );
  return { size, magnitude: config.number("attention_factor", warmth), frequencies: () => frequencies };
}

/** Unscaled rotary positions of the first `size` values of a head. */
export function fixedRotary(theta: number, size: number): Rotary {
  return fixed(size, inverseFrequencies(theta, size));
}

function fixed(size: number, frequencies: Float32Array): Rotary {
  return { size, magnitude: 1, frequencies: () => frequencies };
}

/** `theta^(-2 i / size)`, rounded to float32 at each step. */
function inverseFrequencies(theta: number, size: number): Float32Array {
  return Float32Array.from({ length: size / 2 }, (_, i) => 1 / round(round(theta) ** round((2 * i) / size)));
}
