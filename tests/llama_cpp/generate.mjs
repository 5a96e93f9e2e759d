// SPDX-License-Identifier: Apache-2.0
// Greedy decoding in llama.cpp: generate(modules, gguf, promptIds, count) -> {ids, text}.
// `modules` is a node_modules folder that holds node-llama-cpp with its prebuilt binaries.
import {createRequire} from "node:module";
import path from "node:path";
import {pathToFileURL} from "node:url";

export async function openLlama(modules) {
  const require = createRequire(path.join(modules, "anchor.js"));
  const {getLlama} = await import(pathToFileURL(require.resolve("node-llama-cpp")).href);
  return await getLlama({
    build: "never", skipDownload: true, usePrebuiltBinaries: true,
    gpu: false, logLevel: "error", progressLogs: false,
  });
}

export async function generate(llama, gguf, promptIds, count) {
  const model = await llama.loadModel({modelPath: gguf});
  const context = await model.createContext({
    contextSize: promptIds.length + count + 8, threads: 1, flashAttention: false,
    experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32",
  });
  const ids = [];
  for await (const id of context.getSequence().evaluate(promptIds, {temperature: 0})) {
    ids.push(id);
    if (ids.length === count) break;
  }
  const text = model.detokenize(ids);
  await context.dispose();
  await model.dispose();
  return {ids, text};
}
