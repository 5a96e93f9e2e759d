// SPDX-License-Identifier: Apache-2.0
#include "eval/divergence.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/model_fingerprint.h"
#include "eval/sample_file.h"
#include "kernels/attention.h"
#include "kv/sequence_cache.h"
#include "laconic/session.h"

namespace laconic {
namespace {

using Clock = std::chrono::steady_clock;

// The whole lines of a sample file, and a last one that lacks only its line end.
std::vector<StoredSample> read_lines(const std::filesystem::path& path) {
  const std::string content = read_file(path, std::numeric_limits<std::size_t>::max());
  std::vector<StoredSample> lines;
  std::string_view rest = content;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    const std::string_view text = rest.substr(0, end);
    if (end == std::string_view::npos && !Json::accept(text.begin(), text.end())) break;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    lines.push_back(parse_sample_line(text, path, number));
  }
  return lines;
}

bool is_full(const Json& settings) {
  const auto policy = settings.find("kv-policy");
  return policy != settings.end() && *policy == "full" && !settings.contains("kv-heads");
}

// The arm whose answers are meant: the only one, else "full", else the only full cache.
std::optional<std::string> arm_meant(const std::vector<StoredSample>& lines) {
  std::set<std::string> all, full;
  for (const StoredSample& line : lines) {
    all.insert(line.sample.arm);
    if (is_full(line.settings)) full.insert(line.sample.arm);
  }
  if (all.size() == 1) return *all.begin();
  if (full.contains("full")) return "full";
  if (full.size() == 1) return *full.begin();
  return std::nullopt;
}

// The number that an id ends in, without leading zeros.
std::string_view last_number(std::string_view id) {
  const std::size_t before = id.find_last_not_of("0123456789");
  if (before != std::string_view::npos) id.remove_prefix(before + 1);
  id.remove_prefix(std::min(id.find_first_not_of('0'), id.size()));
  return id;
}

// By the number that ids end in, the problem's place in its task: "p9" before "a10".
bool id_before(const std::string& a, const std::string& b) {
  const std::string_view x = last_number(a), y = last_number(b);
  if (x.size() != y.size()) return x.size() < y.size();
  return x != y ? x < y : a < b;
}

// One cache that reads a group of answers, token by token.
class Reader {
 public:
  // An answer's logits, and the compressions that the rows had been through which they came from.
  using OnLogits = std::function<void(std::size_t answer, std::uint32_t compressions,
                                      std::span<const float> logits)>;

  Reader(const Model& model, const SessionOptions& options, OnLogits on_logits)
      : session_(model, options), on_logits_(std::move(on_logits)) {
    session_.set_kv_trace([this](SequenceId id, std::size_t, std::size_t, std::size_t,
                                 std::span<const std::int32_t>) { note_compression(id); });
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void add(std::size_t answer, const Sample& sample) {
    Reading& reading = readings_.emplace_back();
    reading.answer = answer;
    GenerateOptions generate;
    generate.force_ids = sample.ids;
    generate.on_logits = [this, &reading](std::span<const float> logits) { take(reading, logits); };
    try {
      reading.id = session_.add(sample.prompt_ids, generate);
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("answer {}: {}", sample.id, error.what()));
    }
  }

  bool step() { return session_.step(); }

  // Gives all rows back.
  void clear() {
    for (const Reading& reading : readings_) session_.release(reading.id);
    readings_.clear();
  }

 private:
  struct Reading {
    SequenceId id = 0;
    std::size_t answer = 0;
    std::uint32_t compressions = 0;
    bool compressed = false;  // in this step, whose logits came from the rows before it
  };

  // Called for every layer and head, all in one step.
  void note_compression(SequenceId id) {
    for (Reading& reading : readings_) reading.compressed |= reading.id == id;
  }

  void take(Reading& reading, std::span<const float> logits) {
    on_logits_(reading.answer, reading.compressions, logits);
    if (std::exchange(reading.compressed, false)) ++reading.compressions;
  }

