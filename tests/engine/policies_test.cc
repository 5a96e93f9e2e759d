// SPDX-License-Identifier: Apache-2.0
// What every policy promises on every schedule: sizes by the law whatever the ranking, and nothing
// of a batch, of chunks, of threads or of earlier generations in what it keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/generation_compare.h"
#include "engine/policy_laws.h"
#include "laconic/error.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;

struct Work {
  std::vector<std::int32_t> prompt;
  GenerateOptions generate;
  std::size_t generated() const { return generate.force_ids.size(); }
};

// A prompt below every budget, one at its edge, one above the smaller one.
std::vector<Work> ragged_work() {
  return {{random_ids(5, 1), forced(64, 11)},
          {random_ids(21, 2), forced(50, 12)},
          {random_ids(50, 3), forced(40, 13)}};
}

struct Outcome {
  KeepLists lists;
  std::vector<Generation> results;
};

Outcome together(const std::vector<Work>& work, const SessionOptions& options) {
  Outcome out;
  Session session(tiny_model(), options);
  trace_into(session, out.lists);
  for (const Work& w : work) session.add(w.prompt, w.generate);
  finish(session);
  for (SequenceId id = 0; id < work.size(); ++id) out.results.push_back(session.result(id));
  return out;
}

// Each in a session of its own, numbered as in the batch.
Outcome alone(const std::vector<Work>& work, const SessionOptions& options) {
  Outcome out;
  for (SequenceId id = 0; id < work.size(); ++id) {
    Outcome one = together({work[id]}, options);
    out.results.push_back(std::move(one.results[0]));
    for (auto& [key, kept] : one.lists) {
      out.lists[{id, std::get<1>(key), std::get<2>(key), std::get<3>(key)}] = std::move(kept);
    }
  }
  return out;
}

void expect_same(const Outcome& got, const Outcome& want) {
  EXPECT_EQ(got.lists, want.lists);
  ASSERT_EQ(got.results.size(), want.results.size());
  for (std::size_t i = 0; i < want.results.size(); ++i) {
    EXPECT_EQ(largest_difference(got.results[i], want.results[i]), 0) << "sequence " << i;
    EXPECT_EQ(got.results[i].kv.rows, want.results[i].kv.rows) << "sequence " << i;
  }
}

// What a head of sequence `id` kept: (step, rows).
Compressions compressions_in(const KeepLists& lists, SequenceId id, std::size_t layer,
                             std::size_t kv_head) {
  Compressions out;
  for (const auto& [key, kept] : lists) {
    if (std::get<0>(key) == id && std::get<2>(key) == layer && std::get<3>(key) == kv_head) {
      out.emplace_back(std::get<1>(key), kept.size());
    }
  }
  return out;
}

void expect_law(const Outcome& outcome, SequenceId id, const Work& work, const KvOptions& kv) {
  const KvShape shape = tiny_shape();
  const std::size_t prompt = work.prompt.size(), generated = work.generated();
  const KvStats& stats = outcome.results[id].kv;
  const Compressions want = compressions_of(kv, prompt, generated);
  for (std::size_t l = 0; l < shape.layers; ++l) {
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      EXPECT_EQ(compressions_in(outcome.lists, id, l, h), want);
      EXPECT_EQ(stats.rows[l][h], Schedule::rows_after(kv, prompt, generated));
    }
  }
  EXPECT_EQ(stats.compressions, want.size());
  EXPECT_EQ(stats.peak_rows, Schedule::peak_rows(kv, prompt, generated));
  const double row = static_cast<double>(shape.layers * shape.kv_heads * kTinyRowBytes);
  const double mean = row * Schedule::mean_rows(kv, prompt, generated);
  EXPECT_NEAR(stats.mean_bytes, mean, 1e-9 * mean);
}

class Policies : public ::testing::TestWithParam<KvPolicy> {
 protected:
  static std::vector<Law> laws() { return laws_of(GetParam()); }
};

