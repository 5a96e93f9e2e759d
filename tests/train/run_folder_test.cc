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
  for (const char* name : {"checkpoint-000000001.safetensors.part", "log.jsonl.tmp12",
                           "model/model.safetensors.tmp345"}) {
    write_file_atomic(place.path() / "run" / name, "half");
  }
  write_file_atomic(place / "run/log.jsonl", "");
  write_file_atomic(place / "run/notes.tmp", "mine");
  const RunFolder folder(place / "run", place / "recipe.json");
  EXPECT_FALSE(fs::exists(place / "run/checkpoint-000000001.safetensors.part"));
  EXPECT_FALSE(fs::exists(place / "run/log.jsonl.tmp12"));
  EXPECT_FALSE(fs::exists(place / "run/model/model.safetensors.tmp345"));
  EXPECT_TRUE(fs::exists(folder.log()));
  EXPECT_TRUE(fs::exists(place / "run/notes.tmp"));
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
