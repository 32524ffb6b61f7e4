// Saves a figure as SVG, PNG or CSV. `saveFigures` is complete in itself; the report carries its text.
// The page's colours are custom properties of its style sheet; in a saved file they stand as the reader sees them.

/** Brings the buttons under the figures to life, also of those that come later. Runs in a browser, once a page. */
export function saveFigures(): void {
  const styles = [
    "fill",
    "stroke",
    "stroke-width",
    "stroke-opacity",
    "opacity",
    "stroke-linecap",
    "stroke-linejoin",
    "fill-opacity",
    "vector-effect",
  ];
  const ofText = ["font-size", "font-weight", "font-family", "paint-order", "text-anchor"];
  const space = "http://www.w3.org/2000/svg";

  const drawPlain = (shown: SVGSVGElement): { text: string; width: number; height: number } => {
    const copy = shown.cloneNode(true) as SVGSVGElement;
    const [, , width, height] = (shown.getAttribute("viewBox") ?? "").split(/[\s,]+/).map(Number);
    const originals = [shown, ...shown.querySelectorAll<SVGElement>("*")];
    const copies = [copy, ...copy.querySelectorAll<SVGElement>("*")];
    originals.forEach((original, i) => {
      const computed = getComputedStyle(original);
      if (computed.display === "none") copies[i].setAttribute("display", "none");
      const isPoint = original.classList.contains("point"); // its wide stroke only catches the pointer
      const isText = original.tagName === "text";
      for (const name of isText || i === 0 ? [...styles, ...ofText] : styles) {
        if (isPoint && name.startsWith("stroke")) copies[i].setAttribute("stroke", "none");
        else copies[i].setAttribute(name, computed.getPropertyValue(name));
      }
      for (const name of [
        "class",
        "tabindex",
        "data-rows",
        "data-cloud",
        "data-frame",
        "data-view",
        "data-dragged",
        "role",
        "style",
      ])
        copies[i].removeAttribute(name);
    });
    const paper = document.createElementNS(space, "rect");
    paper.setAttribute("width", String(width));
    paper.setAttribute("height", String(height));
    paper.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
    copy.prepend(paper);
    for (const [name, value] of [
      ["xmlns", space],
      ["width", width],
      ["height", height],
    ] as const) {
      copy.setAttribute(name, String(value));
    }
    return { text: new XMLSerializer().serializeToString(copy), width, height };
  };
  const download = (blob: Blob, name: string) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const savePng = async ({ text, width, height }: ReturnType<typeof drawPlain>, name: string) => {
    const image = new Image();
    image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * width, 2 * height];
    canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => blob && download(blob, name), "image/png");
  };

  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest?.<HTMLButtonElement>("button[data-save]");
    if (!button) return;
    const figure = button.closest("figure")!;
    const name = `${figure.dataset["name"]}.${button.dataset["save"]}`;
    if (button.dataset["save"] === "csv") {
      download(new Blob([(figure.dataset["csv"] ?? "").replaceAll("\n", "\r\n")], { type: "text/csv" }), name);
      return;
    }
    const drawn = drawPlain(figure.querySelector<SVGSVGElement>("svg.figure")!);
    if (button.dataset["save"] === "png") void savePng(drawn, name);
    else download(new Blob([drawn.text], { type: "image/svg+xml" }), name);
  });
}
