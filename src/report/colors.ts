// The colours of lines. Bits are an ordered quantity: hue and lightness both run one way from 2 to 8 bits, in even
// steps of perceived difference, so that the order survives colour blindness and print; 16 bits are ink.

/** Precision to colour on paper and on a dark screen. */
const precisionColors: Readonly<Record<number, { readonly light: string; readonly dark: string }>> = {
  2: { light: "#c58506", dark: "#ffe29a" },
  3: { light: "#d15e00", dark: "#ffb661" },
  4: { light: "#cb3742", dark: "#ff8468" },
  5: { light: "#af276c", dark: "#ef6296" },
  6: { light: "#892489", dark: "#cb5fc6" },
  7: { light: "#5e2597", dark: "#9561da" },
  8: { light: "#2a2794", dark: "#5a66d6" },
};

/** CSS custom property that holds the colour of a precision; a mix has that of the precision nearest to its mean. */
export function colorOf(bitsPerWeight: number): string {
  const nearest = Math.round(bitsPerWeight);
  return nearest in precisionColors ? `var(--bits-${nearest})` : "var(--ink)";
}

/** Of one hue, light to dark on paper: what is ordered but no precision, such as block sizes and models. */
const steps = {
  light: ["#86b4da", "#649dcd", "#4586bd", "#2d70ab", "#1b5a95", "#10467d", "#083362", "#042347"],
  dark: ["#4d7ba3", "#5e90bc", "#73a5d0", "#8bb9df", "#a3cbeb", "#bbdbf4", "#d3e9fa", "#eaf5fd"],
} as const;

/** What has no order, such as data types: told apart by all common kinds of colour vision (after Okabe and Ito). */
const kinds = {
  light: ["#0072b2", "#c04a00", "#007a5a", "#a3488f", "#8a6900", "#5a5a62", "#2b8fc9", "#7a2f1d"],
  dark: ["#56b4e9", "#ff9a5a", "#2fc79a", "#dd9bd0", "#f0cf4d", "#a9a9b4", "#9ad4f5", "#e0a08f"],
} as const;

/** Colour of the i-th of `count` ordered things; the ends of the scale are always used. */
export function stepColor(i: number, count: number): string {
  return `var(--step-${count < 2 ? 4 : Math.round((i / (count - 1)) * (steps.light.length - 1))})`;
}

/** Colour of the i-th of things without an order. */
export function kindColor(i: number): string {
  return `var(--kind-${i % kinds.light.length})`;
}

/** The declarations of these properties. */
export function declareColors(mode: "light" | "dark"): string {
  return [
    ...Object.entries(precisionColors).map(([bits, color]) => `--bits-${bits}:${color[mode]}`),
    ...steps[mode].map((color, i) => `--step-${i}:${color}`),
    ...kinds[mode].map((color, i) => `--kind-${i}:${color}`),
  ].join(";");
}
