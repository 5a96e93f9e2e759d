// SPDX-License-Identifier: Apache-2.0
#include "cli/seen_text.h"

namespace laconic::cli {

std::optional<std::string> text_with_answer(const Model& model, std::string_view before,
                                            std::span<const std::int32_t> ids, std::size_t answer) {
  const std::string shorter = model.detokenize(ids.first(ids.size() - answer));
  const std::string longer = model.detokenize(ids);
  if (!longer.starts_with(shorter)) return std::nullopt;
  return std::string(before) + longer.substr(shorter.size());
}

std::optional<std::vector<std::int32_t>> ids_beyond(const Model& model, std::string_view seen,
                                                    std::span<const std::int32_t> ids,
                                                    std::string_view text) {
  if (seen.size() >= text.size() || !text.starts_with(seen)) return std::nullopt;
  const std::string_view rest = text.substr(seen.size());
  std::vector<std::int32_t> more = model.tokenize(rest, /*add_special=*/false);
  std::vector<std::int32_t> all(ids.begin(), ids.end());
  all.insert(all.end(), more.begin(), more.end());
  if (model.detokenize(all) != model.detokenize(ids).append(rest)) return std::nullopt;
  return more;
}

}  // namespace laconic::cli
