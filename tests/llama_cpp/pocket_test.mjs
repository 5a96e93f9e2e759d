// SPDX-License-Identifier: Apache-2.0
// pocket_test.mjs LACONIC POCKET MODULES: pocket as a GGUF, in llama.cpp, solves as many of its
// held-out problems as in laconic. Exits with 77 (skipped) when node-llama-cpp or the weights are
// absent.
import fs from "node:fs";
import path from "node:path";
import {generate, openLlama} from "./generate.mjs";
import {inScratch, laconic, needLlamaCpp, skip} from "./testing.mjs";

const PROBLEMS = 100, MOST_TOKENS = 2000, ALLOWED_DIFFERENCE = 2;
const [binary, pocket, modules] = process.argv.slice(2);
needLlamaCpp(modules);
if (!fs.existsSync(path.join(pocket, "model.safetensors"))) skip(`${pocket} has no weights`);

const solved = (text, gold) => [...text.matchAll(/\\boxed\{(-?\d+)\}/g)].at(-1)?.[1] === gold;

const difference = await inScratch("pocket", async (scratch) => {
  const run = laconic(binary), gguf = path.join(scratch, "pocket.gguf");
  const samples = path.join(scratch, "samples.jsonl");
  run("", "quantize", pocket, gguf, "--type", "bf16");
  run("", "eval", "-m", gguf, "--task", path.join(pocket, "test.jsonl"), "--limit", String(PROBLEMS),
    "--max-tokens", String(MOST_TOKENS), "--kv-type", "f32", "--samples", samples);
  const ours = fs.readFileSync(samples, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const answers = await generate(await openLlama(modules), gguf, ours.map((s) => s.prompt_ids),
    MOST_TOKENS);
  const theirs = ours.filter((sample, i) => solved(answers[i].text, sample.gold)).length;
  const here = ours.filter((sample) => sample.correct).length;
  console.log(`${here} of ${PROBLEMS} solved in laconic, ${theirs} in llama.cpp`);
  return Math.abs(here - theirs);
});
process.exit(difference <= ALLOWED_DIFFERENCE ? 0 : 1);
