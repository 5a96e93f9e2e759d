// SPDX-License-Identifier: Apache-2.0
// llama_cpp_test.mjs LACONIC DATA MODULES: what `laconic quantize` writes loads in llama.cpp and
// says the same. Exits with 77 (skipped) when the data or node-llama-cpp is absent.
//
// F16 and BF16 must agree on every id, with laconic and with the reference. llama.cpp rounds
// activations to 8 bits before a product with quantised weights and laconic does not, so Q8_0 and
// Q4_0 must agree on the ids before rounding can tip a near tie.
import fs from "node:fs";
import path from "node:path";
import {generate, openLlama} from "./generate.mjs";
import {inScratch, laconic, needLlamaCpp, skip} from "./testing.mjs";

const [binary, data, modules] = process.argv.slice(2);
const source = path.join(data, "models", "stories260K");

needLlamaCpp(modules);
if (!fs.existsSync(source)) skip(`${source} is absent`);

function commonPrefix(a, b) {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) ++n;
  return n;
}

const expected = JSON.parse(fs.readFileSync(path.join(source, "expected.json")));
const count = expected.greedy_ids.length;
const exact = {f16: true, bf16: false, q8_0: false, q4_0: false};
const leastAgreement = {f16: count, bf16: count, q8_0: 24, q4_0: 4};

const failed = await inScratch("llama-cpp", async (scratch) => {
  const run = laconic(binary), llama = await openLlama(modules);
  let failures = 0;
  for (const type of Object.keys(leastAgreement)) {
    const gguf = path.join(scratch, `${type}.gguf`);
    run("", "quantize", source, gguf, "--type", type);
    const [theirs] = await generate(llama, gguf, [expected.prompt_ids], count);
    const ours = JSON.parse(run("", "run", "-m", gguf, "--ids", expected.prompt_ids.join(","), "-n",
      String(count), "--ignore-eos", "--temp", "0", "--kv-type", "f32", "-t", "1", "--json"));
    const agreed = commonPrefix(ours.ids, theirs.ids);
    let verdict = agreed >= leastAgreement[type] ? "ok" : "FAILED";
    if (agreed === count && ours.text !== theirs.text) verdict = "FAILED (same ids, other text)";
    if (exact[type] && !theirs.text.startsWith(expected.greedy_text))
      verdict = "FAILED (not the reference's text)";
    if (verdict !== "ok") {
      ++failures;
      console.log(`  ours:   ${JSON.stringify(ours.text)}\n  theirs: ${JSON.stringify(theirs.text)}`);
    }
    console.log(`${type}: ${agreed} of ${count} ids agree: ${verdict}`);
  }
  return failures;
});
process.exit(failed ? 1 : 0);