TEST_P(Policies, HoldWhatTheLawSaysAtEveryStep) {
  const std::vector<Work> work = ragged_work();
  for (const Law& law : laws()) {
    SCOPED_TRACE(law.name);
    const Outcome got = together(work, session_of(law.kv));
    for (SequenceId id = 0; id < work.size(); ++id) expect_law(got, id, work[id], law.kv);
  }
}

// The law knows nothing of the policy, and so neither do the bytes.
TEST_P(Policies, HoldAsMuchAsRpcAtEqualSchedule) {
  const std::vector<Law> own = laws(), rpc = laws_of(KvPolicy::kRpc);
  const Work work = ragged_work()[1];
  for (std::size_t i = 0; i < rpc.size(); ++i) {
    SCOPED_TRACE(rpc[i].name);
    const KvStats a = together({work}, session_of(own[i].kv)).results[0].kv;
    const KvStats b = together({work}, session_of(rpc[i].kv)).results[0].kv;
    EXPECT_EQ(a.rows, b.rows);
    EXPECT_EQ(a.peak_rows, b.peak_rows);
    EXPECT_EQ(a.peak_bytes, b.peak_bytes);
    EXPECT_EQ(a.mean_bytes, b.mean_bytes);
    EXPECT_EQ(a.peak_allocated_bytes, b.peak_allocated_bytes);
    EXPECT_EQ(a.compressions, b.compressions);
  }
}

TEST_P(Policies, KeepTheSameInARaggedBatchAsAlone) {
  for (const Law& law : laws()) {
    SCOPED_TRACE(law.name);
    SessionOptions options = session_of(law.kv, 2);
    options.batch_tokens = 16;
    expect_same(together(ragged_work(), options), alone(ragged_work(), options));
  }
}

TEST_P(Policies, KeepTheSameWhateverTheChunksAndThreads) {
  for (const Law& law : laws()) {
    SCOPED_TRACE(law.name);
    const Outcome whole = together(ragged_work(), session_of(law.kv));
    for (const std::size_t threads : {1u, 2u, 3u}) {
      SessionOptions chunked = session_of(law.kv, threads);
      chunked.batch_tokens = 7;  // the last chunk may be shorter than the window
      expect_same(together(ragged_work(), chunked), whole);
    }
  }
}

TEST_P(Policies, KeepTheSameInASecondGenerationAsInASessionOfItsOwn) {
  for (const Law& law : laws()) {
    SCOPED_TRACE(law.name);
    const std::vector<Work> work = ragged_work();
    Session session(tiny_model(), session_of(law.kv));
    for (const Work& w : work) {
      const Generation got = session.generate(w.prompt, w.generate);
      const Generation want =
          Session(tiny_model(), session_of(law.kv)).generate(w.prompt, w.generate);
      EXPECT_EQ(got.logits, want.logits);
      EXPECT_EQ(got.kv.rows, want.kv.rows);
    }
  }
}

// The trigger step still sees every row; the one after it does not.
TEST_P(Policies, EqualFullUpToTheFirstTrigger) {
  for (const Work& work : ragged_work()) {
    const Generation full = Session(tiny_model(), f32_rows(1)).generate(work.prompt, work.generate);
    for (const Law& law : laws()) {
      SCOPED_TRACE(law.name);
      const Compressions due = compressions_of(law.kv, work.prompt.size(), work.generated());
      const Generation got =
          Session(tiny_model(), session_of(law.kv)).generate(work.prompt, work.generate);
      const std::size_t first = due.empty() ? work.generated() : due[0].first;
      for (std::size_t step = 0; step <= first; ++step) {
        ASSERT_EQ(got.logits[step], full.logits[step]) << step;
      }
      if (due.empty()) continue;
      EXPECT_NE(got.logits[first + 1], full.logits[first + 1]);
    }
  }
}

