// The page's scripts for its figures: points that say what they are and copy the commands of their rows. Each function
// is complete in itself; the report carries its text. Everything a row says is set as text, never as HTML.

import type { RepeatedRow } from "./command.ts";
import type { RecordRow } from "./record-index.ts";
import type { RowSource } from "./source.ts";

/** What a page does with its rows. */
export interface PageActions {
  /** Says something for a while, to eyes and screen readers. */
  say(message: string): void;
  /** Copies the commands that measure rows again, a line each. */
  copy(ids: readonly string[]): Promise<void>;
  commandOf(row: RecordRow): string;
}

/** Copying and saying. Runs in a browser, once a page. */
export function createActions(source: RowSource, formatCommand: (row: RepeatedRow) => string): PageActions {
  const said = document.getElementById("said")!;
  let silence = 0;
  const say = (message: string) => {
    said.textContent = message;
    clearTimeout(silence);
    silence = window.setTimeout(() => {
      said.textContent = "";
    }, 4000);
  };
  const commandOf = (row: RecordRow) => {
    const text = (name: string) => String(row[name] ?? "");
    return formatCommand({
      model: text("model"),
      spec: text("spec"),
      task: text("taskPath") || text("task"),
      profile: text("profile"),
      limit: row["limit"] as number | null,
      dataHash: text("dataHash"),
      modelPath: text("modelPath"),
      dataPath: text("dataPath"),
    });
  };
  const copy = async (ids: readonly string[]) => {
    const all = { words: "", sort: "", descending: false, from: 0, count: ids.length };
    const { rows } = await source.find({ ...all, ids });
    if (rows.length === 0) return;
    const commands = rows.map(commandOf).join("\n");
    try {
      await navigator.clipboard.writeText(commands);
    } catch {
      // Pages opened from disk may lack the clipboard interface.
      const area = document.createElement("textarea");
      area.value = commands;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say(rows.length === 1 ? `Copied: ${commands}` : `Copied ${rows.length} commands, the first: ${commandOf(rows[0])}`);
  };
  return { say, copy, commandOf };
}

/** Hover, focus and keys of the points of all figures, also of those that come later. Runs in a browser, once a page. */
export function listenToPoints(source: RowSource, { copy }: PageActions): void {
  const tip = document.getElementById("tip")!;
  const pointOf = (event: Event) => (event.target as Element).closest?.<SVGElement>("svg.figure .point") ?? null;
  const split = (ids: string | null) => (ids ?? "").split(" ").filter(Boolean);
  const show = (
    text: string,
    ids: readonly string[],
    box: { left: number; right: number; top: number; bottom: number },
  ) => {
    const rows = ids.length === 1 ? `Row ${ids[0]}` : `Mean of rows ${ids.map((id) => id.slice(0, 8)).join(", ")}`;
    const copies = ids.length === 1 ? "Enter or click copies its command." : "Enter or click copies their commands.";
    tip.textContent = [text, ...(ids.length === 0 ? [] : [rows, copies])].join("\n");
    tip.hidden = false;
    const left = (box.left + box.right) / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(8, Math.min(left, document.documentElement.clientWidth - tip.offsetWidth - 8)) + scrollX}px`;
    const above = box.top - tip.offsetHeight - 6;
    tip.style.top = `${(above < 4 ? box.bottom + 6 : above) + scrollY}px`;
  };
  let near: readonly string[] = []; // of a dot of a cloud
  const hide = () => {
    tip.hidden = true;
    near = [];
  };
  for (const kind of ["mouseover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const point = pointOf(event);
      if (!point) return;
      near = [];
      show(
        point.getAttribute("aria-label") ?? "",
        split(point.getAttribute("data-rows")),
        point.getBoundingClientRect(),
      );
    });
  }
  for (const kind of ["mouseout", "focusout", "kbit-zoom"]) {
    document.addEventListener(kind, (event) => (kind === "kbit-zoom" || pointOf(event)) && hide());
  }

  // Dots of a cloud are one path; the pointer finds the one it is at.
  const dots = new WeakMap<
    Element,
    { readonly places: readonly (readonly number[])[]; readonly ids: readonly string[] }
  >();
  const findDot = (figure: Element, event: MouseEvent): readonly string[] => {
    let [best, found] = [8, [] as readonly string[]];
    for (const path of figure.querySelectorAll<SVGPathElement>("path[data-cloud]")) {
      let cloud = dots.get(path);
      if (cloud === undefined) {
        const places = [...path.getAttribute("d")!.matchAll(/M([-\d.]+),([-\d.]+)/g)].map(([, x, y]) => [+x, +y]);
        cloud = { places, ids: path.getAttribute("data-cloud")!.split(",") };
        dots.set(path, cloud);
      }
      const matrix = path.getScreenCTM()!;
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
      cloud.places.forEach(([x, y], i) => {
        const far = Math.hypot(x - at.x, y - at.y) * matrix.a;
        if (far < best) [best, found] = [far, split(cloud.ids[i])];
      });
    }
    return found;
  };
  let isMoving = false;
  document.addEventListener("mousemove", (event) => {
    const figure = (event.target as Element).closest?.("svg.figure");
    if (isMoving || pointOf(event) || (!figure && near.length === 0)) return;
    isMoving = true;
    requestAnimationFrame(async () => {
      isMoving = false;
      const found = figure && event.buttons === 0 ? findDot(figure, event) : [];
      if (found.join() === near.join()) return;
      hide();
      near = found;
      if (found.length === 0) return;
      const { rows } = await source.find({ words: "", ids: found, sort: "", descending: false, from: 0, count: 9 });
      const [row] = rows;
      if (row === undefined || near !== found) return;
      const text = `${row["model"]} at ${row["spec"]}\n${rows.map((one) => `${one["task"]}: ${one["measure"]} ${Number(one["value"]).toPrecision(4)}`).join("\n")}`;
      const [x, y] = [event.clientX, event.clientY];
      show(text, found, { left: x, right: x, top: y - 6, bottom: y + 6 });
    });
  });
  document.addEventListener("click", (event) => {
    const figure = (event.target as Element).closest?.<SVGSVGElement>("svg.figure");
    if (!figure || figure.dataset["dragged"] !== undefined) return;
    const point = pointOf(event);
    const ids = point ? split(point.getAttribute("data-rows")) : near;
    if (ids.length > 0) void copy(ids);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const point = pointOf(event);
    if (!point || event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      void copy(split(point.getAttribute("data-rows")));
    }
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const points = [...point.closest("svg")!.querySelectorAll<SVGElement>(".point")];
    const next = points[points.indexOf(point) + step];
    if (next === undefined) return;
    event.preventDefault();
    point.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}

/** Makes the points of figures below `root` buttons: one stop of the Tab key a figure, arrow keys between its points. */
export function readyPoints(root: ParentNode): void {
  for (const figure of root.querySelectorAll("svg.figure")) {
    figure.querySelectorAll(".point").forEach((point, place) => {
      const title = point.querySelector("title");
      if (title === null) return; // ready already
      point.setAttribute("aria-label", title.textContent);
      title.remove(); // the tip says it
      point.setAttribute("role", "button");
      point.setAttribute("tabindex", place === 0 ? "0" : "-1");
    });
  }
}
