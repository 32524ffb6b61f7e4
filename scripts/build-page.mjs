// Bundles the live page of `kbit ui` into dist/dashboard: its scripts by Vite, beside the files of dashboard/public.
import { build } from "vite";

const names = ["page", "worker", "thread"];

export function buildPage() {
  return build({
    root: "dashboard",
    configFile: false,
    logLevel: "warn",
    build: {
      outDir: "../dist/dashboard",
      emptyOutDir: true,
      target: "esnext",
      modulePreload: false,
      reportCompressedSize: false,
      rolldownOptions: {
        input: Object.fromEntries(names.map((name) => [name, `dashboard/${name}.ts`])),
        output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
        treeshake: { moduleSideEffects: false },
      },
    },
  });
}
