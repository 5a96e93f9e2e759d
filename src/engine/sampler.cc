// SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/mix.h"
#include "kernels/elementwise.h"

namespace laconic {
namespace {

// Works on Sampler's candidates, which only it can name.
constexpr auto better = [](const auto& a, const auto& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
};

}  // namespace

double keyed_uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t place) {
  return static_cast<double>(mix_key({seed, stream, place}) >> 11) * 0x1p-53;
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

Sampler::Sampler(const SamplingOptions& options) : options_(options) { validate(options); }

std::int32_t Sampler::next(std::span<const float> logits, std::span<const std::int32_t> history) {
  if (options_.repeat_penalty != 1.0) {
    penalise(logits, history);
    logits = adjusted_;
  }
  const std::size_t top = argmax(logits.data(), logits.size());
  if (options_.temperature == 0.0) return static_cast<std::int32_t>(top);
  collect(logits, logits[top]);
  if (options_.top_k > 0 && options_.top_k < candidates_.size()) keep_top_k();
  weigh(logits[top]);
  if (options_.top_p < 1.0) keep_top_p();
  return draw(history.size());
}

void Sampler::penalise(std::span<const float> logits, std::span<const std::int32_t> history) {
  adjusted_.assign(logits.begin(), logits.end());
  const std::size_t window = options_.repeat_window == 0
                                 ? history.size()
                                 : std::min(options_.repeat_window, history.size());
  const auto recent = history.last(window);
  const auto penalty = static_cast<float>(options_.repeat_penalty);
  penalised_.assign(recent.begin(), recent.end());
  std::sort(penalised_.begin(), penalised_.end());
  penalised_.erase(std::unique(penalised_.begin(), penalised_.end()), penalised_.end());
  for (const std::int32_t id : penalised_) {
    float& logit = adjusted_[static_cast<std::size_t>(id)];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
}

// Tokens that can be drawn at all, by id. min-p goes first: like top-k and top-p it keeps the best
// ones, so their order does not matter but for top-p's sum, which is taken over what min-p left.
void Sampler::collect(std::span<const float> logits, float best) {
  // Below this share of the best one's probability a token is never drawn in practice, and a whole
  // vocabulary of them weighs less than a double can tell.
  constexpr double kNegligible = 1e-20;
  const double share = std::max(options_.min_p, kNegligible);
  const auto threshold =
      static_cast<float>(static_cast<double>(best) + std::log(share) * options_.temperature);
  places_.resize(logits.size());
  const std::size_t count = find_at_least(logits.data(), logits.size(), threshold, places_.data());
  candidates_.clear();
  for (const std::int32_t id : std::span(places_).first(count)) {
    candidates_.push_back({id, logits[static_cast<std::size_t>(id)], 0.0});
  }
}

// After top-k, which asks for the order alone: a vocabulary of exponentials takes a millisecond.
void Sampler::weigh(float best) {
  for (Candidate& c : candidates_) {
    c.probability = std::exp((c.logit - static_cast<double>(best)) / options_.temperature);
  }
}

void Sampler::keep_top_k() {
  const auto middle = candidates_.begin() + static_cast<std::ptrdiff_t>(options_.top_k);
  std::nth_element(candidates_.begin(), middle, candidates_.end(), better);
  candidates_.erase(middle, candidates_.end());
}

// The fewest best candidates that reach top_p of the probability. Sorted piece by piece, because a
// few hundred of a vocabulary are enough nearly always.
void Sampler::keep_top_p() {
  double total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  double cumulative = 0;
  std::size_t kept = 0;
  for (std::size_t sorted = 0, piece = 256; sorted < candidates_.size(); piece *= 4) {
    const std::size_t end = std::min(candidates_.size(), sorted + piece);
    std::partial_sort(candidates_.begin() + static_cast<std::ptrdiff_t>(sorted),
                      candidates_.begin() + static_cast<std::ptrdiff_t>(end), candidates_.end(),
                      better);
    for (sorted = end; kept < sorted && cumulative < options_.top_p * total; ++kept) {
      cumulative += candidates_[kept].probability;
    }
    if (kept < sorted) break;
  }
  candidates_.resize(kept);
}

std::int32_t Sampler::draw(std::size_t place) const {
  double total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  double left = keyed_uniform(options_.seed, options_.stream, place) * total;
  for (const Candidate& c : candidates_) {
    left -= c.probability;
    if (left < 0) return c.id;
  }
  return candidates_.back().id;
}

}  // namespace laconic
