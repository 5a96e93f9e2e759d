// SPDX-License-Identifier: Apache-2.0
// A sample file: one answer a line, appended as soon as it is finished, so that a killed run goes
// on where it stopped.
//
// A line is the sample's JSON with "settings" beside it: all that decides what a model writes, so
// that answers of another model, limit or temperature are never taken for this run's. A last line
// that was torn by a kill or a power cut is dropped, whole ones are on the disk for good. One
// process at a time.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "eval/sample.h"

namespace laconic {

struct StoredSample {
  Sample sample;
  Json settings;         // an object
  std::size_t line = 0;  // its place in the file, from 1
};

// One line of the file `path` names, without its end. Error(kInput) names file and line.
StoredSample parse_sample_line(std::string_view text, const std::filesystem::path& path,
                               std::size_t line);

class SampleFile {
 public:
  // Reads what is there and opens for appending. Error(kInput) for a file that holds something
  // else, which stays as it is; Error(kResource) when it cannot be written or another process
  // writes it.
  explicit SampleFile(const std::filesystem::path& path);
  ~SampleFile();
  SampleFile(const SampleFile&) = delete;
  SampleFile& operator=(const SampleFile&) = delete;

  const std::vector<StoredSample>& stored() const { return stored_; }
  const std::filesystem::path& path() const { return path_; }

  // A whole line, on the disk when this returns, or nothing: Error(kResource) when it refuses.
  void append(const Sample& sample, const Json& settings);

 private:
  void lock() const;
  void read();
  void read_tail(std::string_view tail, std::size_t number);
  void store(std::string_view text, std::size_t number);
  void cut() const;
  bool write_all(std::string_view text) const;
  [[noreturn]] void throw_unwritable(int reason) const;

  std::filesystem::path path_;
  int file_ = -1;
  std::size_t bytes_ = 0;   // length of the whole lines
  bool open_line_ = false;  // the last of them is whole, but for its line end
  std::vector<StoredSample> stored_;
};

}  // namespace laconic