  Session session_;
  OnLogits on_logits_;
  std::deque<Reading> readings_;  // they do not move: their sequences know them
};

class Measurement {
 public:
  Measurement(const Model& model, const DivergencePlan& plan);
  std::vector<ArmDivergence> run(const std::function<void(const DivergenceProgress&)>& on_progress);

 private:
  // What the full cache says of an answer at the step at hand.
  struct Standing {
    Prediction prediction;
    std::size_t steps = 0;  // logits so far
  };

  void check_context(const ArmOptions& arm) const;
  void check_answers();
  SessionOptions session_of(const ArmOptions& arm, const KvOptions& kv, std::size_t memory) const;
  std::size_t bytes_of(const Sample& answer) const;
  std::size_t group_end(std::size_t begin) const;
  void read_group(std::size_t begin, std::size_t end, const std::function<void()>& after_step);
  void take_reference(std::size_t answer, std::span<const float> logits);
  void take_arm(std::size_t arm, std::size_t answer, std::uint32_t compressions,
                std::span<const float> logits);
  void require_in_step(std::size_t arm, std::size_t begin, std::size_t end) const;
  [[noreturn]] void refuse(std::size_t answer) const;
  [[noreturn]] void refuse_lag(std::size_t answer) const;

  const Model& model_;
  const DivergencePlan& plan_;
  std::deque<Reader> readers_;  // the full cache, then the arms
  std::size_t memory_ = 0;      // bytes that each of them may hold
  std::size_t group_begin_ = 0;
  std::vector<Standing> standings_;  // [answer - group_begin_]
  Prediction prediction_;            // an arm's, in passing
  std::vector<ArmDivergence> results_;
};

Measurement::Measurement(const Model& model, const DivergencePlan& plan)
    : model_(model), plan_(plan) {
  assert(plan.reference.policy == KvPolicy::kFull && !plan.arms.empty() && plan.batch > 0);
  for (const ArmOptions& arm : plan.arms) {
    check_context(arm);
    results_.push_back({arm.name, std::vector<std::vector<DivergenceStep>>(plan.answers.size())});
  }
  const ArmOptions& first = plan.arms.front();
  // What is not given is what is free: each session would take all of it.
  const std::size_t given = first.session.kv_memory;
  const std::size_t all =
      given != 0 ? given : Session(model, session_of(first, plan.reference, 0)).kv_bytes_limit();
  memory_ = all / (plan.arms.size() + 1);
  for (std::size_t i = 0; i < plan.answers.size(); ++i) {
    if (bytes_of(plan.answers[i]) > memory_) refuse(i);
  }
  readers_.emplace_back(model, session_of(first, plan.reference, memory_),
                        [this](std::size_t answer, std::uint32_t, std::span<const float> logits) {
                          take_reference(answer, logits);
                        });
  for (std::size_t i = 0; i < plan.arms.size(); ++i) {
    readers_.emplace_back(
        model, session_of(plan.arms[i], plan.arms[i].session.kv, memory_),
        [this, i](std::size_t answer, std::uint32_t compressions, std::span<const float> logits) {
          take_arm(i, answer, compressions, logits);
        });
  }
  check_answers();
}

// What a session would refuse when its group comes, perhaps hours from now: ids outside the
// vocabulary, and a prompt that some arm's budget cannot hold.
void Measurement::check_answers() {
  for (std::size_t answer = 0; answer < plan_.answers.size(); ++answer) {
    readers_.front().add(answer, plan_.answers[answer]);
    readers_.front().clear();
    for (std::size_t arm = 0; arm < plan_.arms.size(); ++arm) {
      try {
        readers_[arm + 1].add(answer, plan_.answers[answer]);
      } catch (const Error& error) {
        throw Error(error.kind(), fmt::format("{}, {}", plan_.arms[arm].name, error.what()));
      }
      readers_[arm + 1].clear();
    }
  }
}

void Measurement::check_context(const ArmOptions& arm) const {
  const std::size_t own = arm.session.context;
  const std::size_t context = own == 0 ? model_.info().context : own;
  for (const Sample& answer : plan_.answers) {
    const std::size_t tokens = answer.prompt_ids.size() + answer.ids.size();
    if (tokens <= context) continue;
    throw_usage("answer {} is too long: {} tokens with its prompt, the context holds {}", answer.id,
                tokens, context);
  }
}

SessionOptions Measurement::session_of(const ArmOptions& arm, const KvOptions& kv,
                                       std::size_t memory) const {
  SessionOptions options = arm.session;
  options.kv = kv;
  options.kv_memory = memory;
  return options;
}

// Most bytes of pages that any of the caches takes for an answer: no policy holds more rows than
// the full cache, and a head's constant block stands beside the prompt's pages for a moment.
std::size_t Measurement::bytes_of(const Sample& answer) const {
  const ModelInfo& info = model_.info();
  const auto bytes = [&](const KvOptions& kv) {
    const auto pages = [](std::size_t rows) { return (rows + kPageRows - 1) / kPageRows; };
    const std::size_t block = kv.heads.empty() ? 0 : kv.head_sink + kv.head_recent;
    const std::size_t rows = answer.prompt_ids.size() + answer.ids.size();
    return (pages(rows) + pages(block)) * info.layers * info.kv_heads *
           page_bytes(kv_dtype(kv.type), info.head_dim);
  };
  std::size_t most = bytes(plan_.reference);
  for (const ArmOptions& arm : plan_.arms) most = std::max(most, bytes(arm.session.kv));
  return most;
}

void Measurement::refuse(std::size_t answer) const {
  constexpr std::size_t kKiB = 1024;
  throw_resource(
      "answer {} needs {} KiB of cache pages in each of {} caches, --kv-memory leaves {} KiB for "
      "each",
      plan_.answers[answer].id, bytes_of(plan_.answers[answer]) / kKiB, plan_.arms.size() + 1,
      memory_ / kKiB);
}

// Memory that ran out although the sizes were known before.
void Measurement::refuse_lag(std::size_t answer) const {
  throw_resource(
      "the caches could not read answer {} in step: give more --kv-memory or a smaller --batch",
      plan_.answers[answer].id);
}

// As many as fit at once, so that all caches let the same ones in and stay in step.
std::size_t Measurement::group_end(std::size_t begin) const {
  std::size_t end = begin, bytes = 0;
  while (end < plan_.answers.size() && end - begin < plan_.batch) {
    bytes += bytes_of(plan_.answers[end]);
    if (end > begin && bytes > memory_) break;
    ++end;
  }
  return end;
}

void Measurement::take_reference(std::size_t answer, std::span<const float> logits) {
  Standing& standing = standings_[answer - group_begin_];
  predict(logits, standing.prediction);
  ++standing.steps;
}

void Measurement::take_arm(std::size_t arm, std::size_t answer, std::uint32_t compressions,
                           std::span<const float> logits) {
  const Standing& standing = standings_[answer - group_begin_];
  std::vector<DivergenceStep>& steps = results_[arm].answers[answer];
  if (steps.size() + 1 != standing.steps) refuse_lag(answer);
  predict(logits, prediction_);
  steps.push_back({kl_divergence(standing.prediction, prediction_), compressions,
                   standing.prediction.best == prediction_.best});
}

void Measurement::require_in_step(std::size_t arm, std::size_t begin, std::size_t end) const {
  for (std::size_t answer = begin; answer < end; ++answer) {
    const std::size_t steps = standings_[answer - begin].steps;
    if (results_[arm].answers[answer].size() != steps) refuse_lag(answer);
  }
}

void Measurement::read_group(std::size_t begin, std::size_t end,
                             const std::function<void()>& after_step) {
  group_begin_ = begin;
  standings_.resize(end - begin);
  for (Standing& standing : standings_) standing.steps = 0;
  for (std::size_t answer = begin; answer < end; ++answer) {
    for (Reader& reader : readers_) reader.add(answer, plan_.answers[answer]);
  }
  for (bool more = true; more;) {
    more = readers_.front().step();
    for (std::size_t arm = 0; arm < plan_.arms.size(); ++arm) {
      readers_[arm + 1].step();
      require_in_step(arm, begin, end);
    }
    after_step();
  }
  for (std::size_t answer = begin; answer < end; ++answer) {
    if (standings_[answer - begin].steps != plan_.answers[answer].ids.size()) refuse_lag(answer);
  }
  for (Reader& reader : readers_) reader.clear();
}

std::vector<ArmDivergence> Measurement::run(
    const std::function<void(const DivergenceProgress&)>& on_progress) {
  const auto start = Clock::now();
  DivergenceProgress progress;
  progress.answers = plan_.answers.size();
  for (const Sample& answer : plan_.answers) progress.steps_in_all += answer.ids.size();
  for (std::size_t begin = 0, end = 0; begin < plan_.answers.size(); begin = end) {
    end = group_end(begin);
    const std::size_t before = progress.steps;
    read_group(begin, end, [&] {
      if (!on_progress) return;
      progress.steps = before;
      progress.finished = begin;
      for (std::size_t i = 0; i < standings_.size(); ++i) {
        progress.steps += standings_[i].steps;
        if (standings_[i].steps == plan_.answers[begin + i].ids.size()) ++progress.finished;
      }
      progress.seconds = std::chrono::duration<double>(Clock::now() - start).count();
      on_progress(progress);
    });
  }
  return std::move(results_);
}

}  // namespace

