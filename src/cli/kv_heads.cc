// SPDX-License-Identifier: Apache-2.0
#include "cli/kv_heads.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cli/output_paths.h"
#include "cli/run_output.h"
#include "io/head_table.h"
#include "model/checkpoint.h"

namespace laconic::cli {
namespace {

// A table and, where a sparsity or threshold was given, the choice from it.
struct HeadMap {
  std::string name, how;  // of the table; "sparsity 0.5"
  HeadScores scores;
  std::optional<HeadSet> full;

  bool is_full(std::size_t layer, std::size_t head) const {
    return full && full->is_full(layer, head);
  }
  std::size_t size() const { return scores.layers * scores.kv_heads; }
};

double mean_score(const HeadScores& scores, std::size_t layer) {
  double sum = 0;
  for (std::size_t head = 0; head < scores.kv_heads; ++head) sum += scores.clipped(layer, head);
  return sum / static_cast<double>(scores.kv_heads);
}

// How many heads are full, and where the scores were cut.
std::string describe_choice(const HeadMap& map) {
  double lowest = 1, highest = 0;  // of the full heads, of the others
  for (std::size_t layer = 0; layer < map.scores.layers; ++layer) {
    for (std::size_t head = 0; head < map.scores.kv_heads; ++head) {
      const double score = map.scores.clipped(layer, head);
      if (map.is_full(layer, head)) {
        lowest = std::min(lowest, score);
      } else {
        highest = std::max(highest, score);
      }
    }
  }
  const std::size_t count = map.full->count();
  std::string text = fmt::format("{} of {} heads full at {}", count, map.size(), map.how);
  if (count > 0) text += fmt::format(", scores down to {}", lowest);
  if (count < map.size()) text += fmt::format("{} others up to {}", count > 0 ? ";" : ",", highest);
  return text;
}

void print_map(const HeadMap& map) {
  constexpr std::string_view kHeat = " .:-=+*#%@";  // a tenth each
  const HeadScores& scores = map.scores;
  const std::size_t width = std::max<std::size_t>(3 * scores.kv_heads, 8);
  fmt::print("{}: {} layers x {} KV heads, scores from 0 to 1 as \"{}\"{}\n", map.name,
             scores.layers, scores.kv_heads, kHeat, map.full ? ", [ ] where full" : "");
  fmt::print("layer  {:<{}}  {} mean\n", "KV heads", width, map.full ? "full " : "");
  double sum = 0;
  for (std::size_t layer = 0; layer < scores.layers; ++layer) {
    std::string cells;
    for (std::size_t head = 0; head < scores.kv_heads; ++head) {
      const auto tenth = static_cast<std::size_t>(10 * scores.clipped(layer, head));
      const char heat = kHeat[std::min(tenth, kHeat.size() - 1)];
      const bool full = map.is_full(layer, head);
      cells += {full ? '[' : ' ', heat, full ? ']' : ' '};
    }
    const double mean = mean_score(scores, layer);
    sum += mean;
    const std::string count = map.full ? fmt::format("{:>4} ", map.full->full(layer).size()) : "";
    fmt::print("{:>5}  {:<{}}  {}{:.3f}\n", layer, cells, width, count, mean);
  }
  const std::string count = map.full ? fmt::format("{:>4} ", map.full->count()) : "";
  fmt::print("  all  {:<{}}  {}{:.3f}\n", "", width, count,
             sum / static_cast<double>(scores.layers));
  if (map.full) fmt::print("{}\n", describe_choice(map));
}

Json map_json(const HeadMap& map) {
  Json scores = Json::array(), full = Json::array();
  for (std::size_t layer = 0; layer < map.scores.layers; ++layer) {
    const auto begin =
        map.scores.scores.begin() + static_cast<std::ptrdiff_t>(layer * map.scores.kv_heads);
    scores.push_back(
        std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(map.scores.kv_heads)));
    if (map.full) full.push_back(map.full->full(layer));
  }
  Json document = {{"heads", map.name},
                   {"layers", map.scores.layers},
                   {"kv_heads", map.scores.kv_heads},
                   {"scores", std::move(scores)}};
  if (map.full) {
    document["count"] = map.full->count();
    document["full"] = std::move(full);
  }
  return document;
}

// Text between two tags: any file name.
std::string markup(std::string_view text) {
  std::string out;
  for (const char c : sanitize_utf8(text)) {
    if (static_cast<unsigned char>(c) < 0x20) {
      out += '?';
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string colour(double score) {
  constexpr std::array<double, 3> kLow = {240, 245, 250}, kHigh = {0, 84, 140};
  std::string out = "#";
  for (std::size_t i = 0; i < 3; ++i) {
    out += fmt::format("{:02x}", static_cast<int>(kLow[i] + score * (kHigh[i] - kLow[i])));
  }
  return out;
}

// Layers from left to right, heads downwards; full heads have a frame.
class Picture {
 public:
  explicit Picture(const HeadMap& map) : map_(map) {}

  std::string draw() {
    const std::size_t layers = map_.scores.layers, heads = map_.scores.kv_heads;
    const std::size_t width = std::max<std::size_t>(kLeft + layers * kCell + kLeft / 2, 560);
    const std::size_t height = kTop + heads * kCell + kBottom;
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
        "font-family=\"sans-serif\" font-size=\"11\">\n"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
        width, height);
    text(kLeft, 22, "start", fmt::format("Scores of {} layers x {} KV heads", layers, heads), 14);
    text(kLeft, 40, "start",
         map_.name + (map_.full ? ": " + describe_choice(map_) + " (framed)" : ""));
    text(kLeft - 10, kTop - 8, "end", "layer");
    for (std::size_t head = 0; head < heads; ++head) {
      text(kLeft - 10, kTop + head * kCell + 15, "end", fmt::format("head {}", head));
    }
    const std::size_t below = kTop + heads * kCell;
    if (map_.full) text(kLeft - 10, below + 16, "end", "full");
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const std::size_t x = kLeft + layer * kCell, middle = x + kCell / 2;
      text(middle, kTop - 8, "middle", fmt::format("{}", layer));
      for (std::size_t head = 0; head < heads; ++head) cell(layer, head);
      if (!map_.full) continue;
      text(middle, below + 16, "middle", fmt::format("{}", map_.full->full(layer).size()));
    }
    legend(below + 32);
    return out_ + "</svg>\n";
  }

 private:
  static constexpr std::size_t kCell = 22, kLeft = 64, kTop = 72, kBottom = 60;

  void text(std::size_t x, std::size_t y, const char* anchor, const std::string& words,
            int size = 11) {
    out_ += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"{}\" font-size=\"{}\" fill=\"#1b1b1b\">{}</text>\n",
        x, y, anchor, size, markup(words));
  }

  void square(std::size_t x, std::size_t y, double score, bool full, const std::string& words) {
    out_ += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
        "fill=\"{}\"{}><title>{}</title></rect>\n",
        x + 2, y + 2, kCell - 4, kCell - 4, colour(score),
        full ? " stroke=\"#d55e00\" stroke-width=\"2.5\"" : "", markup(words));
  }