TEST_P(Policies, EqualFullBitForBitWhenNothingHasToGo) {
  KvOptions ratio_one = by_ratio(GetParam()), long_interval = ratio_one;
  ratio_one.ratio = 1;
  long_interval.interval = 4096;
  const Work work = ragged_work()[1];
  const Generation full = Session(tiny_model(), f32_rows(1)).generate(work.prompt, work.generate);
  for (KvOptions kv : {ratio_one, long_interval, by_budget(GetParam(), 71)}) {
    for (const bool protect : {true, false}) {
      kv.protect_prompt = protect;
      const Generation got =
          Session(tiny_model(), session_of(kv)).generate(work.prompt, work.generate);
      EXPECT_EQ(got.logits, full.logits);
      EXPECT_EQ(got.kv.rows, full.kv.rows);
    }
  }
}

TEST_P(Policies, NeverTakeAProtectedPromptNorTheWindow) {
  for (const Law& law : laws()) {
    SCOPED_TRACE(law.name);
    const std::vector<Work> work = ragged_work();
    const Outcome got = together(work, session_of(law.kv));
    for (const auto& [key, kept] : got.lists) {
      const std::size_t prompt = work[std::get<0>(key)].prompt.size();
      const auto next = static_cast<std::int32_t>(prompt + std::get<1>(key));
      for (std::int32_t back = 1; back <= static_cast<std::int32_t>(kWindow); ++back) {
        ASSERT_EQ(kept[kept.size() - static_cast<std::size_t>(back)], next - back);
      }
      const std::size_t first = law.kv.protect_prompt ? prompt : law.kv.sink;
      ASSERT_GE(kept.size(), first);
      for (std::size_t i = 0; i < first; ++i) ASSERT_EQ(kept[i], static_cast<std::int32_t>(i));
    }
  }
}

// What the engine admits a sequence by is never exceeded, and it is enough.
TEST_P(Policies, NeedNoMoreThanTheBytesTheyAreAdmittedBy) {
  for (const Law& law : laws()) {
    SCOPED_TRACE(law.name);
    const CacheDemand demand(tiny_shape(), law.kv, nullptr);
    for (const Work& work : ragged_work()) {
      SessionOptions options = session_of(law.kv);
      options.kv_memory = demand.peak(work.prompt.size(), work.generated());
      const Generation got = Session(tiny_model(), options).generate(work.prompt, work.generate);
      EXPECT_EQ(got.finish_reason, FinishReason::kLength);
      EXPECT_EQ(got.ids, work.generate.force_ids);
      EXPECT_LE(got.kv.peak_allocated_bytes, options.kv_memory);
    }
  }
}

TEST_P(Policies, RefuseAPromptThatTheBudgetMustKeepAndCannot) {
  Session session(tiny_model(), session_of(by_budget(GetParam(), 40)));
  const auto expect_refusal = [](const auto& ask, std::string prompt) {
    try {
      ask();
      FAIL() << "a budget of 40 for " << prompt;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      EXPECT_THAT(error.what(), HasSubstr("--kv-budget 40 "));
      EXPECT_THAT(error.what(), HasSubstr(prompt + " rows"));
    }
  };
  expect_refusal([&] { session.add(random_ids(37, 1), greedy(4)); }, "37");
  // Only that request: another one runs, and is refused more text than fits beside its rows.
  const SequenceId id = session.add(random_ids(36, 1), greedy(30));
  finish(session);
  EXPECT_EQ(session.result(id).finish_reason, FinishReason::kLength);
  const std::size_t held = session.result(id).kv.rows[0][0];
  const std::string all = std::to_string(held + 1 + 9);  // the last token was not read yet
  expect_refusal([&] { session.extend(id, random_ids(9, 1), greedy(4)); }, all);
  EXPECT_EQ(session.result(id).ids.size(), 30u);
}

INSTANTIATE_TEST_SUITE_P(All, Policies, ::testing::ValuesIn(evicting_policies()),
                         [](const auto& p) { return KvOptions::of(p.param).policy_name(); });

}  // namespace
}  // namespace laconic::test
