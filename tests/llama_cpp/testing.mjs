// SPDX-License-Identifier: Apache-2.0
// What the peer tests share: skipping where node-llama-cpp is absent, laconic's binary, a scratch
// folder that does not stay.
import {spawnSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

export function skip(reason) {
  console.log(`SKIPPED: ${reason}`);
  process.exit(77);
}

export function needLlamaCpp(modules) {
  if (Number(process.versions.node.split(".")[0]) < 20)
    skip(`node ${process.versions.node}; node-llama-cpp needs 20`);
  if (!fs.existsSync(path.join(modules, "node-llama-cpp")))
    skip(`no node-llama-cpp in ${modules}; scripts/install-llama-cpp.sh brings it`);
}

// laconic(binary)(input, ...args): its standard output; throws what it complained of.
export const laconic = (binary) => (input, ...args) => {
  const done = spawnSync(binary, args, {input, encoding: "utf8", maxBuffer: 1 << 28});
  if (done.status !== 0)
    throw new Error(`laconic ${args.join(" ")}: exit ${done.status}: ${done.stderr}`);
  return done.stdout;
};

export async function inScratch(name, work) {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), `laconic-${name}-`));
  try {
    return await work(scratch);
  } finally {
    fs.rmSync(scratch, {recursive: true, force: true});
  }
}
