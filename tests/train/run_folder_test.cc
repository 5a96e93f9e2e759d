// SPDX-License-Identifier: Apache-2.0
#include "train/run_folder.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "expect_error.h"
#include "test_paths.h"
#include "train/run_log.h"

namespace laconic::train {
namespace {

namespace fs = std::filesystem;
using laconic::test::TemporaryFolder;
using test::expect_error;

TEST(RunFolder, IsForOneProcessAtATime) {
  const TemporaryFolder place;
  {
    const RunFolder first(place / "run", place / "recipe.json");
    expect_error([&] { RunFolder(place / "run", place / "recipe.json"); }, ErrorKind::kUsage,
                 {"run", "in use"});
  }
  const RunFolder again(place / "run", place / "recipe.json");
}

TEST(RunFolder, LiesOutsideTheRecipesClone) {
  const TemporaryFolder place;
  fs::create_directories(place / "clone/.git");
  fs::create_directories(place / "clone/models");
  const fs::path recipe = place / "clone/models/recipe.json";
  for (const char* inside : {"clone/run", "clone", "clone/models/../run", "clone/models/a/b"}) {
    expect_error([&] { RunFolder(place / inside, recipe); }, ErrorKind::kUsage,
                 {"--out", "inside the git clone"});
  }
  EXPECT_FALSE(fs::exists(place / "clone/run"));
  const RunFolder outside(place / "clone-run", recipe);
}

TEST(RunFolder, ASymbolicLinkIntoTheCloneIsInside) {
  const TemporaryFolder place;
  fs::create_directories(place / "clone/.git");
  fs::create_directory_symlink(place / "clone", place / "link");
  expect_error([&] { RunFolder(place / "link/run", place / "clone/recipe.json"); },
               ErrorKind::kUsage, {"inside the git clone"});
}

TEST(RunFolder, RemovesWhatWasLeftHalfWritten) {
  const TemporaryFolder place;
  fs::create_directories(place / "run/model");
  const auto ours = {"checkpoint-000000001.safetensors.part",
                     "checkpoint-000000002.safetensors.part.tmp7", "log.jsonl.tmp12",
                     "model/model.safetensors.tmp345", "model/chat_template.jinja.tmp1"};
  for (const char* name : ours) write_file_atomic(place.path() / "run" / name, "half");
  const RunFolder folder(place / "run", place / "recipe.json");
  for (const char* name : ours) EXPECT_FALSE(fs::exists(place.path() / "run" / name)) << name;
}

TEST(RunFolder, LeavesWhatIsNotItsOwn) {
  const TemporaryFolder place;
  fs::create_directories(place / "run/model");
  const auto foreign = {"log.jsonl",        "notes.tmp",
                        "film.part",        "checkpoint-best.safetensors.part",
                        "draft.tmp12",      "model.safetensors.tmp1",
                        "model/film.part",  "model/log.jsonl.tmp1",
                        "model/notes.tmp3", "checkpoint-000000003.safetensors.tmp"};
  for (const char* name : foreign) write_file_atomic(place.path() / "run" / name, "mine");
  fs::create_directories(place / "run/checkpoint-000000001.safetensors.part/inside");
  fs::create_symlink(place / "run/film.part", place / "run/log.jsonl.tmp5");
  const RunFolder folder(place / "run", place / "recipe.json");
  for (const char* name : foreign) EXPECT_TRUE(fs::exists(place.path() / "run" / name)) << name;
  EXPECT_TRUE(fs::exists(place / "run/checkpoint-000000001.safetensors.part/inside"));
  EXPECT_TRUE(fs::is_symlink(place / "run/log.jsonl.tmp5"));
}

TEST(RunFolder, AFileInItsPlaceIsNamed) {
  const TemporaryFolder place;
  write_file_atomic(place / "run", "a file");
  expect_error([&] { RunFolder(place / "run", place / "recipe.json"); }, ErrorKind::kUsage,
               {"cannot make the folder"});
}

TEST(RunLog, AppendsWholeLines) {
  const TemporaryFolder place;
  {
    RunLog log(place / "log.jsonl", 0);
    log.append({{"step", 1}, {"loss", 2.5}});
    log.append({{"step", 2}, {"held_out", {{"accuracy", 0.5}}}});
  }
  EXPECT_EQ(read_file(place / "log.jsonl"),
            "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"held_out\":{\"accuracy\":0.5}}\n");
}

TEST(RunLog, DropsWhatARunThatGoesOnWillWriteAgain) {
  const TemporaryFolder place;
  write_file_atomic(place / "log.jsonl",
                    "{\"step\":1,\"held_out\":{\"accuracy\":0.25}}\n"
                    "{\"step\":2}\n"
                    "{\"step\":3,\"held_out\":{\"accuracy\":0.75}}\n"
                    "not json\n"
                    "{\"step\":2,\"torn");
  RunLog log(place / "log.jsonl", 2);
  EXPECT_EQ(log.last_held_out()["held_out"]["accuracy"], 0.25);
  log.append({{"step", 3}});
  EXPECT_EQ(read_file(place / "log.jsonl"),
            "{\"step\":1,\"held_out\":{\"accuracy\":0.25}}\n{\"step\":2}\n{\"step\":3}\n");
}

}  // namespace
}  // namespace laconic::train
