// SPDX-License-Identifier: Apache-2.0
// How far a cache policy moves a model's predictions while decoding, along saved answers.
//
// Every cache reads the same tokens (teacher forcing) one step at a time, so that compressions come
// when they would come, and is compared at every step with the full cache: KL(full || arm) over the
// vocabulary in double, in nats, and whether both would choose the same token. Sampling has no part
// in it, so few answers say much. All caches go in step: logits of one step are held, never a
// text's. The numbers do not depend on batch, threads or what else is compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eval/run_arm.h"
#include "eval/sample.h"
#include "laconic/kv_options.h"
#include "laconic/model.h"

namespace laconic {

// A distribution over the vocabulary.
struct Prediction {
  std::vector<double> log_probabilities;  // [vocab]
  std::size_t best = 0;                   // the likeliest token; ties go to the lower id
};

// What a softmax makes of the logits, at temperature 1. `out` may be used again for the next step.
// PRECONDITION: at least one logit is finite, none is NaN or +inf.
void predict(std::span<const float> logits, Prediction& out);

// Sum over the vocabulary of p log(p / q), in nats: 0 for equal predictions, never below.
double kl_divergence(const Prediction& p, const Prediction& q);

// The answers along which to measure: those of a sample file's full cache, or of its only arm.
struct SavedAnswers {
  std::string arm;
  std::vector<Sample> samples;  // in the order of their ids, whatever order they were written in
};

// Error(kInput) when the file does not say which arm is meant, was written with another model, or
// holds no token; answers without any are left out. A torn last line is not read; of several lines
// of one problem the last counts.
SavedAnswers load_saved_answers(const std::filesystem::path& path, const Model& model);

struct DivergencePlan {
  std::span<const Sample> answers;   // each with at least one token
  KvOptions reference;               // a cache that keeps every row
  std::span<const ArmOptions> arms;  // name and session; --kv-memory is shared by all caches
  std::size_t batch = 16;            // most answers at once
};

// One prediction of a text's next token.
struct DivergenceStep {
  double kl = 0;
  std::uint32_t compressions = 0;  // that its cache had been through
  bool agrees = false;             // the same likeliest token
};

struct ArmDivergence {
  std::string name;
  std::vector<std::vector<DivergenceStep>> answers;  // [answer][generated token]
};

struct DivergenceProgress {
  std::size_t finished = 0, answers = 0;  // texts
  std::size_t steps = 0, steps_in_all = 0;
  double seconds = 0;
};

// What `on_progress` throws ends it. Before anything is measured, Error(kUsage) names an answer
// that the context or an arm's budget cannot hold or that has an id outside the vocabulary,
// Error(kResource) one that the cache memory cannot hold in every cache.
std::vector<ArmDivergence> measure_divergence(
    const Model& model, const DivergencePlan& plan,
    const std::function<void(const DivergenceProgress&)>& on_progress = {});

}  // namespace laconic
