// SPDX-License-Identifier: Apache-2.0
// Split sets: found from any part, and every disagreement between the parts is named.
#include <gtest/gtest.h>

#include "file_bytes.h"
#include "io/gguf.h"
#include "test_paths.h"

namespace laconic {
namespace {

using namespace test;
using ::testing::ElementsAre;

// As llama.cpp writes them: uint16 numbers, an int32 count.
std::string part(std::uint16_t number, std::uint16_t count, std::int32_t tensors,
                 std::vector<std::string> names) {
  GgufParts parts;
  parts.pairs = {gguf_pair("split.no", GgufType::kUint16, raw(number)),
                 gguf_pair("split.count", GgufType::kUint16, raw(count)),
                 gguf_pair("split.tensors.count", GgufType::kInt32, raw(tensors))};
  if (number == 0) {
    parts.pairs.push_back(
        gguf_pair("general.architecture", GgufType::kString, gguf_string_bytes("llama")));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    parts.tensors.push_back(gguf_tensor(names[i], {1}, 0, 32 * i));
    parts.data += names[i] + std::string(32 - names[i].size(), ' ');
  }
  return parts.bytes();
}

class GgufSplit : public ::testing::Test {
 protected:
  GgufSplit() {
    write(1, part(0, 3, 3, {"a"}));
    write(2, part(1, 3, 3, {"b", "c"}));
    write(3, part(2, 3, 3, {}));
  }
  std::filesystem::path path(int number) const {
    return folder_ / ("m-0000" + std::to_string(number) + "-of-00003.gguf");
  }
  void write(int number, const std::string& bytes) { write_file_atomic(path(number), bytes); }

  TemporaryFolder folder_;
};

TEST_F(GgufSplit, OpensFromAnyPart) {
  for (const int number : {1, 2, 3}) {
    const GgufFile file(path(number));
    EXPECT_THAT(file.names(), ElementsAre("a", "b", "c"));
    EXPECT_EQ(gguf_string(file.metadata(), "general.architecture"), "llama");
    EXPECT_EQ(file.tensor("c").bytes[0], static_cast<std::byte>('c'));
  }
}

TEST_F(GgufSplit, NamesTheMissingPart) {
  std::filesystem::remove(path(2));
  expect_input_error([&] { GgufFile file(path(1)); },
                     {"m-00001-of-00003.gguf", "part 1 of 3", "m-00002-of-00003.gguf is missing"});
  expect_input_error([&] { GgufFile file(path(3)); }, {"part 3 of 3", "m-00002-of-00003.gguf"});
}

TEST_F(GgufSplit, NamesARenamedPart) {
  std::filesystem::rename(path(1), folder_ / "m.gguf");
  expect_input_error([&] { GgufFile file(folder_ / "m.gguf"); },
                     {"m.gguf", "part 1 of 3", "-00001-of-00003.gguf"});
}

TEST_F(GgufSplit, NamesAPartOfAnotherSet) {
  write(2, part(2, 3, 3, {"b", "c"}));
  expect_input_error([&] { GgufFile file(path(1)); },
                     {"m-00002-of-00003.gguf", "part 3 of 3", "2 of 3"});
  write(2, part(1, 4, 3, {"b", "c"}));
  expect_input_error([&] { GgufFile file(path(1)); }, {"m-00002-of-00003.gguf", "of 4"});
}

TEST_F(GgufSplit, NamesATensorThatIsInTwoParts) {
  write(3, part(2, 3, 3, {"a"}));
  expect_input_error([&] { GgufFile file(path(1)); }, {"m-00003-of-00003.gguf", "\"a\""});
}

TEST_F(GgufSplit, CountsTheTensors) {
  write(2, part(1, 3, 3, {"b"}));
  expect_input_error([&] { GgufFile file(path(1)); },
                     {"m-00001-of-00003.gguf", "split.tensors.count is 3", "2 tensors"});
}

TEST_F(GgufSplit, NamesADamagedPart) {
  write(3, "GGUF");
  expect_input_error([&] { GgufFile file(path(1)); }, {"m-00003-of-00003.gguf", "version"});
}

TEST_F(GgufSplit, RefusesNonsenseInTheKeys) {
  write(1, part(5, 3, 3, {"a"}));
  expect_input_error([&] { GgufFile file(path(1)); }, {"m-00001-of-00003.gguf", "split.no is 5"});
  GgufParts parts;
  parts.pairs = {gguf_pair("split.count", GgufType::kString, gguf_string_bytes("3"))};
  write(1, parts.bytes());
  expect_input_error([&] { GgufFile file(path(1)); }, {"m-00001-of-00003.gguf", "\"split.count\""});
}

}  // namespace
}  // namespace laconic
