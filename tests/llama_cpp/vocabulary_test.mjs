// SPDX-License-Identifier: Apache-2.0
// vocabulary_test.mjs LACONIC MODULES: llama.cpp cuts texts into the same ids as laconic does, for a
// vocabulary of `laconic data vocabulary` in a GGUF that `laconic quantize` wrote. Exits with 77
// (skipped) when node-llama-cpp is absent.
import path from "node:path";
import {openLlama} from "./generate.mjs";
import {inScratch, laconic, needLlamaCpp} from "./testing.mjs";

const [binary, modules] = process.argv.slice(2);

needLlamaCpp(modules);
const run = laconic(binary);

// Every text comes back from `tokenize -f -` as it went in: none ends in a line break, which would
// be taken for the end of the file's last line.
function texts() {
  const lines = run("", "data", "problems", "--split", "test", "-n", "12").trim().split("\n");
  const problems = lines.map((line) => JSON.parse(line));
  const chats = problems.map(({question, answer}) =>
    `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n<think>\n${answer}` +
    `\n</think>\n\nThe answer is \\boxed{12}.<|im_end|>`);
  return [
    ...problems.map(({question}) => question), ...chats,
    "1234567890", " 1 12 123", "a1b22c333", "3.14 + 2,718 = -5/6", "x\u00b2 \u0663\u0664 \u4e09",
    "It's what they'd've said, I'll say. DON'T", "two  spaces   three", "tabs\t\tand \n\n breaks",
    " leading and trailing ", "caf\u00e9 na\u00efve \u6f22\u5b57 \u{1f42b}\u{1f9b4}", "e\u0301",
    "<think>a</think>b<|im_end|>c <|im_start |> <thin k>", "\u00a0\u2003\u180e.\u0085x",
  ];
}

let failed = 0, compared = 0;
await inScratch("vocabulary", async (scratch) => {
  const vocabulary = path.join(scratch, "vocabulary"), model = path.join(scratch, "model");
  const gguf = path.join(scratch, "model.gguf");
  run("", "data", "vocabulary", "-n", "200", "--vocab-size", "500", "-o", vocabulary);
  run("", "make-model", "--like", "tiny", "--tokenizer", vocabulary, "--out", model);
  run("", "quantize", model, gguf, "--type", "f16");
  const llama = await openLlama(modules);
  const theirs = await llama.loadModel({modelPath: gguf});
  const check = (what, ours, other) => {
    ++compared;
    if (JSON.stringify(ours) === JSON.stringify(other)) return;
    ++failed;
    console.log(`FAILED: ${what}\n  ours:   ${JSON.stringify(ours)}\n  theirs: ${JSON.stringify(other)}`);
  };
  for (const text of texts()) {
    const ids = JSON.parse(run(text, "tokenize", vocabulary, "-f", "-"));
    check(`${JSON.stringify(text)} in the GGUF`, JSON.parse(run(text, "tokenize", gguf, "-f", "-")), ids);
    check(JSON.stringify(text), ids, [...theirs.tokenize(text, true)]);
  }
  const id = (text) => JSON.parse(run(text, "tokenize", vocabulary, "-f", "-"))[0];
  check("the end of a turn", id("<|im_end|>"), theirs.tokens.eos);
  check("other ends", true, theirs.isEogToken(id("<|endoftext|>")));
  check("no token before a text", false, theirs.tokens.shouldPrependBosToken);
  await theirs.dispose();
});
console.log(`${compared - failed} of ${compared} comparisons agree`);
process.exit(failed ? 1 : 0);
