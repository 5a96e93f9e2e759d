// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "laconic/error.h"
#include "test_paths.h"

namespace laconic {
namespace {

using ::testing::HasSubstr;

template <typename Action>
void expect_error(Action&& action, ErrorKind kind, const std::string& part) {
  try {
    action();
    FAIL() << "nothing was thrown";
  } catch (const Error& failure) {
    EXPECT_EQ(failure.kind(), kind);
    EXPECT_THAT(failure.what(), HasSubstr(part));
  }
}

std::size_t items_in(const std::filesystem::path& folder) {
  const std::filesystem::directory_iterator items(folder);
  return static_cast<std::size_t>(std::distance(begin(items), end(items)));
}

TEST(File, WhatIsWrittenIsRead) {
  test::TemporaryFolder folder;
  const std::string content("a\0b\n\xff", 5);
  write_file_atomic(folder / "f", content);
  EXPECT_EQ(read_file(folder / "f"), content);
  EXPECT_EQ(items_in(folder.path()), 1u);
  write_file_atomic(folder / "f", "");
  EXPECT_EQ(read_file(folder / "f"), "");
}

TEST(File, ReadingSaysWhyNot) {
  test::TemporaryFolder folder;
  expect_error([&] { read_file(folder / "absent"); }, ErrorKind::kInput, "absent");
  expect_error([&] { read_file(folder.path()); }, ErrorKind::kInput, "not a regular file");
  write_file_atomic(folder / "f", "12345");
  EXPECT_EQ(read_file(folder / "f", 5), "12345");
  expect_error([&] { read_file(folder / "f", 4); }, ErrorKind::kInput, "5 bytes, at most 4");
}

TEST(File, AFailedWriteLeavesTheOldFileAndNothingElse) {
  test::TemporaryFolder folder;
  write_file_atomic(folder / "f", "old");
  EXPECT_THROW(write_file_atomic(folder / "f",
                                 [](std::ostream& out) {
                                   out << "half of the n";
                                   throw std::runtime_error("producer");
                                 }),
               std::runtime_error);
  EXPECT_EQ(read_file(folder / "f"), "old");
  EXPECT_EQ(items_in(folder.path()), 1u);
}

TEST(File, AFailedStreamLeavesNothing) {
  test::TemporaryFolder folder;
  expect_error(
      [&] {
        write_file_atomic(folder / "f", [](std::ostream& out) { out.setstate(std::ios::badbit); });
      },
      ErrorKind::kResource, "cannot write");
  EXPECT_EQ(items_in(folder.path()), 0u);
}

TEST(File, AMissingFolderOrAFolderInTheWayIsSaid) {
  test::TemporaryFolder folder;
  expect_error([&] { write_file_atomic(folder.path() / "no" / "f", "x"); }, ErrorKind::kResource,
               "cannot write");
  std::filesystem::create_directories(folder.path() / "d" / "full");
  expect_error([&] { write_file_atomic(folder / "d", "x"); }, ErrorKind::kResource, "cannot write");
  EXPECT_EQ(items_in(folder.path()), 1u);
}

TEST(File, ALinkStaysAndItsTargetIsWritten) {
  test::TemporaryFolder folder;
  write_file_atomic(folder / "f", "old");
  std::filesystem::create_directory(folder / "d");
  std::filesystem::create_symlink("../f", folder / "d/link");
  std::filesystem::create_symlink(folder / "d/link", folder / "twice");
  write_file_atomic(folder / "twice", "new");
  EXPECT_EQ(read_file(folder / "f"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "twice"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "d/link"));

  std::filesystem::create_symlink("absent", folder / "dangling");
  write_file_atomic(folder / "dangling", "made");
  EXPECT_EQ(read_file(folder / "absent"), "made");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "dangling"));

  std::filesystem::create_symlink("round", folder / "round");
  expect_error([&] { write_file_atomic(folder / "round", "x"); }, ErrorKind::kResource,
               "cannot write");
}

TEST(File, APipeIsReadAndNeverReplaced) {
  test::TemporaryFolder folder;
  const std::string pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_error([&] { write_file_atomic(pipe, "x"); }, ErrorKind::kResource, "not a regular file");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  std::thread writer([&] { std::ofstream(pipe) << "through a pipe"; });
  EXPECT_EQ(read_stream(pipe), "through a pipe");
  writer.join();
  write_file_atomic(folder / "f", "12345");
  EXPECT_EQ(read_stream(folder / "f", 5), "12345");
  expect_error([&] { read_stream(folder / "f", 4); }, ErrorKind::kInput, "more than the 4 bytes");
  expect_error([&] { read_stream(folder.path()); }, ErrorKind::kInput, "directory");
  expect_error([&] { read_stream(folder / "absent"); }, ErrorKind::kInput, "absent");
}

TEST(MappedFile, ShowsTheBytesAndMoves) {
  test::TemporaryFolder folder;
  write_file_atomic(folder / "f", "bytes");
  MappedFile first(folder / "f");
  MappedFile second(std::move(first));
  ASSERT_EQ(second.bytes().size(), 5u);
  EXPECT_EQ(std::memcmp(second.bytes().data(), "bytes", 5), 0);
  write_file_atomic(folder / "g", "other file");
  MappedFile third(folder / "g");
  third = std::move(second);
  EXPECT_EQ(third.bytes().size(), 5u);
  EXPECT_EQ(third.path(), folder / "f");
}

TEST(MappedFile, OutlivesItsName) {
  test::TemporaryFolder folder;
  write_file_atomic(folder / "f", "bytes");
  const MappedFile file(folder / "f");
  write_file_atomic(folder / "f", "replaced");
  EXPECT_EQ(std::memcmp(file.bytes().data(), "bytes", 5), 0);
}

TEST(MappedFile, EmptyAndMissing) {
  test::TemporaryFolder folder;
  write_file_atomic(folder / "f", "");
  EXPECT_TRUE(MappedFile(folder / "f").bytes().empty());
  expect_error([&] { MappedFile(folder / "absent"); }, ErrorKind::kInput, "absent");
  expect_error([&] { MappedFile(folder.path()); }, ErrorKind::kInput, "not a regular file");
}

}  // namespace
}  // namespace laconic
