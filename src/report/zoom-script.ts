// Zooms and pans the figures on their axes: marks keep their size, ticks are drawn anew. `listenToZoom` is complete in
// itself; the report carries its text. A figure says its scales in `data-frame`; in pixels every one of them is a straight
// line, so that a view is a scale and a shift, and thousands of marks move with one attribute.

import type { FrameFacts } from "./frame.ts";

/** Wheel with Ctrl (or after a press on the figure), pinch, drag, keys and buttons. Runs in a browser, once a page. */
export function listenToZoom(): void {
  const space = "http://www.w3.org/2000/svg";
  const most = 60; // times
  interface View {
    readonly facts: FrameFacts;
    k: number;
    x: number;
    y: number;
    isDrawn: boolean;
  }
  const views = new WeakMap<SVGSVGElement, View>();
  let figures = 0;
  let held: SVGSVGElement | null = null; // pressed last: its wheel zooms

  const figureOf = (event: Event) => {
    const target = event.target as Element;
    const figure = target.closest?.<SVGSVGElement>("svg.figure[data-frame]") ?? null;
    return figure;
  };
  const viewOf = (figure: SVGSVGElement): View => {
    const known = views.get(figure);
    if (known) return known;
    const [k, x, y] = (figure.dataset["view"] ?? "1 0 0").split(" ").map(Number); // of a figure that this one replaces
    const made = { facts: JSON.parse(figure.dataset["frame"]!) as FrameFacts, k, x, y, isDrawn: true };
    views.set(figure, made);
    return made;
  };
  const add = (parent: Element, name: string, attributes: Readonly<Record<string, string | number>>): Element => {
    const element = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    parent.append(element);
    return element;
  };

  // Ticks at 1, 2 and 5, or finer; those of a log scale that spans little are even.
  const evenTicks = (low: number, high: number, count: number): number[] => {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5].find((one) => one * power >= rough) ?? 10);
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, i) => (first + i) * step);
  };
  const logTicks = (low: number, high: number, count: number): number[] => {
    if (high / low < 4) return evenTicks(low, high, count);
    const powers = Array.from(
      { length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 },
      (_, i) => 10 ** (Math.floor(Math.log10(low)) + i),
    );
    const choices = [[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1]].map((digits) =>
      powers.flatMap((power) => digits.map((digit) => digit * power)).filter((at) => at >= low && at <= high),
    );
    return choices.find((ticks) => ticks.length <= count + 1) ?? choices[2];
  };
  const names = ["B", "KB", "MB", "GB", "TB", "PB"];
  const digitsOf = (step: number) => Math.min(12, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  const formatTicks = (ticks: readonly number[], isBytes: boolean, isEven: boolean): string[] => {
    const step = Math.min(...ticks.slice(1).map((at, i) => at - ticks[i]));
    return ticks.map((at) => {
      const power = isBytes ? Math.min(5, Math.max(0, Math.floor(Math.log10(at) / 3 + 1e-9))) : 0;
      const unit = 1000 ** power;
      const own = Number.isFinite(step) ? Math.min(step, isEven ? step : at) : at / 100;
      const text = (at / unit).toFixed(digitsOf(own / unit));
      return isBytes ? `${Number(text)} ${names[power]}` : isEven ? text : String(Number(text));
    });
  };

  const drawAxes = (figure: SVGSVGElement, { facts, k, x, y }: View) => {
    figure.querySelector(".zoom-axes")?.remove();
    for (const axis of figure.querySelectorAll("[aria-label^='x-axis'],[aria-label^='y-axis'],[aria-label='y-grid']"))
      (axis as SVGElement).style.display = k === 1 ? "" : "none";
    if (k === 1) return;
    const [left, top, right, bottom] = facts.box;
    const axes = document.createElementNS(space, "g");
    axes.setAttribute("class", "zoom-axes");
    axes.setAttribute("fill", "var(--muted)");
    const isNarrow = right - left < 400;
    const ratio = facts.x[1] / facts.x[0];
    const xAt = (pixel: number) => facts.x[0] * ratio ** ((pixel - left) / (right - left));
    const span = facts.y[1] - facts.y[0];
    const yAt = (pixel: number) => {
      const share = (bottom - pixel) / (bottom - top);
      return facts.isLogY ? facts.y[0] * (facts.y[1] / facts.y[0]) ** share : facts.y[0] + share * span;
    };
    const scale = facts.unit === "bytes" ? 8 : 1;
    const xTicks = logTicks(xAt((left - x) / k) / scale, xAt((right - x) / k) / scale, isNarrow ? 4 : 7);
    const xTexts = formatTicks(xTicks, facts.unit === "bytes", false);
    xTicks.forEach((at, i) => {
      const base = left + (Math.log((at * scale) / facts.x[0]) / Math.log(ratio)) * (right - left);
      const place = base * k + x;
      add(axes, "path", { d: `M${place.toFixed(1)},${bottom}v5`, stroke: "var(--muted)" });
      const text = add(axes, "text", { x: place.toFixed(1), y: bottom + 9, dy: "0.71em", "text-anchor": "middle" });
      text.textContent = xTexts[i];
    });
    const [low, high] = [yAt((bottom - y) / k), yAt((top - y) / k)];
    const yTicks = facts.isLogY ? logTicks(low, high, 6) : evenTicks(low, high, 6);
    const yTexts = formatTicks(yTicks, false, !facts.isLogY);
    yTicks.forEach((at, i) => {
      const share = facts.isLogY
        ? Math.log(at / facts.y[0]) / Math.log(facts.y[1] / facts.y[0])
        : (at - facts.y[0]) / span;
      const place = (bottom - share * (bottom - top)) * k + y;
      add(axes, "path", { d: `M${left},${place.toFixed(1)}H${right}`, stroke: "var(--rule)" });
      const text = add(axes, "text", { x: left - 9, y: place.toFixed(1), dy: "0.32em", "text-anchor": "end" });
      text.textContent = yTexts[i];
    });
    figure.prepend(axes);
  };

  const placeOf = new WeakMap<Element, readonly [number, number]>(); // before any zoom
  const readPlace = (element: Element): readonly [number, number] => {
    const known = placeOf.get(element);
    if (known) return known;
    const moved = /translate\(([-\d.]+),([-\d.]+)\)/.exec(element.getAttribute("transform") ?? "");
    const read = (name: string) => Number(element.getAttribute(name));
    const place = moved
      ? ([Number(moved[1]), Number(moved[2])] as const)
      : element.tagName === "circle"
        ? ([read("cx"), read("cy")] as const)
        : ([read("x"), read("y")] as const);
    placeOf.set(element, place);
    return place;
  };
  const draw = (figure: SVGSVGElement) => {
    const view = viewOf(figure);
    const { facts, k, x, y } = view;
    const [left, top, right, bottom] = facts.box;
    view.isDrawn = true;
    if (k === 1) delete figure.dataset["view"];
    else figure.dataset["view"] = `${k} ${x} ${y}`;
    const marks = figure.querySelector<SVGGElement>(".marks")!;
    if (!marks.hasAttribute("data-clip")) {
      const id = `clip-${++figures}`;
      const clip = add(figure, "clipPath", { id });
      add(clip, "rect", { x: left, y: top, width: right - left, height: bottom - top });
      marks.setAttribute("data-clip", `url(#${id})`);
    }
    if (k === 1) marks.removeAttribute("clip-path");
    else marks.setAttribute("clip-path", marks.getAttribute("data-clip")!);
    figure.classList.toggle("zoomed", k > 1);
    const matrix = `matrix(${k},0,0,${k},${x.toFixed(2)},${y.toFixed(2)})`;
    for (const group of marks.children) {
      if (group.matches(".points, .beyond")) {
        for (const shape of group.children) {
          const [px, py] = readPlace(shape);
          const [nx, ny] = [(px * k + x).toFixed(2), (py * k + y).toFixed(2)];
          if (shape.tagName === "circle") {
            shape.setAttribute("cx", nx);
            shape.setAttribute("cy", ny);
          } else {
            const rest = (shape.getAttribute("transform") ?? "").replace(/translate\([^)]*\)/, "");
            shape.setAttribute("transform", `translate(${nx},${ny})${rest}`);
          }
        }
      } else if (group.classList.contains("budget")) {
        group.setAttribute("transform", `translate(${(Number(group.getAttribute("x1")) * (k - 1) + x).toFixed(2)},0)`);
      } else if (k === 1) group.removeAttribute("transform");
      else group.setAttribute("transform", matrix);
    }
    for (const label of figure.querySelectorAll<SVGTextElement>("text.label")) {
      const [px, py] = readPlace(label);
      const [nx, ny] = [px * k + x, py * k + y];
      label.setAttribute("x", nx.toFixed(1));
      label.setAttribute("y", ny.toFixed(1));
      label.style.display = k > 1 && (nx < left || nx > right || ny < top || ny > bottom) ? "none" : "";
    }
    drawAxes(figure, view);
    for (const button of figure.closest("figure, div")?.querySelectorAll<HTMLButtonElement>("[data-zoom]") ?? [])
      if (button.dataset["zoom"] !== "in") button.disabled = k === 1;
  };
  const change = (figure: SVGSVGElement, k: number, x: number, y: number) => {
    const view = viewOf(figure);
    const [left, top, right, bottom] = view.facts.box;
    view.k = Math.min(most, Math.max(1, k));
    // Never beyond what the figure shows unzoomed.
    view.x = Math.min(left - left * view.k, Math.max(right - right * view.k, x));
    view.y = Math.min(top - top * view.k, Math.max(bottom - bottom * view.k, y));
    if (view.k === 1) [view.x, view.y] = [0, 0];
    if (!view.isDrawn) return;
    view.isDrawn = false;
    requestAnimationFrame(() => draw(figure));
    document.dispatchEvent(new Event("kbit-zoom"));
  };
  const zoomAt = (figure: SVGSVGElement, factor: number, [px, py]: readonly [number, number]) => {
    const view = viewOf(figure);
    const k = Math.min(most, Math.max(1, view.k * factor));
    const by = k / view.k;
    change(figure, k, px - (px - view.x) * by, py - (py - view.y) * by);
  };
  const middleOf = (figure: SVGSVGElement): [number, number] => {
    const [left, top, right, bottom] = viewOf(figure).facts.box;
    return [(left + right) / 2, (top + bottom) / 2];
  };
  const pixelOf = (figure: SVGSVGElement, event: { clientX: number; clientY: number }): [number, number] => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(figure.getScreenCTM()!.inverse());
    return [place.x, place.y];
  };

  document.addEventListener(
    "wheel",
    (event) => {
      const figure = figureOf(event);
      if (!figure || !(event.ctrlKey || event.metaKey || figure === held)) return;
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      zoomAt(figure, Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), pixelOf(figure, event));
    },
    { passive: false },
  );
  const fingers = new Map<number, [number, number]>();
  let dragged: SVGSVGElement | null = null;
  document.addEventListener("pointerdown", (event) => {
    held = figureOf(event);
    if (!held || event.button !== 0) return;
    delete held.dataset["dragged"];
    dragged = held;
    fingers.set(event.pointerId, pixelOf(held, event));
  });
  document.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last || !dragged) return;
    const view = viewOf(dragged);
    const now = pixelOf(dragged, event);
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const far = (a: readonly number[]) => Math.hypot(a[0] - other[0], a[1] - other[1]);
      zoomAt(dragged, far(now) / Math.max(1, far(last)), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
      dragged.dataset["dragged"] = "";
    } else {
      const isFar = Math.hypot(now[0] - last[0], now[1] - last[1]) > 3;
      if (view.k === 1 || !(isFar || dragged.dataset["dragged"] !== undefined)) return;
      dragged.dataset["dragged"] = "";
      change(dragged, view.k, view.x + now[0] - last[0], view.y + now[1] - last[1]);
      event.preventDefault();
    }
    fingers.set(event.pointerId, now);
  });
  for (const kind of ["pointerup", "pointercancel"] as const) {
    document.addEventListener(kind, (event) => {
      fingers.delete(event.pointerId);
      if (fingers.size === 0) dragged = null;
    });
  }
  document.addEventListener("dblclick", (event) => {
    const figure = figureOf(event);
    if (!figure || (event.target as Element).closest(".point")) return;
    zoomAt(figure, 2, pixelOf(figure, event));
    getSelection()?.removeAllRanges();
  });
  document.addEventListener("keydown", (event) => {
    const figure = figureOf(event);
    if (!figure || event.ctrlKey || event.metaKey || event.altKey) return;
    const view = viewOf(figure);
    const factor = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, "0": 0 }[event.key];
    const [width, height] = [view.facts.box[2] / 8, view.facts.box[3] / 8];
    const step = event.shiftKey
      ? { ArrowLeft: [width, 0], ArrowRight: [-width, 0], ArrowUp: [0, height], ArrowDown: [0, -height] }[event.key]
      : undefined;
    if (factor === undefined && step === undefined) return;
    event.preventDefault();
    if (step) change(figure, view.k, view.x + step[0], view.y + step[1]);
    else if (factor === 0) change(figure, 1, 0, 0);
    else {
      const [px, py] = readPlace(event.target as Element);
      zoomAt(figure, factor!, [px * view.k + view.x, py * view.k + view.y]);
    }
  });
  // A point that the keys lead to comes into view.
  document.addEventListener("focusin", (event) => {
    const figure = figureOf(event);
    if (!figure || !(event.target as Element).matches(".point")) return;
    const view = viewOf(figure);
    const [left, top, right, bottom] = view.facts.box;
    const [px, py] = readPlace(event.target as Element);
    const [nx, ny] = [px * view.k + view.x, py * view.k + view.y];
    if (view.k === 1 || (nx >= left && nx <= right && ny >= top && ny <= bottom)) return;
    const [mx, my] = middleOf(figure);
    change(figure, view.k, mx - px * view.k, my - py * view.k);
  });
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest?.<HTMLElement>("[data-zoom]");
    if (!button) return;
    const all = button.closest("figure")!.querySelectorAll<SVGSVGElement>("svg.figure[data-frame]");
    const figure = [...all].find((one) => one.getClientRects().length > 0);
    if (!figure) return;
    if (button.dataset["zoom"] === "reset") change(figure, 1, 0, 0);
    else zoomAt(figure, button.dataset["zoom"] === "in" ? 2 : 0.5, middleOf(figure));
  });
  document.addEventListener("kbit-marks", (event) => {
    const figure = figureOf(event);
    if (figure) draw(figure);
  });
}
