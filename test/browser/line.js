// A piece of the line that runs unchanged in Node and in a page: a checkpoint from files, quantized, loaded, measured,
// and written on. Plain JavaScript, so that a page loads it as it is.

/** The files of a model, by name. */
export const modelFiles = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];

/**
 * What a model says at nf4:b64.
 *
 * @param kbit - the module: index.ts or what it was built to
 * @param files - the bytes of each file by its name
 * @param options - kernel set and threads
 */
export async function runLine(kbit, files, text, options) {
  const checkpoint = await kbit.openCheckpointFiles(files, "books-0.2m");
  const quantized = kbit.quantizeCheckpoint(checkpoint, kbit.parseSpec("nf4:b64"));
  const kernels = await kbit.selectKernels(options);
  const model = await kbit.loadModel(quantized, kernels);
  const { perplexity, nll, tokens, convention } = await kbit.measurePerplexity(model, text, { window: 128, limit: 6 });
  const prompt = model.encode("It was near the close of the year, and", "default");
  const written = await Array.fromAsync(model.generate(prompt, { maxTokens: 24 }));
  const sampled = await Array.fromAsync(model.generate(prompt, { maxTokens: 24, temperature: 0.8, seed: 7 }));
  const { total } = await kbit.countBits(quantized);
  const facts = { name: kernels.name, threads: kernels.threads };
  await model.close();
  await kernels.close();
  return { ...facts, perplexity, nll, tokens, convention, total, text: model.decode(written), written, sampled };
}

/** `runLine` on files that are fetched, in a page or in a worker. */
export async function fetchAndRunLine(kbit, options) {
  const fetchFile = async (path) => {
    const response = await fetch(path);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response;
  };
  const files = new Map();
  for (const name of modelFiles) {
    files.set(name, new Uint8Array(await (await fetchFile(`/models/books/books-0.2m/${name}`)).arrayBuffer()));
  }
  return runLine(kbit, files, await (await fetchFile("/models/books/heldout.txt")).text(), options);
}
