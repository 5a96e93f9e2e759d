// SPDX-License-Identifier: Apache-2.0
// llama_cpp.mjs NODE_MODULES MODEL.gguf THREADS: llama.cpp (node-llama-cpp, CPU) as a worker.
// Reads one request per line, JSON, and answers each with one line, JSON:
//
//   {"prompt": P}                             P tokens in chunks of 512     -> {"seconds": s}
//   {"generate": N, "depth": D, "batch": B}   N steps behind D tokens each  -> {"seconds": s}
//
// It goes past the wrapper's queue to the functions beneath, so that nothing but llama_decode is
// timed: no sampling, no tokenizer. The worker keeps what it has read, so that depths that ascend
// cost one reading.
import path from "node:path";
import readline from "node:readline";
import {openLlama} from "../../tests/llama_cpp/generate.mjs";

const [modules, file, threads] = process.argv.slice(2);
const CHUNK = 512;
const llama = await openLlama(path.resolve(modules));
const model = await llama.loadModel({modelPath: file});
const vocabulary = 256;  // ids that every vocabulary has
let context = null, room = 0, sequences = 0, held = [];

const token = (i) => (i * 37) % (vocabulary - 1) + 1;

async function need(tokens, batch) {
  if (context && tokens <= room && batch === sequences) return;
  if (context) await context.dispose();
  room = tokens;
  sequences = batch;
  held = Array(batch).fill(0);
  context = await model.createContext({
    contextSize: tokens, sequences: batch, batchSize: Math.max(CHUNK, batch),
    threads: {ideal: Number(threads), min: Number(threads)},
  });
  context._ctx.setThreads(Number(threads));
}

// One call of llama_decode: `ids` more tokens of each of the given sequences.
async function decode(entries) {
  context._ctx.initBatch(entries.reduce((sum, [, count]) => sum + count, 0));
  for (const [sequence, count] of entries) {
    const ids = Uint32Array.from({length: count}, (_, i) => token(held[sequence] + i));
    context._ctx.addToBatch(sequence, held[sequence], ids, Uint32Array.of(count - 1));
    held[sequence] += count;
  }
  await context._ctx.decodeBatch();
}

function rewind(sequence, tokens) {
  if (held[sequence] <= tokens) return;
  if (tokens === 0) context._ctx.disposeSequence(sequence);
  else context._ctx.removeTokenCellsFromSequence(sequence, tokens, held[sequence]);
  held[sequence] = tokens;
}

async function read(sequence, tokens) {
  rewind(sequence, tokens);
  while (held[sequence] < tokens)
    await decode([[sequence, Math.min(CHUNK, tokens - held[sequence])]]);
}

async function timed(work) {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

async function answer(request) {
  if (request.prompt) {
    await need(Math.max(request.room ?? 0, request.prompt), 1);
    rewind(0, 0);
    return await timed(() => read(0, request.prompt));
  }
  const {generate, depth, batch} = request;
  await need(Math.max(request.room ?? 0, depth + generate + 8), batch);
  const all = Array.from({length: batch}, (_, i) => [i, 1]);
  for (let i = 0; i < batch; ++i) await read(i, depth);
  await decode(all);  // the warm-up
  for (let i = 0; i < batch; ++i) rewind(i, depth);
  return await timed(async () => {
    for (let step = 0; step < generate; ++step) await decode(all);
  });
}

console.log(JSON.stringify({ready: true, system: llama._bindings.systemInfo(),
                            release: llama.llamaCppRelease?.release ?? ""}));
for await (const line of readline.createInterface({input: process.stdin})) {
  if (line.trim() === "") continue;
  try {
    console.log(JSON.stringify({seconds: await answer(JSON.parse(line))}));
  } catch (error) {
    console.log(JSON.stringify({error: String(error)}));
  }
}
process.exit(0);
