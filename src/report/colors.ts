// The colours of precisions. Bits are an ordered quantity: hue and lightness both run one way from 2 to 8 bits, in even
// steps of perceived difference, so that the order survives colour blindness and print; 16 bits are ink.

/** Precision to colour on paper and on a dark screen. */
export const precisionColors: Readonly<Record<number, { readonly light: string; readonly dark: string }>> = {
  2: { light: "#c58506", dark: "#feca80" },
  3: { light: "#d15e00", dark: "#feae84" },
  4: { light: "#cb3742", dark: "#fe8e8c" },
  5: { light: "#af276c", dark: "#f66ba9" },
  6: { light: "#892489", dark: "#cb65c9" },
  7: { light: "#5e2597", dark: "#9864d9" },
  8: { light: "#2a2794", dark: "#5a66d6" },
};

/** CSS custom property that holds the colour of a precision. */
export function colorOf(bitsPerWeight: number): string {
  return bitsPerWeight in precisionColors ? `var(--bits-${bitsPerWeight})` : "var(--ink)";
}

/** The declarations of these properties. */
export function declareColors(mode: "light" | "dark"): string {
  return Object.entries(precisionColors)
    .map(([bits, color]) => `--bits-${bits}:${color[mode]}`)
    .join(";");
}
