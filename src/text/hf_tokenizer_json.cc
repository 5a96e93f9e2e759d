// SPDX-License-Identifier: Apache-2.0
// tokenizer.json: one pass over each component of the pipeline.
#include <algorithm>
#include <cstdint>

#include "text/hf_tokenizer.h"
#include "text/hf_tokenizer_parts.h"
#include "text/pretokenizer.h"
#include "text/vocabulary.h"

namespace laconic {
namespace {

constexpr std::string_view kBlock = "\u2581";

// What the components say that is not a field of TokenizerData.
struct Pipeline {
  std::string_view where;
  bool byte_level = false;      // a ByteLevel pre-tokenizer
  bool spaces_escaped = false;  // spaces become U+2581
};

// Calls visit(component) for `root`, or for each member of its Sequence (`members` names the list).
// Sequences inside sequences are followed a few levels deep; published files need two.
template <typename Visit>
void for_each_component(const Json& root, const char* members, const Pipeline& pipeline,
                        const Visit& visit, int depth = 0) {
  if (root.is_null()) return;
  if (component_type(root, pipeline.where) != "Sequence") return visit(root);
  if (depth == 4) throw_input("{}: \"{}\" is nested too deep", pipeline.where, members);
  const auto list = root.find(members);
  if (list == root.end() || !list->is_array()) {
    throw_input("{}: a Sequence needs a list \"{}\"", pipeline.where, members);
  }
  for (const Json& member : *list) {
    for_each_component(member, members, pipeline, visit, depth + 1);
  }
}

const Json& member(const Json& document, const char* key) {
  static const Json kNull;
  const auto found = document.find(key);
  return found == document.end() ? kNull : *found;
}

void read_normalizer(const Json& component, TokenizerData& data, Pipeline& pipeline) {
  const std::string type = component_type(component, pipeline.where);
  if (type == "NFC") {
    data.nfc = true;
  } else if (type == "Prepend") {
    const auto prefix = json_required<std::string>(component, "prepend", pipeline.where);
    if (prefix != kBlock) {
      throw_input("{}: normalizer Prepend of \"{}\" is not supported (only of \"{}\")",
                  pipeline.where, prefix, kBlock);
    }
    data.add_space_prefix = true;
  } else if (type == "Replace") {
    const Json& pattern = member(component, "pattern");
    const auto from = json_optional<std::string>(pattern, "String", pipeline.where).value_or("");
    const auto to = json_required<std::string>(component, "content", pipeline.where);
    if (from != " " || to != kBlock) {
      throw_input("{}: normalizer Replace is supported only from the String \" \" to \"{}\"",
                  pipeline.where, kBlock);
    }
    pipeline.spaces_escaped = true;
  } else {
    throw_input("{}: normalizer {} is not supported (only NFC, Prepend, Replace, Sequence)",
                pipeline.where, type);
  }
}

void read_split(const Json& component, TokenizerData& data, const Pipeline& pipeline) {
  const auto behavior = json_required<std::string>(component, "behavior", pipeline.where);
  const bool invert = json_optional<bool>(component, "invert", pipeline.where).value_or(false);
  const Json& pattern = member(component, "pattern");
  const auto regex = json_optional<std::string>(pattern, "Regex", pipeline.where);
  if (!regex || behavior != "Isolated" || invert) {
    throw_input(
        "{}: pre-tokenizer Split is supported with a Regex, behavior Isolated and no"
        " inversion, not with behavior {}{}",
        pipeline.where, behavior,
        invert  ? ", inverted"
        : regex ? ""
                : " of a String");
  }
  data.split_regex.push_back(*regex);
}

void read_byte_level(const Json& component, TokenizerData& data, Pipeline& pipeline) {
  pipeline.byte_level = true;
  if (json_optional<bool>(component, "add_prefix_space", pipeline.where).value_or(true)) {
    if (!data.split_regex.empty()) {
      throw_input(
          "{}: pre-tokenizer ByteLevel with add_prefix_space after a Split is not supported",
          pipeline.where);
    }
    data.add_space_prefix = true;
    data.space_prefix_if_missing = true;
  }
  if (json_optional<bool>(component, "use_regex", pipeline.where).value_or(true)) {
    for (std::string& regex : split_regex_for("gpt-2").split_regex) {
      data.split_regex.push_back(std::move(regex));
    }
  }
}

void read_metaspace(const Json& component, TokenizerData& data, Pipeline& pipeline) {
  const auto replacement =
      json_optional<std::string>(component, "replacement", pipeline.where).value_or("");
  if (replacement != kBlock) {
    throw_input("{}: pre-tokenizer Metaspace is supported with replacement \"{}\", not \"{}\"",
                pipeline.where, kBlock, replacement);
  }
  pipeline.spaces_escaped = true;
  // Older files say add_prefix_space where newer ones say prepend_scheme.
  const bool old_prefix =
      json_optional<bool>(component, "add_prefix_space", pipeline.where).value_or(true);
  const auto scheme = json_optional<std::string>(component, "prepend_scheme", pipeline.where)
                          .value_or(old_prefix ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    throw_input("{}: prepend_scheme \"{}\" is not supported (always, first, never)", pipeline.where,
                scheme);
  }
  if (scheme != "never") {
    data.add_space_prefix = true;
    data.space_prefix_if_missing = true;
    data.space_prefix_first_only = scheme == "first";
  }
  if (json_optional<bool>(component, "split", pipeline.where).value_or(true)) {
    data.split_regex.push_back(" [^ ]*|[^ ]+");  // a piece begins at each space
  }
}

void read_pre_tokenizer(const Json& component, TokenizerData& data, Pipeline& pipeline) {
  const std::string type = component_type(component, pipeline.where);
  if (pipeline.byte_level) {
    throw_input("{}: pre-tokenizer {} after ByteLevel is not supported", pipeline.where, type);
  }
  if (type == "Split") {
    read_split(component, data, pipeline);
  } else if (type == "Digits") {
    const bool each =
        json_optional<bool>(component, "individual_digits", pipeline.where).value_or(false);
    data.split_regex.push_back(each ? "\\p{N}" : "\\p{N}+");
  } else if (type == "ByteLevel") {
    read_byte_level(component, data, pipeline);
  } else if (type == "Metaspace") {
    read_metaspace(component, data, pipeline);
  } else {
    throw_input(
        "{}: pre-tokenizer {} is not supported (only ByteLevel, Digits, Metaspace, Sequence,"
        " Split)",
        pipeline.where, type);
  }
}

// The token that a template puts before or after the text.
TokenId template_token(const Json& step, const Json& processor, const TokenizerData& data,
                       std::string_view where) {
  const Json& special = member(step, "SpecialToken");
  const auto name = json_required<std::string>(special, "id", where);
  const Json& table = member(processor, "special_tokens");
  if (!table.is_object() || !table.contains(name)) {
    throw_input("{}: TemplateProcessing names \"{}\" without its ids", where, name);
  }
  const Json& ids = member(table[name], "ids");
  const bool one = ids.is_array() && ids.size() == 1 && ids[0].is_number_integer();
  const std::int64_t id = one ? ids[0].get<std::int64_t>() : -1;
  if (id < 0 || static_cast<std::uint64_t>(id) >= data.tokens.size()) {
    throw_input("{}: TemplateProcessing token \"{}\" must have one id of the vocabulary", where,
                name);
  }
  return static_cast<TokenId>(id);
}

void read_template(const Json& processor, TokenizerData& data, const Pipeline& pipeline) {
  const Json& single = member(processor, "single");
  if (!single.is_array()) {
    throw_input("{}: TemplateProcessing needs a list \"single\"", pipeline.where);
  }
  bool text_seen = false;
  for (const Json& step : single) {
    if (step.is_object() && step.contains("Sequence") && !text_seen) {
      text_seen = true;
      continue;
    }
    const TokenId id = template_token(step, processor, data, pipeline.where);
    bool& add = text_seen ? data.add_eos : data.add_bos;
    if (add) {
      throw_input(
          "{}: TemplateProcessing is supported with at most one token before and one after"
          " the text",
          pipeline.where);
    }
    add = true;
    (text_seen ? data.eos : data.bos) = id;
  }
}

void read_post_processor(const Json& component, TokenizerData& data, const Pipeline& pipeline) {
  const std::string type = component_type(component, pipeline.where);
  if (type == "TemplateProcessing") {
    read_template(component, data, pipeline);
  } else if (type != "ByteLevel") {
    throw_input(
        "{}: post-processor {} is not supported (only ByteLevel, Sequence,"
        " TemplateProcessing)",
        pipeline.where, type);
  }
}

// Decoding undoes what encoding does; here it is only made sure that the file means that as well.
void check_decoder(const Json& component, const Pipeline& pipeline) {
  const std::string type = component_type(component, pipeline.where);
  const bool known = pipeline.byte_level
                         ? type == "ByteLevel"
                         : type == "Replace" || type == "ByteFallback" || type == "Fuse" ||
                               type == "Strip" || type == "Metaspace";
  if (!known) {
    throw_input("{}: decoder {} is not supported (only {})", pipeline.where, type,
                pipeline.byte_level ? "ByteLevel"
                                    : "ByteFallback, Fuse, Metaspace, Replace, Sequence, Strip");
  }
}

void check_model(const Json& model, std::string_view where) {
  if (!model.is_object()) throw_input("{}: \"model\" is missing", where);
  const auto type = json_optional<std::string>(model, "type", where).value_or("BPE");
  if (type != "BPE") throw_input("{}: model {} is not supported (only BPE)", where, type);
  if (json_optional<double>(model, "dropout", where).value_or(0) != 0) {
    throw_input("{}: BPE with dropout is not supported", where);
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const auto affix = json_optional<std::string>(model, key, where).value_or("");
    if (!affix.empty()) throw_input("{}: BPE with {} \"{}\" is not supported", where, key, affix);
  }
}

void read_merges(const Json& merges, TokenizerData& data, std::string_view where) {
  if (!merges.is_array()) throw_input("{}: \"merges\" must be a list", where);
  data.merges.reserve(merges.size());
  for (const Json& merge : merges) {
    if (merge.is_string()) {
      data.merges.push_back(split_merge(merge.get_ref<const std::string&>(), where));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      data.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
    } else {
      throw_input("{}: merge {} is neither \"a b\" nor [\"a\", \"b\"]", where, data.merges.size());
    }
  }
}

void read_added_tokens(const Json& list, TokenizerData& data, std::string_view where) {
  if (list.is_null()) return;
  if (!list.is_array()) throw_input("{}: \"added_tokens\" must be a list", where);
  for (const Json& entry : list) {
    const auto id = json_required<std::int64_t>(entry, "id", where);
    // An id past 32 bits becomes one that add_token refuses.
    const auto token = static_cast<TokenId>(std::clamp<std::int64_t>(id, -1, INT32_MAX));
    add_token(data, read_added(entry, token, where), where);
  }
}

// What only SentencePiece-style models have: byte tokens and the unknown token.
void finish_sentence_piece(const Json& model, TokenizerData& data, const Pipeline& pipeline) {
  if (!pipeline.spaces_escaped) {
    throw_input(
        "{}: neither byte-level (pre-tokenizer ByteLevel) nor SentencePiece-style (spaces as"
        " \"{}\"): not supported",
        pipeline.where, kBlock);
  }
  const bool bytes = json_optional<bool>(model, "byte_fallback", pipeline.where).value_or(false);
  const bool fuse = json_optional<bool>(model, "fuse_unk", pipeline.where).value_or(false);
  if (!bytes && !fuse) {
    throw_input("{}: SentencePiece-style BPE needs byte_fallback or fuse_unk", pipeline.where);
  }
  for (std::size_t id = 0; bytes && id < data.tokens.size(); ++id) {
    if (data.types[id] == TokenType::kNormal && byte_of_spelling(data.tokens[id])) {
      data.types[id] = TokenType::kByte;
    }
  }
  if (data.unk >= 0) data.types[static_cast<std::size_t>(data.unk)] = TokenType::kUnknown;
}

}  // namespace

TokenizerData parse_tokenizer_json(std::string_view text, std::string_view where) {
  const Json document = parse_json(text, where);
  if (!document.is_object()) throw_input("{}: an object is expected", where);
  TokenizerData data;
  Pipeline pipeline;
  pipeline.where = where;
  const Json& model = member(document, "model");
  check_model(model, where);
  for_each_component(member(document, "normalizer"), "normalizers", pipeline,
                     [&](const Json& part) { read_normalizer(part, data, pipeline); });
  for_each_component(member(document, "pre_tokenizer"), "pretokenizers", pipeline,
                     [&](const Json& part) { read_pre_tokenizer(part, data, pipeline); });
  if (pipeline.byte_level && pipeline.spaces_escaped) {
    throw_input("{}: ByteLevel together with spaces as \"{}\" is not supported", where, kBlock);
  }
  data.kind = pipeline.byte_level ? TokenizerKind::kByteLevelBpe : TokenizerKind::kSentencePiece;
  read_vocabulary(member(model, "vocab"), data, where);
  read_merges(member(model, "merges"), data, where);
  data.ignore_merges = json_optional<bool>(model, "ignore_merges", where).value_or(false);
  read_added_tokens(member(document, "added_tokens"), data, where);
  data.unk = find_token(data, json_optional<std::string>(model, "unk_token", where).value_or(""));
  if (!pipeline.byte_level) finish_sentence_piece(model, data, pipeline);
  for_each_component(member(document, "post_processor"), "processors", pipeline,
                     [&](const Json& part) { read_post_processor(part, data, pipeline); });
  for_each_component(member(document, "decoder"), "decoders", pipeline,
                     [&](const Json& part) { check_decoder(part, pipeline); });
  data.pre = deduce_pre(data);
  return data;
}

}  // namespace laconic