  void cell(std::size_t layer, std::size_t head) {
    const double score = map_.scores.clipped(layer, head);
    const bool full = map_.is_full(layer, head);
    square(kLeft + layer * kCell, kTop + head * kCell, score, full,
           fmt::format("layer {}, head {}: {}{}", layer, head, score, full ? ", full" : ""));
  }

  void legend(std::size_t y) {
    constexpr std::size_t kSteps = 11;  // tenths, both ends included
    text(kLeft - 10, y + 15, "end", "score 0");
    for (std::size_t i = 0; i < kSteps; ++i) {
      const double score = static_cast<double>(i) / 10;
      square(kLeft + i * kCell, y, score, false, fmt::format("{:.1f}", score));
    }
    text(kLeft + kSteps * kCell + 6, y + 15, "start", "1");
  }

  const HeadMap& map_;
  std::string out_;
};

}  // namespace

void KvHeads::declare(CLI::App& kv) {
  app_ = kv.add_subcommand("heads", "Which KV heads a table of scores keeps full");
  app_->add_option("table", heads_,
                   "adapter_weights.tsv or full_attention_heads.tsv, the directory of one, or "
                   "random:SEED with --model")
      ->required()
      ->type_name("FILE");
  auto* sparsity = app_->add_option("--kv-sparsity,--sparsity", sparsity_,
                                    "share of heads that are made constant, 0 to 1");
  sparsity->type_name("S");
  app_->add_option("--kv-heads-threshold,--heads-threshold", threshold_,
                   "least score of a head that stays full")
      ->type_name("T")
      ->excludes(sparsity);
  app_->add_option("-m,--model", model_, "the model that the table must fit")->type_name("PATH");
  auto* json =
      app_->add_flag("--json", json_, "JSON instead of a map: {\"full\": [[head, ...] per layer]}");
  app_->add_option("--svg", picture_, "write a picture instead")
      ->type_name("F.svg")
      ->excludes(json);
}

bool KvHeads::chosen() const { return app_->parsed(); }

int KvHeads::run() {
  // What was typed is looked at before any file.
  if (sparsity_) sparsity_ = plain_sparsity(*sparsity_);
  if (threshold_) threshold_ = plain_heads_threshold(*threshold_);
  if (random_heads_seed(heads_) && !model_) {
    throw_usage("{} needs --model, which says how many heads there are", heads_);
  }
  if (picture_) check_picture();
  HeadMap map{heads_, {}, load_scores(), std::nullopt};
  map.full = choose(map.scores);
  map.how = sparsity_ ? "sparsity " + *sparsity_ : "threshold " + threshold_.value_or("");
  if (json_) {
    Json document = map_json(map);
    if (sparsity_) document["sparsity"] = Json::parse(*sparsity_);
    if (threshold_) document["heads_threshold"] = Json::parse(*threshold_);
    fmt::print("{}\n", dump_json(document));
  } else if (picture_) {
    write_file_atomic(*picture_, Picture(map).draw());
  } else {
    print_map(map);
  }
  return 0;
}

void KvHeads::check_picture() const {
  const OutputPath output{"--svg", *picture_};
  if (!random_heads_seed(heads_)) {
    refuse_overwriting({&output, 1}, head_table_file(heads_), "the table of heads");
  }
  if (model_) check_outputs(*model_, {&output, 1});
  require_writable(output);
}

HeadScores KvHeads::load_scores() const {
  std::optional<Checkpoint> model;
  if (model_) model.emplace(Checkpoint::open(*model_));
  if (const std::optional<std::uint64_t> seed = random_heads_seed(heads_)) {
    return random_head_scores(model->config().layers, model->config().kv_heads, *seed);
  }
  HeadTable table = load_head_table(heads_);
  HeadScores scores{table.layers, table.kv_heads, std::move(table.scores)};
  if (model) require_shape(scores, model->config().layers, model->config().kv_heads, heads_);
  return scores;
}

std::optional<HeadSet> KvHeads::choose(const HeadScores& scores) const {
  if (sparsity_) return choose_full_heads(scores, *sparsity_);
  if (threshold_) return full_heads_above(scores, parse_heads_threshold(*threshold_));
  return std::nullopt;
}

}  // namespace laconic::cli
