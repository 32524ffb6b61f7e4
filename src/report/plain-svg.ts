// A figure of the page as a file of its own: colours as they are on paper, its texts with their font, a white ground.

import { parseHTML } from "linkedom";
import { paperColors } from "./page-style.ts";

const paper = paperColors.get("--paper")!;

/** What the page's style sheet says of these, as attributes. */
const styles: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["svg", { "font-family": "ui-sans-serif, system-ui, Segoe UI, Helvetica, Arial, sans-serif", "font-size": "12" }],
  [
    ".label",
    { "font-weight": "600", "paint-order": "stroke", stroke: paper, "stroke-width": "3", "stroke-linejoin": "round" },
  ],
  [".cloud path:not(.beyond)", { fill: "none", "stroke-width": "4", "stroke-linecap": "round", opacity: "0.4" }],
  [".cloud .beyond", { opacity: "0.7" }],
];

/**
 * The text of an SVG file from that of a figure of the page: no custom property, class or script is left, so that every
 * viewer draws it.
 */
export function makePlainSvg(figure: string): string {
  const { document } = parseHTML(`<!doctype html><html><body>${figure}</body></html>`);
  const svg = document.querySelector("svg")!;
  for (const [selector, attributes] of styles) {
    for (const element of selector === "svg" ? [svg] : svg.querySelectorAll(selector)) {
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    }
  }
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const [, , width, height] = svg.getAttribute("viewBox")!.split(" ");
  for (const [name, value] of Object.entries({ fill: paper, height, width })) ground.setAttribute(name, value);
  svg.prepend(ground);
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return `${writeXml(svg as unknown as Element)}\n`;
}

// HTML leaves `<` and `&` of attributes as they are; XML may not.
function writeXml(element: Element): string {
  const attributes = [...element.attributes]
    .filter(({ name }) => name !== "class" && !name.startsWith("data-"))
    .map(({ name, value }) => ` ${name}="${escapeXml(setColors(value))}"`);
  const inside = [...element.childNodes].map((node) =>
    node.nodeType === 1 ? writeXml(node as Element) : escapeXml(node.textContent ?? ""),
  );
  return `<${element.localName}${attributes.join("")}>${inside.join("")}</${element.localName}>`;
}

function setColors(value: string): string {
  return value.replace(/^var\((--[\w-]+)\)$/, (_, name: string) => paperColors.get(name) ?? "#000");
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escapeXml(text: string): string {
  return text.toWellFormed().replace(/[&<>"]/g, (character) => entities[character]);
}
