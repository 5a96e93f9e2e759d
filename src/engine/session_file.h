// SPDX-License-Identifier: Apache-2.0
// A finished sequence in a file: its text and the rows that its cache holds, to go on later.
//
// Little endian, in this order: 8 bytes "LACSESSN"; u32 version (1); u32 bytes of the header; u64
// FNV-1a of the header; the header; the contents; u64 FNV-1a of the contents. The header is a JSON
// object: "model" (its fingerprint), "name", "policy", "options", "full" (the full heads of each
// layer, where heads differ), "note" (bytes), "ids" and "read" (tokens), "logits" (of the last id:
// the vocabulary, or 0), "rows" ([layer][KV head]). The contents: the note; i32 ids[]; f32
// logits[]; then of each layer and KV head i32 positions[rows]; f32 received[rows] where the policy
// sums attention over that head; K rows and V rows as stored.
//
// A file belongs to one model, one policy with its options and one set of full heads: rows that
// others have left would answer for them. Reading checks all lengths before it uses them, and both
// checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "engine/session_owner.h"
#include "kv/sequence_cache.h"

namespace laconic {

struct SavedText {
  std::vector<std::int32_t> ids;  // prompts and answers so far
  std::size_t read = 0;           // of them, by the cache: the position of the next token
  std::vector<float> logits;      // [vocab] behind the last id, where all are read; else empty
  std::string note;               // the caller's own
};

// The cache of a finished generation. PRECONDITION: it is of the owner's shape and options.
void write_session(std::ostream& out, const SessionOwner& owner, const SavedText& text,
                   const SequenceCache& cache);

// The same into a file that is whole or absent.
void write_session_file(const std::filesystem::path& path, const SessionOwner& owner,
                        const SavedText& text, const SequenceCache& cache);

class SessionReader {
 public:
  // `file` outlives this; `where` names it in errors. Error(kInput) for what is no session of this
  // version, cut short, damaged, or of another model; Error(kUsage) for other cache options, with
  // the first that differs.
  SessionReader(std::span<const std::byte> file, std::string where, const SessionOwner& owner);

  const SavedText& text() const { return text_; }
  std::size_t pages() const;  // of the pool, that restore() takes

  // Puts the rows into a fresh cache of the owner's. False when the pool is full: the cache is of
  // no use then.
  bool restore(SequenceCache& cache) const;

 private:
  struct Head {
    std::size_t rows = 0;
    bool received = false;
    std::span<const std::byte> bytes;
  };
  std::vector<Head> heads_;  // [layer][kv_head]
  std::size_t row_bytes_ = 0;
  SavedText text_;
};

}  // namespace laconic
