// SPDX-License-Identifier: Apache-2.0
// Checkpoint -> GGUF.
#include <optional>

#include "base/error.h"
#include "base/threads.h"
#include "model/convert.h"
#include "model/convert_rows.h"
#include "model/gguf_model_writer.h"

namespace laconic {

ConversionReport write_gguf_checkpoint(const Checkpoint& in, const std::filesystem::path& out,
                                       DType type, const ConversionProgress& progress) {
  if (!can_quantize(type)) throw_usage("{} is read but not written", dtype_name(type));
  for (const std::filesystem::path& file : in.files()) {
    std::error_code absent;  // equivalent() fails where `out` does not exist: then it is another
    if (std::filesystem::equivalent(file, out, absent)) {
      throw_usage("cannot write {}: it is a file of the model that is read", out.string());
    }
  }
  Threads threads;
  const std::optional<Tokenizer> tokenizer = in.tokenizer();
  TensorSupply supply;
  supply.stored_type = [&](const TensorSpec& spec) { return in.find(spec.name)->type; };
  supply.bytes = [&](const TensorSpec& spec, DType to) {
    const TensorView& tensor = *in.find(spec.name);
    std::vector<std::byte> bytes = convert_tensor(tensor, to, threads);
    in.drop_pages(tensor);
    return bytes;
  };
  ConversionReport report = write_gguf_model(in.config(), tokenizer ? &tokenizer->data() : nullptr,
                                             out, type, supply, progress);
  for (const TensorView& tensor : in.tensors()) report.bytes_in += tensor.bytes.size();
  return report;
}

}  // namespace laconic
