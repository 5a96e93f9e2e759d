// SPDX-License-Identifier: Apache-2.0
#include "kv/head_set.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <numeric>
#include <system_error>

#include "base/error.h"
#include "base/mix.h"

namespace laconic {
namespace {

constexpr std::string_view kDigits = "0123456789";

// A number from 0 to 1: no number of digits is too many.
struct Share {
  bool is_one = false;
  std::string_view fraction;  // digits after the point; no meaning when it is one
};

Share parse_share(std::string_view text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  std::string_view whole = text.substr(0, point);
  const std::string_view fraction = text.substr(std::min(point + 1, text.size()));
  const bool digits = whole.find_first_not_of(kDigits) == std::string_view::npos &&
                      fraction.find_first_not_of(kDigits) == std::string_view::npos &&
                      !(whole.empty() && fraction.empty());
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  const bool zeros = fraction.find_first_not_of('0') == std::string_view::npos;
  if (!digits || !(whole.empty() || (whole == "1" && zeros))) {
    throw_usage("--kv-sparsity '{}' is not allowed; it is a decimal number from 0 to 1 such as 0.5",
                text);
  }
  return {!whole.empty(), fraction};
}

}  // namespace

double HeadScores::clipped(std::size_t layer, std::size_t kv_head) const {
  return std::clamp(scores[layer * kv_heads + kv_head], 0.0, 1.0);
}

HeadSet::HeadSet(std::size_t layers, std::size_t kv_heads)
    : layers_(layers), kv_heads_(kv_heads), full_(layers * kv_heads) {}

void HeadSet::add(std::size_t layer, std::size_t kv_head) {
  assert(layer < layers_ && kv_head < kv_heads_);
  full_[layer * kv_heads_ + kv_head] = true;
}

std::vector<std::size_t> HeadSet::full(std::size_t layer) const {
  std::vector<std::size_t> heads;
  for (std::size_t head = 0; head < kv_heads_; ++head) {
    if (is_full(layer, head)) heads.push_back(head);
  }
  return heads;
}

std::size_t HeadSet::count() const {
  return static_cast<std::size_t>(std::count(full_.begin(), full_.end(), true));
}

// The product with heads - 1 by hand, digit by digit from the last: binary fractions would make
// 0.2 * 255 a hair more than 51. What is carried over the point is the whole part.
std::size_t full_head_count(std::size_t heads, std::string_view sparsity) {
  const Share share = parse_share(sparsity);
  if (share.is_one || heads == 0) return 0;
  std::size_t carry = 0;
  bool remainder = false;
  for (auto digit = share.fraction.rbegin(); digit != share.fraction.rend(); ++digit) {
    const std::size_t product = static_cast<std::size_t>(*digit - '0') * (heads - 1) + carry;
    remainder = remainder || product % 10 != 0;
    carry = product / 10;
  }
  return heads - (carry + (remainder ? 1 : 0));
}

HeadSet choose_full_heads(const HeadScores& scores, std::string_view sparsity) {
  // In (layer, head) order, which a stable sort leaves equal scores in.
  std::vector<std::size_t> order(scores.layers * scores.kv_heads);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto score = [&](std::size_t i) {
    return scores.clipped(i / scores.kv_heads, i % scores.kv_heads);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return score(a) > score(b); });
  order.resize(full_head_count(order.size(), sparsity));
  HeadSet chosen(scores.layers, scores.kv_heads);
  for (const std::size_t i : order) chosen.add(i / scores.kv_heads, i % scores.kv_heads);
  return chosen;
}

HeadSet full_heads_above(const HeadScores& scores, double threshold) {
  HeadSet chosen(scores.layers, scores.kv_heads);
  for (std::size_t layer = 0; layer < scores.layers; ++layer) {
    for (std::size_t head = 0; head < scores.kv_heads; ++head) {
      if (scores.clipped(layer, head) >= threshold) chosen.add(layer, head);
    }
  }
  return chosen;
}

double parse_heads_threshold(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || stop != end || !std::isfinite(value)) {
    throw_usage("--kv-heads-threshold '{}' is not a finite number", text);
  }
  return value;
}

std::string plain_sparsity(std::string_view text) {
  const Share share = parse_share(text);
  if (share.is_one) return "1";
  const std::string_view digits =
      share.fraction.substr(0, share.fraction.find_last_not_of('0') + 1);  // npos + 1 is 0
  return digits.empty() ? "0" : "0." + std::string(digits);
}

std::string plain_heads_threshold(std::string_view text) {
  return fmt::format("{}", parse_heads_threshold(text) + 0.0);  // -0 is 0
}

HeadSet full_heads_of(const HeadScores& scores, const KvOptions& options) {
  assert(options.sparsity.empty() != options.heads_threshold.empty());
  if (!options.sparsity.empty()) return choose_full_heads(scores, options.sparsity);
  return full_heads_above(scores, parse_heads_threshold(options.heads_threshold));
}

HeadScores random_head_scores(std::size_t layers, std::size_t kv_heads, std::uint64_t seed) {
  HeadScores drawn{layers, kv_heads, {}};
  drawn.scores.reserve(layers * kv_heads);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (std::size_t head = 0; head < kv_heads; ++head) {
      // The 53 bits that a double holds.
      drawn.scores.push_back(static_cast<double>(mix_key({seed, layer, head}) >> 11) * 0x1p-53);
    }
  }
  return drawn;
}

std::optional<std::uint64_t> random_heads_seed(std::string_view heads) {
  constexpr std::string_view kPrefix = "random:";
  if (!heads.starts_with(kPrefix)) return std::nullopt;
  const std::string_view text = heads.substr(kPrefix.size());
  std::uint64_t seed = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, seed);
  if (failure != std::errc() || stop != end) {
    throw_usage("--kv-heads '{}' is not random:SEED with a whole number of at most 2^64 - 1",
                heads);
  }
  return seed;
}

void require_shape(const HeadScores& scores, std::size_t layers, std::size_t kv_heads,
                   std::string_view where) {
  if (scores.layers == layers && scores.kv_heads == kv_heads) return;
  throw_input("{} has {} layers of {} KV heads and the model {} layers of {}", where, scores.layers,
              scores.kv_heads, layers, kv_heads);
}

}  // namespace laconic
