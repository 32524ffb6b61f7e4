// A kernel set that hands every call on to another: what sets are made of that change a call or two of one.

import type { Kernels } from "./kernels.ts";

/** The set with methods that can be spread and called alone; `view` only where it has one. */
export function delegateKernels(kernels: Kernels): Kernels {
  // Method by method: a set may be an instance of a class, whose methods a spread would leave out.
  return {
    name: kernels.name,
    computeType: kernels.computeType,
    threads: kernels.threads,
    createBuffer: kernels.createBuffer.bind(kernels),
    write: kernels.write.bind(kernels),
    read: kernels.read.bind(kernels),
    ...(kernels.view && { view: kernels.view.bind(kernels) }),
    loadWeight: kernels.loadWeight.bind(kernels),
    release: kernels.release.bind(kernels),
    close: kernels.close.bind(kernels),
    embed: kernels.embed.bind(kernels),
    matmul: kernels.matmul.bind(kernels),
    layerNorm: kernels.layerNorm.bind(kernels),
    rmsNorm: kernels.rmsNorm.bind(kernels),
    placeHeads: kernels.placeHeads.bind(kernels),
    attend: kernels.attend.bind(kernels),
    activate: kernels.activate.bind(kernels),
    add: kernels.add.bind(kernels),
    multiply: kernels.multiply.bind(kernels),
    gather: kernels.gather.bind(kernels),
    scoreTargets: kernels.scoreTargets.bind(kernels),
  };
}
