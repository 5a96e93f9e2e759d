// SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/error.h"

namespace laconic {
namespace {

std::uint64_t mix(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

double keyed_uniform(std::uint64_t seed, std::uint64_t sequence, std::uint64_t step) {
  const std::uint64_t bits = mix(mix(mix(seed) ^ sequence) ^ step);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

void validate(const SamplingOptions& o) {
  // Written so that NaN fails too.
  if (!(o.temperature >= 0.0 && o.temperature <= 100.0)) {
    throw_usage("--temp {} is out of range: 0 (greedy) to 100", o.temperature);
  }
  if (!(o.top_p > 0.0 && o.top_p <= 1.0)) {
    throw_usage("--top-p {} is out of range: above 0, at most 1", o.top_p);
  }
  if (!(o.min_p >= 0.0 && o.min_p <= 1.0)) {
    throw_usage("--min-p {} is out of range: 0 to 1", o.min_p);
  }
  if (!(o.repeat_penalty > 0.0 && o.repeat_penalty <= 100.0)) {
    throw_usage("--repeat-penalty {} is out of range: above 0, at most 100", o.repeat_penalty);
  }
}

Sampler::Sampler(const SamplingOptions& options, std::uint64_t sequence)
    : options_(options), sequence_(sequence) {
  validate(options);
}

std::int32_t Sampler::next(std::span<const float> logits, std::span<const std::int32_t> history,
                           std::size_t step) {
  if (options_.repeat_penalty != 1.0) {
    adjusted_.assign(logits.begin(), logits.end());
    const std::size_t window = std::min(options_.repeat_window, history.size());
    const auto recent = history.subspan(history.size() - window);
    const auto penalty = static_cast<float>(options_.repeat_penalty);
    for (const std::int32_t id : std::unordered_set<std::int32_t>(recent.begin(), recent.end())) {
      float& logit = adjusted_[static_cast<std::size_t>(id)];
      logit = logit > 0 ? logit / penalty : logit * penalty;
    }
    logits = adjusted_;
  }
  if (options_.temperature == 0.0) {
    return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) -
                                     logits.begin());
  }
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    candidates_.push_back({static_cast<std::int32_t>(i), logits[i], 0.0});
  }
  keep_top_k();
  keep_probable();
  return draw(step);
}

// Leaves the candidates sorted, best first.
void Sampler::keep_top_k() {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  const std::size_t count =
      options_.top_k == 0 ? candidates_.size() : std::min(options_.top_k, candidates_.size());
  const auto middle = candidates_.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(candidates_.begin(), middle, candidates_.end(), better);
  candidates_.erase(middle, candidates_.end());
}

// Softmax at the temperature, then top-p and min-p. The best candidate always stays.
void Sampler::keep_probable() {
  double sum = 0;
  const double best = candidates_.front().logit;
  for (Candidate& c : candidates_) {
    c.probability = std::exp((c.logit - best) / options_.temperature);
    sum += c.probability;
  }
  double cumulative = 0;
  std::size_t count = 0;
  for (Candidate& c : candidates_) {
    c.probability /= sum;
    if (count > 0 && (cumulative >= options_.top_p ||
                      c.probability < options_.min_p * candidates_.front().probability)) {
      break;
    }
    cumulative += c.probability;
    ++count;
  }
  candidates_.resize(count);
}

std::int32_t Sampler::draw(std::size_t step) {
  double total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  double left = keyed_uniform(options_.seed, sequence_, step) * total;
  for (const Candidate& c : candidates_) {
    left -= c.probability;
    if (left < 0) return c.id;
  }
  return candidates_.back().id;
}

}  // namespace laconic
