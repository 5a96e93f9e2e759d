// SPDX-License-Identifier: Apache-2.0
// Greedy decoding in llama.cpp: generate(llama, gguf, prompts, count) -> [{ids, text}], one for each
// list of prompt ids; an answer ends after `count` ids or with the end of the turn.
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

export async function generate(llama, gguf, prompts, count) {
  const model = await llama.loadModel({modelPath: gguf});
  const longest = Math.max(...prompts.map((ids) => ids.length));
  const context = await model.createContext({
    contextSize: longest + count + 8, threads: 1, flashAttention: false,
    experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32",
  });
  const sequence = context.getSequence();
  const answers = [];
  for (const prompt of prompts) {
    await sequence.clearHistory();
    const ids = [];
    for await (const id of sequence.evaluate(prompt, {temperature: 0})) {
      if (model.isEogToken(id)) break;
      ids.push(id);
      if (ids.length === count) break;
    }
    answers.push({ids, text: model.detokenize(ids)});
  }
  await context.dispose();
  await model.dispose();
  return answers;
}
