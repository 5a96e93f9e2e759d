// SPDX-License-Identifier: Apache-2.0
// One prompt, answered twice: with every row of the KV cache, and with Reasoning Path Compression.
//
//   generate MODEL [PROMPT [TOKENS]]
//
// MODEL is a Hugging Face directory or a GGUF file that has a tokenizer.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "laconic/error.h"
#include "laconic/kv_options.h"
#include "laconic/model.h"
#include "laconic/session.h"

namespace {

void answer(const laconic::Model& model, const std::vector<std::int32_t>& prompt,
            std::int64_t tokens, const laconic::KvOptions& kv) {
  // A session owns the pool of cache rows; the policy that decides which rows stay belongs to it.
  laconic::SessionOptions options;
  options.kv = kv;
  laconic::Session session(model, options);

  laconic::GenerateOptions generate;
  generate.max_tokens = tokens;  // sampling is greedy unless asked otherwise

  // The callback sees the text as it grows, in whole UTF-8 characters.
  std::cout << "--- " << kv.policy_name() << "\n";
  const laconic::Generation result =
      session.generate(prompt, generate, [](const laconic::StepEvent& event) {
        std::cout << event.reasoning << event.answer << std::flush;
      });

  std::cout << "\n"
            << kv.policy_name() << ": " << result.ids.size() << " tokens, finished by "
            << laconic::finish_reason_name(result.finish_reason) << ", peak KV "
            << result.kv.peak_bytes << " bytes, " << result.kv.compressions << " compressions\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: generate MODEL [PROMPT [TOKENS]]\n";
    return 2;
  }
  try {
    const laconic::Model model = laconic::Model::open(argv[1]);
    const std::vector<std::int32_t> prompt =
        model.tokenize(argc > 2 ? argv[2] : "Once upon a time");
    const std::int64_t tokens = argc > 3 ? std::strtol(argv[3], nullptr, 10) : 256;

    answer(model, prompt, tokens, laconic::KvOptions{});

    // Every 64 generated tokens a quarter of them stays, besides the prompt and the last 16 rows.
    laconic::KvOptions rpc;
    rpc.policy = laconic::KvPolicy::kRpc;
    rpc.interval = 64;
    rpc.window = 16;
    rpc.ratio = 4;
    answer(model, prompt, tokens, rpc);
    return 0;
  } catch (const laconic::Error& error) {
    std::cerr << "generate: " << error.what() << "\n";
    return error.kind() == laconic::ErrorKind::kUsage ? 2 : 1;
  }
}
