// SPDX-License-Identifier: Apache-2.0
// What stands behind laconic::Model.
#pragma once

#include <optional>

#include "laconic/model.h"
#include "model/checkpoint.h"
#include "model/weights.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace laconic {

struct Model::Impl {
  Checkpoint checkpoint;
  Weights weights;
  std::optional<Tokenizer> tokenizer;
  std::optional<ChatTemplate> chat_template;
  ModelInfo info;
  SamplingOptions sampling;

  const Tokenizer* tokenizer_or_null() const { return tokenizer ? &*tokenizer : nullptr; }
  // Whether this id ends an answer: the tokenizer's end tokens and the config's eos.
  bool is_end(std::int32_t id) const;
};

}  // namespace laconic
