// SPDX-License-Identifier: Apache-2.0
#include "text/split_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/error.h"

namespace laconic {
namespace {

// Unicode's White_Space property, as the inside of a PCRE2 class.
constexpr std::string_view kWhiteSpace =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}";

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
using Match = std::unique_ptr<pcre2_match_data, FreeMatch>;
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
using Context = std::unique_ptr<pcre2_match_context, FreeContext>;

// Steps that a search may take: some for every byte, since a sound expression steps back over a
// whole run of spaces once, and a constant that stops a hopeless one within a second.
std::uint32_t step_limit(std::size_t text_bytes) {
  constexpr std::uint64_t kAlways = 10'000'000, kPerByte = 4;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(kAlways + kPerByte * text_bytes, UINT32_MAX));
}

}  // namespace

class RegexSplitter::Pattern {
 public:
  explicit Pattern(std::string_view source) : source_(source) {
    const std::string spelled = spell_out_white_space(source);
    int code = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spelled.data()), spelled.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &offset,
                              nullptr));
    if (!code_) {
      throw_input("pre-tokenizer: the regular expression \"{}\" is not supported ({})", source,
                  pcre2_message(code));
    }
    // Where code generation is forbidden this fails and pcre2_match interprets instead.
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
  }

  void split(std::string_view text, std::vector<std::string_view>& out) const {
    const Match match(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
    const Context context(pcre2_match_context_create(nullptr));
    if (!match || !context) throw_resource("pre-tokenizer: out of memory");
    pcre2_set_match_limit(context.get(), step_limit(text.size()));
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    std::size_t done = 0;
    // An empty match is no piece: the same place is tried again for a non-empty one.
    while (done < text.size() && find(text, done, match.get(), context.get())) {
      const std::size_t begin = bounds[0], end = bounds[1];
      if (begin > done) out.push_back(text.substr(done, begin - done));
      if (end > begin) out.push_back(text.substr(begin, end - begin));
      done = end;
    }
    if (done < text.size()) out.push_back(text.substr(done));
  }

 private:
  bool find(std::string_view text, std::size_t from, pcre2_match_data* match,
            pcre2_match_context* context) const {
    constexpr std::uint32_t kOptions = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int found = pcre2_match(code_.get(), subject, text.size(), from, kOptions, match, context);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
      // The interpreter keeps its backtracking points on the heap.
      found = pcre2_match(code_.get(), subject, text.size(), from, kOptions | PCRE2_NO_JIT, match,
                          context);
    }
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0) {
      throw_input(
          "pre-tokenizer: the regular expression \"{}\" gave up at byte {} of a text of {}"
          " bytes ({})",
          source_, from, text.size(), pcre2_message(found));
    }
    return true;
  }

  std::string source_;
  std::unique_ptr<pcre2_code, FreeCode> code_;
};

RegexSplitter::RegexSplitter(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) patterns_.emplace_back(pattern);
}
RegexSplitter::~RegexSplitter() = default;
RegexSplitter::RegexSplitter(RegexSplitter&&) noexcept = default;
RegexSplitter& RegexSplitter::operator=(RegexSplitter&&) noexcept = default;

std::vector<std::string_view> RegexSplitter::split(std::string_view text) const {
  std::vector<std::string_view> pieces;
  if (!text.empty()) pieces.push_back(text);
  for (const Pattern& pattern : patterns_) {
    std::vector<std::string_view> finer;
    for (const std::string_view piece : pieces) pattern.split(piece, finer);
    pieces = std::move(finer);
  }
  return pieces;
}

std::string spell_out_white_space(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      if (escaped == 's') {
        out += in_class ? std::string(kWhiteSpace) : "[" + std::string(kWhiteSpace) + "]";
      } else if (escaped == 'S') {
        if (in_class) {
          throw_input(
              "pre-tokenizer: \\S inside a class of the regular expression \"{}\" is not"
              " supported; write the class with \\s",
              pattern);
        }
        out += "[^" + std::string(kWhiteSpace) + "]";
      } else {
        out += {c, escaped};
      }
      continue;
    }
    if (!in_class && c == '[') {
      in_class = true;
      // A closing bracket in the first place is a member of the class.
      out += c;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];
      continue;
    }
    if (in_class && c == ']') in_class = false;
    out += c;
  }
  return out;
}

}  // namespace laconic
