// The page's style sheet: a paper's page, light or dark as the reader's system is, and black on white in print.

import { declareColors } from "./colors.ts";

const light = `--paper:#fff;--ink:#1b1b1f;--muted:#65656d;--rule:#e6e6ea;--link:#1f4fa3;--warn:#9a3412;--shade:#0000003d;${declareColors("light")}`;
const dark = `--paper:#141518;--ink:#ececf0;--muted:#9d9da8;--rule:#2c2d33;--link:#8ab4ff;--warn:#fdba74;--shade:#ffffff4d;${declareColors("dark")}`;

/** The page's colours on paper by their custom properties. */
export const paperColors: ReadonlyMap<string, string> = new Map(
  light.split(";").map((one) => one.split(":") as [string, string]),
);

/** The text of the page's style element. */
export const pageStyle = `
:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
@media print{:root{color-scheme:light;${light}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 Charter,"Bitstream Charter","Iowan Old Style","Source Serif 4",Cambria,Georgia,serif}
main,header,footer{max-width:68rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:3rem}
h1{font-size:1.05rem;font-weight:600;margin:0 0 1.2rem;color:var(--muted);overflow-wrap:anywhere}
h2{font-size:1.2rem;font-weight:600;margin:3rem 0 .6rem;line-height:1.3;overflow-wrap:anywhere}
h3{font-size:1rem;font-weight:600;margin:2rem 0 .4rem}
p{margin:.5rem 0 1rem;max-width:44rem;overflow-wrap:anywhere}
.answer{font-size:1.4rem;line-height:1.4;margin:0 0 .6rem;max-width:46rem;text-wrap:pretty;overflow-wrap:anywhere}
.answer.more{font-size:1rem;line-height:1.55;color:var(--ink)}
.facts,.note,figcaption{color:var(--muted);font-size:.875rem;line-height:1.5}
.facts{margin:0 0 2rem;overflow-wrap:anywhere}
.note{margin:.4rem 0}
a{color:var(--link)}
figure{margin:1.5rem 0 2rem;max-width:56rem}
figcaption{margin-top:.5rem;max-width:44rem;overflow-wrap:anywhere}
figcaption b{color:var(--ink);font-weight:600}
svg.figure{display:block;width:100%;height:auto;overflow:visible;font:12px ui-sans-serif,system-ui,"Segoe UI",Helvetica,Arial,sans-serif;font-variant-numeric:tabular-nums}
svg.figure.narrow{display:none}
svg .axis-title{font-size:12px}
svg .label{font-size:12px;font-weight:600;paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
svg .point{stroke:transparent;stroke-width:13px;cursor:pointer;pointer-events:all;outline:none}
svg .point:hover,svg .point:focus-visible{stroke:var(--ink);stroke-width:1.75px}
svg .cloud path.beyond{stroke:none;opacity:.7}
svg .cloud path:not(.beyond){fill:none;stroke-width:4;stroke-linecap:round;opacity:.4}
svg.figure[data-frame]{touch-action:pan-y}
svg.figure.zoomed{cursor:grab;touch-action:none}
svg.figure.zoomed .marks path,svg.figure.zoomed .marks line{vector-effect:non-scaling-stroke}
svg.figure.zoomed .cloud .beyond{display:none}
.keys{display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.4rem 0 0;padding:0;list-style:none;font:12px ui-sans-serif,system-ui,sans-serif;color:var(--muted)}
.keys svg{width:9px;height:9px;margin-right:.35rem}
.scroll{position:relative;overflow-x:auto;margin:1rem 0;background:linear-gradient(to right,var(--paper) 40%,transparent) left/2.5rem 100% no-repeat local,linear-gradient(to left,var(--paper) 40%,transparent) right/2.5rem 100% no-repeat local,linear-gradient(to right,var(--shade),transparent) left/.9rem 100% no-repeat scroll,linear-gradient(to left,var(--shade),transparent) right/.9rem 100% no-repeat scroll}
table{border-collapse:collapse;font:13px/1.45 ui-sans-serif,system-ui,"Segoe UI",Helvetica,Arial,sans-serif;font-variant-numeric:tabular-nums;width:100%}
.unseen,caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{padding:.32rem .7rem .32rem 0;text-align:left;white-space:nowrap;vertical-align:baseline}
th:last-child,td:last-child{padding-right:0}
td.wrap{white-space:normal;overflow-wrap:anywhere;min-width:14rem}
td.long{max-width:14rem;overflow:hidden;text-overflow:ellipsis}
.right{text-align:right}
.opens{padding-left:1.4rem}
td.opens{white-space:normal;min-width:12rem}
thead th{font-weight:600;border-bottom:1px solid var(--ink);border-top:1px solid var(--ink)}
tbody tr{border-bottom:1px solid var(--rule)}
tbody tr:last-child{border-bottom:1px solid var(--ink)}
th button{all:unset;cursor:pointer;font-weight:600}
th button:focus-visible{outline:2px solid var(--link);outline-offset:2px}
th[aria-sort=ascending] button::after{content:" ↑"}
th[aria-sort=descending] button::after{content:" ↓"}
.tools{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center;font:13px ui-sans-serif,system-ui,sans-serif;margin:1rem 0 .5rem}
.tools input{flex:1 1 14rem;min-width:0;font:inherit;padding:.4rem .6rem;border:1px solid var(--muted);border-radius:3px;background:var(--paper);color:var(--ink)}
button.plain{font:inherit;font-size:13px;padding:.4rem .8rem;border:1px solid var(--muted);border-radius:3px;background:var(--paper);color:var(--ink);cursor:pointer}
td button.plain{padding:.05rem .5rem;min-height:24px;min-width:24px;font-size:12px;border-color:var(--rule)}
button.plain:hover{border-color:var(--ink)}
#all-experiments{scroll-margin-top:3rem}
#traced[hidden],.tools [hidden]{display:none}
button.plain:disabled{opacity:.45;cursor:default}
.saves{white-space:nowrap}.note .saves{white-space:normal}
.saves button.plain{padding:0 .4rem;min-height:24px;min-width:24px;font-size:11px;border-color:var(--rule);color:var(--muted)}
.has-script .saves.script-only{display:inline}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));gap:1rem 1.5rem;margin:1rem 0}
.panels figure{margin:0}
.panels h4{font-size:.95rem;font-weight:600;margin:0;overflow-wrap:anywhere}
.unstable{color:var(--warn)}
details{border-top:1px solid var(--rule);padding:.6rem 0}
details>summary{cursor:pointer;font-weight:600;overflow-wrap:anywhere}
details>summary span{font-weight:400;color:var(--muted)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem;font:13px/1.5 ui-sans-serif,system-ui,sans-serif}
dl.stacked{grid-template-columns:1fr;gap:0}
dl.stacked dd{margin-bottom:.6rem}
td .note{margin:0;font-size:12px}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
code{font:12.5px ui-monospace,"SF Mono",Menlo,Consolas,monospace}
#tip{position:absolute;z-index:2;max-width:22rem;padding:.5rem .7rem;background:var(--ink);color:var(--paper);border-radius:4px;font:12px/1.45 ui-sans-serif,system-ui,sans-serif;white-space:pre-line;pointer-events:none;overflow-wrap:anywhere}
#tip[hidden]{display:none}
#said{position:fixed;left:50%;bottom:1.5rem;transform:translateX(-50%);max-width:90vw;padding:.5rem .9rem;background:var(--ink);color:var(--paper);border-radius:4px;font:13px ui-sans-serif,system-ui,sans-serif;overflow-wrap:anywhere}
#said:empty{display:none}
.script-only{display:none}
.has-script .script-only{display:revert}
.has-script .tools.script-only{display:flex}
footer{color:var(--muted);font-size:.875rem;padding-top:2rem;padding-bottom:3rem}
@media (max-width:34rem){
header{padding-top:1.75rem}
.answer{font-size:1.2rem}
svg.figure.wide{display:none}
svg.figure.narrow{display:block}
dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:.6rem}
}
@media print{
body{font-size:10.5pt}
main,header,footer{max-width:none;padding:0}
header{padding-top:0}
.script-only,.has-script .script-only,.has-script .tools.script-only,#tip,#said,.keys~.script-only,.saves,.has-script .saves.script-only{display:none}
figure,tr{break-inside:avoid}
h2,h3{break-after:avoid}
.scroll{overflow:visible;background:none}
table{font-size:8.5pt}
th,td{padding-right:.5rem;white-space:normal}
.right{white-space:nowrap}
}
`;
