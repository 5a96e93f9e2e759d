// SPDX-License-Identifier: Apache-2.0
// Files that other programs wrote: all open, and a checkpoint's two formats hold the same bytes.
#include <gtest/gtest.h>

#include <algorithm>

#include "file_bytes.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "test_paths.h"

namespace laconic {
namespace {

using Path = std::filesystem::path;

std::vector<Path> files_below(const Path& folder, const std::string& extension) {
  std::vector<Path> found;
  if (!std::filesystem::exists(folder)) return found;
  for (const auto& item : std::filesystem::recursive_directory_iterator(folder)) {
    if (item.is_regular_file() && item.path().extension() == extension) found.push_back(item);
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(RealFiles, EveryGgufOpensAndReadsBack) {
  LACONIC_NEEDS(test::shared_data());
  for (const char* folder : {"models", "goldens", "tokenizers"}) {
    for (const Path& path : files_below(test::shared_data() / folder, ".gguf")) {
      SCOPED_TRACE(path.string());
      const GgufFile file(path);
      EXPECT_TRUE(gguf_string(file.metadata(), "general.architecture"));
      EXPECT_EQ(file.path(), path);
      for (const std::string& name : file.names()) {
        const TensorView view = file.tensor(name);
        std::size_t elements = 1;
        for (const std::size_t dim : view.shape) elements *= dim;
        EXPECT_EQ(view.bytes.size(), elements / block_elements(view.type) * block_bytes(view.type));
      }
    }
  }
}

TEST(RealFiles, EverySafetensorsOpensAndReadsBack) {
  LACONIC_NEEDS(test::shared_data());
  for (const char* folder : {"models", "goldens"}) {
    for (const Path& path : files_below(test::shared_data() / folder, ".safetensors")) {
      SCOPED_TRACE(path.string());
      const SafetensorsFile file(path);
      EXPECT_FALSE(file.names().empty());
      for (const std::string& name : file.names()) {
        const TensorView view = file.tensor(name);
        std::size_t elements = 1;
        for (const std::size_t dim : view.shape) elements *= dim;
        EXPECT_EQ(view.bytes.size(), elements * block_bytes(view.type));
      }
    }
  }
}

// Written by other programs from the same weights: embeddings are not permuted, so they are equal.
TEST(RealFiles, BothFormatsOfACheckpointAgree) {
  const Path folder = test::shared_data() / "models" / "stories260K";
  LACONIC_NEEDS(folder);
  const SafetensorsFile safetensors(folder / "model.safetensors");
  const GgufFile gguf(folder / "stories260K-f32.gguf");
  const TensorView a = safetensors.tensor("model.embed_tokens.weight");
  const TensorView b = gguf.tensor("token_embd.weight");
  EXPECT_EQ(a.shape, b.shape);
  EXPECT_TRUE(std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end()));
}

TEST(RealFiles, ARewrittenGgufHoldsTheSame) {
  const Path path = test::shared_data() / "models" / "stories260K" / "stories260K-f32.gguf";
  LACONIC_NEEDS(path);
  const GgufFile in(path);
  std::vector<GgufTensorPlan> plans;
  for (const std::string& name : in.names()) {
    const TensorView view = in.tensor(name);
    plans.push_back({name, view.type, view.shape});
  }
  test::TemporaryFolder folder;
  write_gguf(folder / "again.gguf", in.metadata(), plans, [&](std::size_t i) {
    const auto bytes = in.tensor(plans[i].name).bytes;
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  });
  const GgufFile out(folder / "again.gguf");
  EXPECT_EQ(out.metadata(), in.metadata());
  EXPECT_EQ(out.names(), in.names());
  for (const std::string& name : in.names()) {
    const auto a = in.tensor(name).bytes, b = out.tensor(name).bytes;
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << name;
  }
}

// The fuzzers' seeds: the good ones must stay good, the rest must stay refused, or they no longer
// lead a fuzzer anywhere.
TEST(RealFiles, SeedsOfTheFuzzersAreWhatTheyWere) {
  const Path corpus = test::test_data().parent_path().parent_path() / "fuzz" / "corpus";
  LACONIC_NEEDS(corpus);
  const auto opens = [](const Path& path) {
    const std::string bytes = read_file(path);
    try {
      path.parent_path().filename() == "gguf" ? check_gguf(test::bytes_of(bytes), "seed")
                                              : check_safetensors(test::bytes_of(bytes), "seed");
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  for (const char* name : {"arrays", "scalars", "split", "tensors", "v2_unsupported"}) {
    EXPECT_TRUE(opens(corpus / "gguf" / name)) << name;
  }
  for (const char* name : {"big_endian", "huge_count", "huge_shape", "many_tensors", "nested",
                           "overlap", "version_1"}) {
    EXPECT_FALSE(opens(corpus / "gguf" / name)) << name;
  }
  for (const char* name : {"empty", "types", "zero_size"}) {
    EXPECT_TRUE(opens(corpus / "safetensors" / name)) << name;
  }
  for (const char* name : {"hole", "huge_length", "huge_shape", "overlap"}) {
    EXPECT_FALSE(opens(corpus / "safetensors" / name)) << name;
  }
}

}  // namespace
}  // namespace laconic
