// SPDX-License-Identifier: Apache-2.0
// A saved session: any bytes give a sequence or an Error, and what is accepted is written down the
// same. Checksums are put right first: the bytes behind them are what is to be looked at.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "base/fnv.h"
#include "engine/session_file.h"
#include "laconic/error.h"

namespace {

using namespace laconic;

constexpr std::size_t kPrefix = 24, kChecksum = 8;

SessionOwner made_owner() {
  SessionOwner owner;
  owner.model = "0123456789abcdef";
  owner.name = "fuzz";
  owner.shape = {2, 2, 2, 4};  // layers, heads, KV heads, head_dim
  owner.vocab = 100;
  owner.kv = KvOptions::of(KvPolicy::kH2o);
  return owner;
}

void put_checksum(std::vector<std::byte>& file, std::size_t begin, std::size_t size,
                  std::size_t to) {
  Fnv1a hash;
  hash.add(std::span<const std::byte>(file).subspan(begin, size));
  const std::uint64_t value = hash.value();
  std::memcpy(file.data() + to, &value, sizeof value);
}

void put_checksums_right(std::vector<std::byte>& file) {
  if (file.size() < kPrefix + kChecksum) return;
  std::uint32_t header = 0;
  std::memcpy(&header, file.data() + 12, sizeof header);
  if (header > file.size() - kPrefix - kChecksum) return;
  put_checksum(file, kPrefix, header, 16);
  const std::size_t contents = kPrefix + header;
  put_checksum(file, contents, file.size() - kChecksum - contents, file.size() - kChecksum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SessionOwner kOwner = made_owner();
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> file(bytes, bytes + size);
  put_checksums_right(file);
  PagePool pool(page_bytes(kv_dtype(kOwner.kv.type), kOwner.shape.head_dim), std::size_t{1} << 24);
  SequenceCache cache(pool, kOwner.shape, kOwner.kv);
  std::string written;
  try {
    const SessionReader reader(file, "fuzz", kOwner);
    if (!reader.restore(cache)) return 0;
    if (pool.pages_used() != reader.pages()) std::abort();
    std::ostringstream out;
    write_session(out, kOwner, reader.text(), cache);
    written = out.str();
  } catch (const Error& failure) {
    if (failure.kind() == ErrorKind::kResource) std::abort();
    return 0;
  }
  // The header may have been spelled otherwise; the contents may not.
  std::uint32_t before = 0, after = 0;
  std::memcpy(&before, file.data() + 12, sizeof before);
  std::memcpy(&after, written.data() + 12, sizeof after);
  const std::span<const std::byte> again = std::as_bytes(std::span<const char>(written));
  const auto then = std::span<const std::byte>(file).subspan(kPrefix + before);
  const auto now = again.subspan(kPrefix + after);
  if (!std::equal(then.begin(), then.end(), now.begin(), now.end())) std::abort();
  return 0;
}
