// SPDX-License-Identifier: Apache-2.0
#include "eval/sample_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "eval/eval_testing.h"
#include "test_paths.h"

namespace laconic::test {
namespace {

Sample some_sample(const std::string& id) {
  Sample sample;
  sample.arm = "rpc:window=8";
  sample.id = id;
  sample.family = "sums";
  sample.question = "1 and\n1?";
  sample.gold = "2";
  sample.prompt_ids = {1, 2, 3};
  sample.ids = {4, 5};
  sample.text = "a</think>\"2\"";
  sample.reasoning = "a";
  sample.answer = "\"2\"";
  sample.extracted = "2";
  sample.correct = true;
  sample.finish_reason = "stop";
  sample.kv_peak_bytes = 12345;
  sample.kv_mean_bytes = 678.25;
  sample.kv_compressions = 9;
  sample.seconds = 0.5;
  return sample;
}

// No file grows beyond this many bytes: what a full disk does to a write.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::size_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

class SampleFiles : public ::testing::Test {
 protected:
  std::string path() const { return folder_ / "samples.jsonl"; }
  void write(const std::string& content) const { write_file_atomic(path(), content); }
  std::vector<std::string> stored_ids() const {
    std::vector<std::string> out;
    const SampleFile file(path());
    for (const StoredSample& stored : file.stored()) out.push_back(stored.sample.id);
    return out;
  }
  void expect_refused(const std::string& content, const std::string& part) const {
    write(content);
    expect_error(ErrorKind::kInput, part, [&] { SampleFile file(path()); });
    EXPECT_EQ(read_file(path()), content);  // not ours: untouched
  }
  void write_two() const {
    SampleFile file(path());
    file.append(some_sample("a"), {{"temp", 0}});
    file.append(some_sample("b"), {{"temp", 1}});
  }
  TemporaryFolder folder_;
};

using Ids = std::vector<std::string>;

TEST_F(SampleFiles, WhatIsWrittenIsReadBack) {
  write_two();
  const SampleFile file(path());
  ASSERT_EQ(file.stored().size(), 2u);
  EXPECT_EQ(sample_json(file.stored()[0].sample), sample_json(some_sample("a")));
  EXPECT_EQ(file.stored()[1].settings, Json({{"temp", 1}}));
  EXPECT_EQ(file.stored()[1].line, 2u);
}

TEST_F(SampleFiles, OneSchema) {
  const Json line = sample_json(some_sample("a"));
  for (const char* name : {"id", "question", "gold", "prompt_ids", "ids", "text", "reasoning",
                           "answer", "correct", "finish_reason", "arm", "family", "extracted"}) {
    EXPECT_TRUE(line.contains(name)) << name;
  }
  EXPECT_EQ(line["kv"], Json({{"peak_bytes", 12345}, {"mean_bytes", 678.25}, {"compressions", 9}}));
}

TEST_F(SampleFiles, ATornLastLineIsDropped) {
  write_two();
  const std::string whole = read_file(path());
  const std::size_t first = whole.find('\n') + 1;
  for (const std::size_t length : {first + 1, first + 8, first + 60, whole.size() - 2}) {
    write(whole.substr(0, length));
    EXPECT_EQ(stored_ids(), Ids{"a"}) << length;
    EXPECT_EQ(read_file(path()), whole.substr(0, first)) << length;
  }
  SampleFile(path()).append(some_sample("c"), Json::object());
  EXPECT_EQ(stored_ids(), (Ids{"a", "c"}));
}

TEST_F(SampleFiles, AWholeLastLineNeedsNoLineEnd) {
  write_two();
  std::string whole = read_file(path());
  whole.pop_back();
  write(whole);
  EXPECT_EQ(stored_ids(), (Ids{"a", "b"}));
  EXPECT_EQ(read_file(path()), whole);
  {
    SampleFile file(path());
    file.append(some_sample("c"), Json::object());
    file.append(some_sample("d"), Json::object());
  }
  EXPECT_EQ(stored_ids(), (Ids{"a", "b", "c", "d"}));
  write(whole.substr(whole.find('\n') + 1));  // the only line of its file
  EXPECT_EQ(stored_ids(), Ids{"b"});
}

TEST_F(SampleFiles, ZerosOfAPowerCutAreDropped) {
  write_two();
  const std::string whole = read_file(path()), zeros(5000, '\0');
  const std::size_t first = whole.find('\n') + 1;
  write(whole + zeros);
  EXPECT_EQ(stored_ids(), (Ids{"a", "b"}));
  EXPECT_EQ(read_file(path()), whole);
  write(whole.substr(0, first + 60) + zeros);
  EXPECT_EQ(stored_ids(), Ids{"a"});
  EXPECT_EQ(read_file(path()), whole.substr(0, first));
  write(whole.substr(0, whole.size() - 1) + zeros);
  EXPECT_EQ(stored_ids(), (Ids{"a", "b"}));
  EXPECT_EQ(read_file(path()), whole.substr(0, whole.size() - 1));
}

TEST_F(SampleFiles, AFullDiskLeavesWholeLines) {
  write_two();
  const std::string whole = read_file(path());
  SampleFile file(path());
  for (const std::size_t room : {0u, 1u, 100u}) {
    const FileSizeLimit limit(whole.size() + room);
    expect_error(ErrorKind::kResource, "cannot be written: File too large",
                 [&] { file.append(some_sample("c"), Json::object()); });
    EXPECT_EQ(read_file(path()), whole) << room;
  }
  file.append(some_sample("c"), Json::object());
  EXPECT_EQ(read_file(path()).substr(0, whole.size()), whole);
  EXPECT_EQ(read_file(path()).back(), '\n');
}

TEST_F(SampleFiles, WhatIsNoSampleFileIsLeftAlone) {
  expect_refused("notes\n", "line 1: not valid JSON");
  expect_refused("notes without a line end", "does not hold samples");
  expect_refused("{\"question\":\"q\",\"answer\":\"#### 1\"}\n", "line 1: \"arm\" is missing");
  expect_refused("{\"question\":\"q\",\"answer\":\"#### 1\"}", "line 1: \"arm\" is missing");
  // A problem file whose keys are in order begins as ours does.
  expect_refused("{\"answer\":\"#### 1\",\"question\":\"q\"}", "line 1: \"arm\" is missing");
  expect_refused(std::string(100, '\0'), "does not hold samples");
  expect_refused(std::string("no") + '\0', "does not hold samples");
  std::filesystem::remove(path());
  write_two();
  const std::string whole = read_file(path());
  expect_refused(whole + "\n", "line 3: not valid JSON");
  expect_refused(whole.substr(0, 80) + "\n" + whole, "line 1: not valid JSON");
  expect_refused(sample_json(some_sample("a")).dump() + "\n", "\"settings\" is missing");
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_error(ErrorKind::kInput, "not a regular file", [&] { SampleFile file(pipe); });
  expect_error(ErrorKind::kResource, "cannot be written", [&] { SampleFile file(folder_.path()); });
}

// What is read is moved, never copied level by level.
TEST_F(SampleFiles, DeepNestingDoesNotEndTheProcess) {
  constexpr std::size_t kLevels = 1000000;
  Json line = sample_json(some_sample("a"));
  for (const char* key : {"settings", "kv"}) {
    Json changed = line;
    changed["settings"] = Json::object();
    changed[key] = "HERE";
    std::string text = changed.dump();
    text.replace(text.find("\"HERE\""), 6, std::string(kLevels, '[') + std::string(kLevels, ']'));
    expect_refused(text + "\n", "samples.jsonl line 1");
  }
}

TEST_F(SampleFiles, TwoWritersAreOneTooMany) {
  const SampleFile file(path());
  expect_error(ErrorKind::kResource, "another process", [&] { SampleFile second(path()); });
}

TEST_F(SampleFiles, TextThatIsNotUtf8IsWritten) {
  Sample sample = some_sample("a");
  sample.text = "cut \xe2\x82";
  SampleFile(path()).append(sample, Json::object());
  EXPECT_THAT(SampleFile(path()).stored()[0].sample.text,
              ::testing::StartsWith("cut \xef\xbf\xbd"));
}

}  // namespace
}  // namespace laconic::test
