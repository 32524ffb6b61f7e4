// One call of the host: what to compute, in how many independent tasks. A task writes its own part of the output and
// computes each of its values in one order, so neither the number of threads nor who does what shows in the bits.

import { attendHead } from "./attend";
import { multiplyTile } from "./gemm";
import { multiplyRows } from "./matvec";
import { activateSpan, addSpan, layerNormRow, multiplySpan, placeRow, rmsNormRow } from "./rows";
import { scoreTile } from "./score";
import { readRows, Weight } from "./weight";

/** Written by the host; 32 bits a field, in the order of job.ts on the host's side. Addresses of absent parts are 0. */
@unmanaged
export class Job {
  op: u32;
  tasks: u32;
  unit: u32; // rows, tokens or values a task
  size: u32; // rows, tokens or values in all
  scratch: usize; // of thread 0
  scratchBytes: usize; // a thread
  out: usize;
  x: usize;
  weight: usize;
  bias: usize;
  tokens: u32;
  width: u32;
  second: usize; // gain, keys, or the second operand
  third: usize; // values
  indices: usize; // ids, slots, spans or targets
  heads: u32;
  keyHeads: u32;
  headSize: u32;
  stride: u32;
  offset: u32;
  rotary: u32;
  turns: usize; // cosines and sines of each position, (positions, rotary)
  positions: usize;
  slopes: usize;
  factor: f32; // epsilon or scale
  which: u32; // activation
  chosen: usize;
  cap: f32; // of scores or logits; 0: none
}

/** Scratch for the weights being decoded; what else a task needs lies behind it. */
const WEIGHT_SCRATCH: usize = 40960;

/** Does task `task` of the job as thread `thread`. */
export function runTask(job: Job, task: usize, thread: usize): void {
  const first = task * job.unit;
  const last = min(first + job.unit, <usize>job.size);
  const scratch = job.scratch + thread * job.scratchBytes;
  const weight = changetype<Weight>(job.weight);
  const rowBytes = <usize>job.width * 4;
  switch (job.op) {
    case 0:
      multiplyRows(job.out, job.x, weight, job.bias, job.tokens, first, last, scratch);
      break;
    case 1: {
      const stride = <usize>weight.rows * 4;
      const bias = job.bias ? job.bias + first * 4 : 0;
      multiplyTile(job.out + first * 4, stride, job.x, weight, bias, job.tokens, first, last, scratch);
      break;
    }
    case 2:
      embedTokens(job, weight, first, last, scratch);
      break;
    case 3:
      for (let t = first; t < last; t++) {
        layerNormRow(job.out + t * rowBytes, job.x + t * rowBytes, job.width, job.second, job.bias, job.factor);
      }
      break;
    case 4:
      for (let t = first; t < last; t++) {
        rmsNormRow(job.out + t * rowBytes, job.x + t * rowBytes, job.width, job.second, job.factor);
      }
      break;
    case 5:
      placeTokens(job, first, last);
      break;
    case 6:
      attendTokens(job, first, last, scratch);
      break;
    case 7:
      activateSpan(job.x + first * 4, last - first, job.which);
      break;
    case 8:
      addSpan(job.out + first * 4, job.x + first * 4, job.second + first * 4, last - first);
      break;
    case 9:
      multiplySpan(job.out + first * 4, job.x + first * 4, job.second + first * 4, last - first);
      break;
    case 10:
      for (let i = first; i < last; i++) {
        memory.copy(job.out + i * rowBytes, job.x + <usize>load<u32>(job.indices + i * 4) * rowBytes, rowBytes);
      }
      break;
    default:
      scoreTile(
        job.out,
        job.chosen,
        job.x,
        weight,
        job.bias,
        job.indices,
        job.tokens,
        job.cap,
        task,
        scratch + WEIGHT_SCRATCH,
        scratch,
      );
  }
}

function embedTokens(job: Job, weight: Weight, first: usize, last: usize, scratch: usize): void {
  const columns = <usize>weight.columns;
  for (let t = first; t < last; t++) {
    const id = <usize>load<u32>(job.indices + t * 4);
    readRows(weight, id, 1, 0, columns, job.out + t * columns * 4, scratch);
  }
}

function placeTokens(job: Job, first: usize, last: usize): void {
  const headSize = <usize>job.headSize;
  const slotBytes = <usize>job.heads * headSize * 4;
  for (let t = first; t < last; t++) {
    const slot = <usize>load<u32>(job.indices + t * 4);
    const turns = job.rotary ? job.turns + <usize>load<u32>(job.positions + t * 4) * job.rotary * 4 : 0;
    const x = job.x + (t * job.width + job.offset) * 4;
    placeRow(job.out + slot * slotBytes, x, job.heads, headSize, job.stride, job.rotary, turns);
  }
}

/** Tasks of attention count pairs of token and head, head by head of each token. */
function attendTokens(job: Job, first: usize, last: usize, scratch: usize): void {
  const heads = <usize>job.heads;
  const headBytes = <usize>job.headSize * 4;
  const group = heads / job.keyHeads;
  const slotBytes = <usize>job.keyHeads * headBytes;
  for (let pair = first; pair < last; pair++) {
    const head = pair % heads;
    const shift = (head / group) * headBytes;
    attendHead(
      job.out + pair * headBytes,
      job.x + pair * headBytes,
      job.second + shift,
      job.third + shift,
      slotBytes,
      job.headSize,
      job.factor,
      job.slopes ? load<f32>(job.slopes + head * 4) : 0,
      job.cap,
      job.indices + (pair / heads) * 16,
      scratch,
    );
  }
}
