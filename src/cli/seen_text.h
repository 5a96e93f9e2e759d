// SPDX-License-Identifier: Apache-2.0
// What a sequence has read and written, as the text of a chat template: whether the template's next
// text goes on from there, and with which ids. Texts are compared, not ids: a model need not spell
// its words as the tokenizer would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laconic/model.h"

namespace laconic::cli {

// The text that `ids` stand for, when those before the last `answer` stand for `before`. Nothing
// when the answer changes how the ids before it are spelled.
std::optional<std::string> text_with_answer(const Model& model, std::string_view before,
                                            std::span<const std::int32_t> ids, std::size_t answer);

// The ids of what `text` says beyond `seen`, the text that `ids` stand for. Nothing when it does
// not begin with that, or when the rest means something else on its own.
std::optional<std::vector<std::int32_t>> ids_beyond(const Model& model, std::string_view seen,
                                                    std::span<const std::int32_t> ids,
                                                    std::string_view text);

}  // namespace laconic::cli