void predict(std::span<const float> logits, Prediction& out) {
  const auto best = std::max_element(logits.begin(), logits.end());
  out.best = static_cast<std::size_t>(best - logits.begin());
  const double highest = *best;
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - highest);
  const double shift = highest + std::log(sum);
  out.log_probabilities.resize(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) out.log_probabilities[i] = logits[i] - shift;
}

double kl_divergence(const Prediction& p, const Prediction& q) {
  assert(p.log_probabilities.size() == q.log_probabilities.size());
  double sum = 0;
  for (std::size_t i = 0; i < p.log_probabilities.size(); ++i) {
    const double probability = std::exp(p.log_probabilities[i]);
    // What p excludes adds nothing, also where q excludes it.
    if (probability == 0) continue;
    sum += probability * (p.log_probabilities[i] - q.log_probabilities[i]);
  }
  return std::max(0.0, sum);  // rounding may leave a hair less than nothing
}

SavedAnswers load_saved_answers(const std::filesystem::path& path, const Model& model) {
  std::vector<StoredSample> lines = read_lines(path);
  if (lines.empty()) throw_input("samples {} hold no answer", path.string());
  const std::optional<std::string> arm = arm_meant(lines);
  if (!arm) {
    throw_input(
        "samples {} hold several arms and none of them is the full cache: which answers "
        "are meant is not clear; give a file with one arm, or with \"full\"",
        path.string());
  }
  const std::string own = model_fingerprint(model);
  std::map<std::string, Sample> by_id;
  for (StoredSample& line : lines) {
    if (line.sample.arm != *arm) continue;
    const std::string id = line.sample.id;
    const auto other = json_required<std::string>(line.settings, "model", "\"settings\"");
    if (other != own) {
      throw_input("samples {}: answer {} was written by another model ({}, this one is {})",
                  path.string(), id, other, own);
    }
    by_id[id] = std::move(line.sample);
  }
  SavedAnswers out{*arm, {}};
  for (auto& [id, sample] : by_id) {
    if (!sample.ids.empty()) out.samples.push_back(std::move(sample));
  }
  if (out.samples.empty()) {
    throw_input("samples {}: every answer of {} is empty", path.string(), *arm);
  }
  std::sort(out.samples.begin(), out.samples.end(),
            [](const Sample& a, const Sample& b) { return id_before(a.id, b.id); });
  return out;
}

std::vector<ArmDivergence> measure_divergence(
    const Model& model, const DivergencePlan& plan,
    const std::function<void(const DivergenceProgress&)>& on_progress) {
  return Measurement(model, plan).run(on_progress);
}

}  // namespace laconic
