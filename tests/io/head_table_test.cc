// SPDX-License-Identifier: Apache-2.0
// Tables of head scores: what published files look like is read, anything else is refused with its
// place.
#include "io/head_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>

#include "base/file.h"
#include "file_bytes.h"
#include "test_paths.h"

namespace laconic {
namespace {

using ::testing::ElementsAre;
using Path = std::filesystem::path;

void expect_refused(const std::string& text, std::vector<std::string> parts) {
  SCOPED_TRACE(text.substr(0, 60));
  parts.emplace_back("t.tsv");
  test::expect_input_error([&] { parse_head_table(text, "t.tsv"); }, parts);
}

TEST(HeadTable, ReadsEverySpelling) {
  const HeadTable table = parse_head_table(
      "9.023437500000000000e-01\t-2.944469451904296875e-05\t1\n"
      "0.5\t-3\t1.0078125\n",
      "t.tsv");
  EXPECT_EQ(table.layers, 2u);
  EXPECT_EQ(table.kv_heads, 3u);
  EXPECT_THAT(table.scores,
              ElementsAre(0.90234375, -2.944469451904296875e-05, 1.0, 0.5, -3.0, 1.0078125));
}

TEST(HeadTable, LineEndsAreNoPartOfIt) {
  for (const char* text : {"1\t2\n3\t4", "1\t2\n3\t4\n", "1\t2\r\n3\t4\r\n", "1\t2\r\n3\t4\n\n"}) {
    SCOPED_TRACE(::testing::PrintToString(std::string(text)));
    const HeadTable table = parse_head_table(text, "t.tsv");
    EXPECT_EQ(table.layers, 2u);
    EXPECT_THAT(table.scores, ElementsAre(1.0, 2.0, 3.0, 4.0));
  }
  EXPECT_EQ(parse_head_table("0.25", "t.tsv").kv_heads, 1u);
}

TEST(HeadTable, RefusesWithThePlace) {
  expect_refused("", {"empty"});
  expect_refused("\r\n\n", {"empty"});
  expect_refused("1\t2\n3\n", {"line 2 has 1 scores", "line 1 has 2"});
  expect_refused("1\n2\t3\n", {"line 2 has 2 scores", "line 1 has 1"});
  expect_refused("1\t2\n\n3\t4\n", {"line 2, column 1", "\"\""});
  expect_refused("\n1\t2\n", {"line 1, column 1"});
  expect_refused("1\t2\t\n", {"line 1, column 3"});
  expect_refused("1\tx\n", {"line 1, column 2", "\"x\""});
  expect_refused("1 2\n", {"line 1, column 1", "\"1 2\"", "tabs"});
  expect_refused("0,5\n", {"\"0,5\""});
  expect_refused("0.5\n1.5e\n", {"line 2, column 1", "1.5e"});
  expect_refused("0x1\n", {"0x1"});
  expect_refused("+1\n", {"+1"});
  expect_refused("1\t2\r3\t4\n", {"line 1, column 2"});  // an old Mac's line end
  for (const char* word : {"nan", "-nan", "inf", "-infinity", "1e999"}) {
    expect_refused("0\n" + std::string(word), {"line 2, column 1", word, "finite"});
  }
  expect_refused(std::string("1\t\0", 3), {"column 2"});
  expect_refused("\xff\n", {"column 1"});  // the sentence itself stays valid text
}

TEST(HeadTable, RefusesAbsurdSizes) {
  const auto many = [](std::size_t count, const std::string& between) {
    std::string text = "0";
    for (std::size_t i = 1; i < count; ++i) text += between + "0";
    return text;
  };
  EXPECT_EQ(parse_head_table(many(4096, "\n"), "t.tsv").layers, 4096u);
  EXPECT_EQ(parse_head_table(many(4096, "\t"), "t.tsv").kv_heads, 4096u);
  expect_refused(many(4097, "\n"), {"more than 4096 lines"});
  expect_refused(many(4097, "\t"), {"4097 columns", "4096"});
}

RC_GTEST_PROP(HeadTable, ComesBackAsWritten, ()) {
  const std::size_t layers = *rc::gen::inRange<std::size_t>(1, 12);
  const std::size_t heads = *rc::gen::inRange<std::size_t>(1, 9);
  const std::string line_end = *rc::gen::arbitrary<bool>() ? "\r\n" : "\n";
  const bool published = *rc::gen::arbitrary<bool>();
  std::vector<double> scores;
  std::string text;
  for (std::size_t i = 0; i < layers * heads; ++i) {
    scores.push_back(*rc::gen::inRange(-2000, 2000) / 1024.0);  // exact in 18 decimals
    text += published ? fmt::format("{:.18e}", scores.back()) : fmt::format("{}", scores.back());
    text += (i + 1) % heads == 0 ? line_end : std::string("\t");
  }
  if (*rc::gen::arbitrary<bool>()) text.resize(text.size() - line_end.size());
  const HeadTable table = parse_head_table(text, "t.tsv");
  RC_ASSERT(table.layers == layers);
  RC_ASSERT(table.kv_heads == heads);
  RC_ASSERT(table.scores == scores);
}

TEST(HeadTable, PathsMeanFilesOrFolders) {
  const test::TemporaryFolder folder;
  const auto load = [](const Path& path) { return load_head_table(path).scores; };
  test::expect_input_error([&] { load(folder / "absent.tsv"); }, {"absent.tsv"});
  test::expect_input_error([&] { load(folder.path()); },
                           {"adapter_weights.tsv", "full_attention_heads.tsv", "neither"});

  write_file_atomic(folder / "full_attention_heads.tsv", "2\n");
  EXPECT_THAT(load(folder.path()), ElementsAre(2.0));
  write_file_atomic(folder / "adapter_weights.tsv", "1\n");
  test::expect_input_error([&] { load(folder.path()); },
                           {"both", "adapter_weights.tsv", "full_attention_heads.tsv"});
  EXPECT_THAT(load(folder / "adapter_weights.tsv"), ElementsAre(1.0));
  std::filesystem::remove(folder / "full_attention_heads.tsv");
  EXPECT_THAT(load(folder.path()), ElementsAre(1.0));

  write_file_atomic(folder / "adapter_weights.tsv", "1\nx\n");
  test::expect_input_error([&] { load(folder.path()); }, {"adapter_weights.tsv: line 2", "\"x\""});

  std::filesystem::remove(folder / "adapter_weights.tsv");
  std::filesystem::create_directory(folder / "adapter_weights.tsv");
  test::expect_input_error([&] { load(folder.path()); }, {"not a regular file"});
}

// The statistics of specs/rlkv.md section 9.
struct Published {
  const char* file;
  std::size_t layers, kv_heads;
  double least, most;
  long negative, above_one;
};

TEST(HeadTable, PublishedFiles) {
  const Published files[] = {
      {"rlkv.r1-distill-llama-8b.tsv", 32, 8, -0.0047607421875, 1.0, 18, 0},
      {"rlkv.r1-distill-qwen-7b.tsv", 28, 4, 0.115234375, 1.0078125, 0, 1},
      {"duo.r1-distill-llama-8b.tsv", 32, 8, -0.00015926361083984375, 1.0, 8, 0},
      {"duo.r1-distill-qwen-7b.tsv", 28, 4, 0.4453125, 1.0, 0, 0},
  };
  for (const Published& f : files) {
    const Path path = test::shared_data() / "heads" / f.file;
    LACONIC_NEEDS(path);
    SCOPED_TRACE(f.file);
    const HeadTable table = load_head_table(path);
    EXPECT_EQ(table.layers, f.layers);
    EXPECT_EQ(table.kv_heads, f.kv_heads);
    const auto& scores = table.scores;
    ASSERT_EQ(scores.size(), f.layers * f.kv_heads);
    EXPECT_EQ(*std::min_element(scores.begin(), scores.end()), f.least);
    EXPECT_EQ(*std::max_element(scores.begin(), scores.end()), f.most);
    const auto count = [&](auto test) { return std::count_if(scores.begin(), scores.end(), test); };
    EXPECT_EQ(count([](double s) { return s < 0; }), f.negative);
    EXPECT_EQ(count([](double s) { return s > 1; }), f.above_one);
  }
}

}  // namespace
}  // namespace laconic
