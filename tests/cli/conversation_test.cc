// SPDX-License-Identifier: Apache-2.0
// Conversations: what is read again, and what happens to a message that does not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "base/file.h"
#include "test_paths.h"
#include "tool.h"

namespace laconic::test {
namespace {

using ::testing::HasSubstr;

class Talk : public ::testing::Test {
 protected:
  void SetUp() override { make_tiny(folder_ / "tiny"); }

  Outcome talk(const std::string& chat_template, const std::string& input,
               const std::vector<std::string>& more = {}) const {
    const std::string path = folder_ / "chat.jinja";
    write_file_atomic(path, chat_template);
    std::vector<std::string> all = {
        "run", "-m", folder_ / "tiny", "-cnv", "--ignore-eos", "--chat-template-file", path};
    all.insert(all.end(), more.begin(), more.end());
    return run_tool(all, input);
  }

  TemporaryFolder folder_;
};

constexpr const char* kHistory =
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]";

std::vector<int> prompt_tokens(const std::string& err) {
  std::vector<int> out;
  const std::regex line("prompt ([0-9]+) tokens");
  for (std::sregex_iterator at(err.begin(), err.end(), line), end; at != end; ++at) {
    out.push_back(std::stoi((*at)[1]));
  }
  return out;
}

// "-n 3" of a model with random weights: few of its answers are spelled as the tokenizer would.
TEST_F(Talk, OnlyTheNewTextIsRead) {
  const Outcome outcome = talk(kHistory, "one\none\none\none\n", {"-n", "3"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<int> read = prompt_tokens(outcome.err);
  ASSERT_EQ(read.size(), 4u);
  // The last token of an answer is read with the turn after it.
  for (std::size_t i = 1; i < read.size(); ++i) EXPECT_EQ(read[i], read[0] + 1) << outcome.out;
}

TEST_F(Talk, AChangedHistoryIsReadAgain) {
  const Outcome outcome = talk("{{ messages | length }}{{ messages[-1].content }}[assistant]",
                               "one\none\n", {"-n", "3"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<int> read = prompt_tokens(outcome.err);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1], read[0]);
}

TEST_F(Talk, AMessageThatIsTooLongIsLeftOut) {
  const std::string long_one(200, 'x');
  const Outcome with = talk(kHistory, "one\n" + long_one + "\ntwo\n", {"-n", "3", "-c", "150"});
  const Outcome without = talk(kHistory, "one\ntwo\n", {"-n", "3", "-c", "150"});
  EXPECT_EQ(with.code, 1);
  EXPECT_THAT(with.err, HasSubstr("too long"));
  EXPECT_THAT(with.err, HasSubstr("left out"));
  EXPECT_EQ(without.code, 0) << without.err;
  EXPECT_EQ(with.out, without.out);
  EXPECT_EQ(prompt_tokens(with.err), prompt_tokens(without.err));
}

TEST_F(Talk, AMessageThatDoesNotFitTheCacheIsLeftOut) {
  const std::string long_one(80, 'x');
  // One page of 64 rows for each of 3 layers and 2 KV heads.
  const std::vector<std::string> flags = {"-n", "3", "--kv-memory", "48K"};
  const Outcome with = talk(kHistory, long_one + "\none\n", flags);
  EXPECT_EQ(with.code, 1);
  EXPECT_THAT(with.err, HasSubstr("--kv-memory"));
  EXPECT_EQ(with.out, talk(kHistory, "one\n", flags).out);
}

TEST_F(Talk, ClosingLinesAreAboutTheirTurn) {
  const Outcome outcome =
      talk(kHistory, "one\none\n",
           {"-n", "21", "--kv-policy", "rpc", "--kv-interval", "16", "--kv-window", "4"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto first = outcome.err.find(", 1 compressions in");
  ASSERT_NE(first, std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find(", 1 compressions in", first + 1), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace laconic::test
