// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "base/file.h"
#include "expect_error.h"
#include "test_paths.h"

namespace laconic::train {
namespace {

using laconic::test::TemporaryFolder;
using test::expect_error;

RunState some_state(std::uint64_t step) {
  RunState state;
  state.step = step;
  state.updates = step - 1;
  state.stream = {11, 222};
  state.seconds = 1.5;
  state.loss_sum = 0.1 + 0.2;
  state.loss_steps = 3;
  state.evaluated_tokens = 200;
  state.recipe = {{"name", "x"}};
  state.source = "counting";
  state.init = "somewhere";
  state.machine = "cpu with 2 threads";
  return state;
}

NamedTensors some_tensors() {
  return {{"model.a", torch::randn({3, 5}, at::detail::createCPUGenerator(1))},
          {"adamw.mean.a", torch::randn({7}, at::detail::createCPUGenerator(2))}};
}

// Files of this process cannot grow beyond a size: what a full disk looks like.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &now);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Checkpoint, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  const NamedTensors tensors = some_tensors();
  write_checkpoint(folder.path(), some_state(12), tensors);
  const auto files = checkpoint_files(folder.path());
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].filename(), "checkpoint-000000012.safetensors");
  const RunState state = read_run_state(files[0]);
  EXPECT_EQ(state.step, 12u);
  EXPECT_EQ(state.updates, 11u);
  EXPECT_EQ(state.stream, (StreamState{11, 222}));
  EXPECT_EQ(state.seconds, 1.5);
  EXPECT_EQ(state.loss_sum, 0.1 + 0.2);
  EXPECT_EQ(state.loss_steps, 3u);
  EXPECT_EQ(state.evaluated_tokens, 200u);
  EXPECT_EQ(state.recipe, Json({{"name", "x"}}));
  EXPECT_EQ(state.source, "counting");
  EXPECT_EQ(state.init, "somewhere");
  EXPECT_EQ(state.machine, "cpu with 2 threads");
  NamedTensors into;
  for (const auto& [name, tensor] : tensors) into.emplace_back(name, torch::zeros_like(tensor));
  read_tensors(files[0], into);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_TRUE(torch::equal(into[i].second, tensors[i].second)) << tensors[i].first;
  }
}

TEST(Checkpoint, TheNewestTwoStay) {
  const TemporaryFolder folder;
  for (const std::uint64_t step : {3, 20, 100}) {
    write_checkpoint(folder.path(), some_state(step), some_tensors());
  }
  EXPECT_EQ(names_in(folder.path()),
            (std::vector<std::string>{"checkpoint-000000020.safetensors",
                                      "checkpoint-000000100.safetensors"}));
  EXPECT_EQ(checkpoint_files(folder.path())[0].filename(), "checkpoint-000000100.safetensors");
}

TEST(Checkpoint, OtherFilesAreNoCheckpoints) {
  const TemporaryFolder folder;
  for (const char* name : {"checkpoint-.safetensors", "checkpoint-1x.safetensors",
                           "checkpoint-000000001.safetensors.part", "log.jsonl"}) {
    write_file_atomic(folder / name, "x");
  }
  EXPECT_TRUE(checkpoint_files(folder.path()).empty());
}

TEST(Checkpoint, NoticesAnyChangedOrMissingByte) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), some_state(1), some_tensors());
  const auto file = checkpoint_files(folder.path())[0];
  const std::string whole = read_file(file);
  // Header and values alike.
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {0x01, 0x10}) {
      SCOPED_TRACE(at);
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      write_file_atomic(file, damaged);
      expect_error([&] { read_run_state(file); }, ErrorKind::kInput, {"checkpoint-000000001"});
    }
  }
  for (const std::size_t size :
       {whole.size() - 1, whole.size() / 2, std::size_t{4}, std::size_t{0}}) {
    write_file_atomic(file, whole.substr(0, size));
    expect_error([&] { read_run_state(file); }, ErrorKind::kInput, {"checkpoint-000000001"});
  }
}

TEST(Checkpoint, AChangedPlaceInTheTextsIsNoticed) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), some_state(1), some_tensors());
  const auto file = checkpoint_files(folder.path())[0];
  std::string changed = read_file(file);
  const std::string place = R"(\"next_text\":11)";
  const std::size_t at = changed.find(place);
  ASSERT_NE(at, std::string::npos);
  changed[at + place.size() - 1] = '2';
  write_file_atomic(file, changed);
  expect_error([&] { read_run_state(file); }, ErrorKind::kInput,
               {"checkpoint-000000001", "damaged"});
}

TEST(Checkpoint, AFolderThatCannotBeReadIsNotAnEmptyOne) {
  const TemporaryFolder folder;
  EXPECT_TRUE(checkpoint_files(folder / "absent").empty());
  write_file_atomic(folder / "file", "x");
  expect_error([&] { checkpoint_files(folder / "file"); }, ErrorKind::kInput,
               {"cannot read the folder", "/file"});
}

TEST(Checkpoint, AFullDiskLeavesTheOldOneAndNothingElse) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), some_state(1), some_tensors());
  const auto before = names_in(folder.path());
  const NamedTensors large = {{"a", torch::ones({1 << 16})}};
  {
    const FullDisk full(64 << 10);
    expect_error([&] { write_checkpoint(folder.path(), some_state(2), large); },
                 ErrorKind::kResource, {"cannot write", "checkpoint-000000002"});
  }
  EXPECT_EQ(names_in(folder.path()), before);
  EXPECT_EQ(read_run_state(checkpoint_files(folder.path())[0]).step, 1u);
  write_checkpoint(folder.path(), some_state(2), large);
  EXPECT_EQ(read_run_state(checkpoint_files(folder.path())[0]).step, 2u);
}

TEST(Checkpoint, TensorsOfAnotherShapeAreRefused) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), some_state(1), some_tensors());
  const auto file = checkpoint_files(folder.path())[0];
  expect_error(
      [&] {
        read_tensors(file, {{"model.a", torch::zeros({5, 3})}});
      },
      ErrorKind::kInput, {"model.a", "another shape"});
  expect_error(
      [&] {
        read_tensors(file, {{"model.b", torch::zeros({3})}});
      },
      ErrorKind::kInput, {"model.b"});
}

}  // namespace
}  // namespace laconic::train
