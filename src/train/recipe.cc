// SPDX-License-Identifier: Apache-2.0
#include "train/recipe.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/file.h"
#include "data/problem.h"
#include "train/recipe_section.h"

namespace laconic::train {
namespace {

constexpr std::uint64_t kMostTokens = 1'000'000'000'000;
constexpr std::uint64_t kAnyNumber = std::numeric_limits<std::uint64_t>::max();

Curriculum read_curriculum(const RecipeSection& data) {
  Curriculum curriculum;
  if (!data.has("curriculum")) return curriculum;
  const RecipeSection section(data.object("curriculum"), data.file(), data.place_of("curriculum"),
                              {"start", "full_at_tokens"});
  curriculum.start = section.number("start", {0, 1, true});
  curriculum.full_at_tokens = section.count("full_at_tokens", 1, kMostTokens);
  return curriculum;
}

DataRecipe read_data(const RecipeSection& recipe) {
  const Json object = recipe.object("data");
  DataRecipe data;
  const RecipeSection any(object, recipe.file(), "data",
                          {"source", "seed", "families", "curriculum", "learn_question", "files"});
  const std::string source = any.choice("source", {"problems", "shards"});
  if (source == "shards") {
    data.kind = DataKind::kShards;
    const RecipeSection shards(object, recipe.file(), "data", {"source", "files"});
    const auto folder = std::filesystem::path(recipe.file()).parent_path();
    for (const std::string& name : shards.texts("files")) data.files.push_back(folder / name);
    if (data.files.empty()) throw_input("{}: \"data.files\" is missing", recipe.file());
    return data;
  }
  const RecipeSection problems(object, recipe.file(), "data",
                               {"source", "seed", "families", "curriculum", "learn_question"});
  data.seed = problems.count("seed", 0, kAnyNumber, 1);
  data.families = problems.texts("families");
  for (const std::string& name : data.families) {
    try {
      problem_family(name);
    } catch (const Error& error) {
      throw_input("{}: \"data.families\": {}", recipe.file(), error.what());
    }
    // Twice would be another mixture, under a name that does not say so.
    if (std::count(data.families.begin(), data.families.end(), name) > 1) {
      throw_input("{}: \"data.families\" names \"{}\" twice", recipe.file(), name);
    }
  }
  data.curriculum = read_curriculum(problems);
  data.learn_question = problems.flag("learn_question", false);
  return data;
}

OptimizerRecipe read_optimizer(const RecipeSection& recipe) {
  const Json object = recipe.object("optimizer");
  const RecipeSection any(object, recipe.file(), "optimizer",
                          {"name", "learning_rate", "adamw_learning_rate", "weight_decay", "beta1",
                           "beta2", "momentum", "clip"});
  OptimizerRecipe optimizer;
  const bool muon = any.choice("name", {"muon", "adamw"}) == "muon";
  optimizer.kind = muon ? OptimizerKind::kMuon : OptimizerKind::kAdamW;
  if (!muon) {  // what cannot take effect is refused
    RecipeSection(object, recipe.file(), "optimizer",
                  {"name", "learning_rate", "weight_decay", "beta1", "beta2", "clip"});
  }
  optimizer.learning_rate = any.number("learning_rate", {0, 1, true});
  optimizer.adamw_learning_rate =
      any.number("adamw_learning_rate", {0, 1, true}, optimizer.learning_rate);
  optimizer.weight_decay = any.number("weight_decay", {0, 1}, 0.1);
  optimizer.beta1 = any.number("beta1", {0, 0.9999}, 0.9);
  optimizer.beta2 = any.number("beta2", {0, 0.999999}, 0.95);
  optimizer.momentum = any.number("momentum", {0, 0.9999}, 0.95);
  optimizer.clip = any.number("clip", {0, 1e6}, 1.0);
  return optimizer;
}

Schedule read_schedule(const RecipeSection& recipe, std::uint64_t tokens) {
  const Json object = recipe.object("schedule");
  const RecipeSection any(object, recipe.file(), "schedule",
                          {"name", "warmup_tokens", "decay_tokens", "final"});
  Schedule schedule;
  if (any.choice("name", {"cosine", "constant-decay"}) == "constant-decay") {
    schedule.kind = ScheduleKind::kConstantDecay;
    schedule.decay_tokens = any.count("decay_tokens", 0, tokens);
  } else {
    RecipeSection(object, recipe.file(), "schedule", {"name", "warmup_tokens", "final"});
  }
  schedule.warmup_tokens = any.count("warmup_tokens", 0, tokens, 0);
  if (schedule.warmup_tokens + schedule.decay_tokens > tokens) {
    throw_input(
        "{}: \"schedule.warmup_tokens\" and \"schedule.decay_tokens\" are {} and {}, together more "
        "than \"tokens\", {}",
        recipe.file(), schedule.warmup_tokens, schedule.decay_tokens, tokens);
  }
  schedule.final = any.number("final", {0, 1}, 0.1);
  return schedule;
}

EvaluateRecipe read_evaluate(const RecipeSection& recipe) {
  EvaluateRecipe evaluate;
  if (!recipe.has("evaluate")) return evaluate;
  const RecipeSection section(recipe.object("evaluate"), recipe.file(), "evaluate",
                              {"every_tokens", "problems", "max_tokens"});
  evaluate.every_tokens = section.count("every_tokens", 1, kMostTokens);
  evaluate.problems = section.count("problems", 1, 100000, evaluate.problems);
  evaluate.max_tokens = static_cast<std::int64_t>(section.count("max_tokens", 1, 1 << 20, 2000));
  return evaluate;
}

// The decoder reads the values; here only keys that nobody would read are refused.
Json read_model(const RecipeSection& recipe) {
  const Json object = recipe.object("model");
  RecipeSection(object, recipe.file(), "model",
                {"model_type", "architectures", "vocab_size", "hidden_size", "num_hidden_layers",
                 "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
                 "max_position_embeddings", "rope_theta", "rms_norm_eps", "tie_word_embeddings",
                 "hidden_act", "attention_bias", "bos_token_id", "eos_token_id"});
  return object;
}

const char* name_of(OptimizerKind kind) { return kind == OptimizerKind::kMuon ? "muon" : "adamw"; }

bool may_change(const std::string& place) {
  static const std::set<std::string, std::less<>> kFree = {"name", "tokens", "schedule", "evaluate",
                                                           "checkpoint"};
  if (place.starts_with("optimizer.")) return place != "optimizer.name";
  return kFree.contains(place.substr(0, place.find('.')));
}

std::string dotted(std::string pointer) {
  pointer.erase(0, 1);
  std::replace(pointer.begin(), pointer.end(), '/', '.');
  return pointer;
}

}  // namespace

double Curriculum::difficulty(std::uint64_t seen) const {
  if (seen >= full_at_tokens) return 1.0;
  const double share = static_cast<double>(seen) / static_cast<double>(full_at_tokens);
  return start + (1.0 - start) * share;
}

Json Recipe::resolved() const {
  Json data_json;
  if (data.kind == DataKind::kShards) {
    data_json = {{"source", "shards"}};
  } else {
    data_json = {
        {"source", "problems"},
        {"seed", data.seed},
        {"families", data.families},
        {"curriculum",
         {{"start", data.curriculum.start}, {"full_at_tokens", data.curriculum.full_at_tokens}}},
        {"learn_question", data.learn_question}};
  }
  return {{"name", name},
          {"seed", seed},
          {"model", model},
          {"data", data_json},
          {"batch_tokens", batch_tokens},
          {"tokens", tokens},
          {"optimizer",
           {{"name", name_of(optimizer.kind)},
            {"learning_rate", optimizer.learning_rate},
            {"adamw_learning_rate", optimizer.adamw_learning_rate},
            {"weight_decay", optimizer.weight_decay},
            {"beta1", optimizer.beta1},
            {"beta2", optimizer.beta2},
            {"momentum", optimizer.momentum},
            {"clip", optimizer.clip}}},
          {"schedule",
           {{"name", schedule.kind == ScheduleKind::kCosine ? "cosine" : "constant-decay"},
            {"warmup_tokens", schedule.warmup_tokens},
            {"decay_tokens", schedule.decay_tokens},
            {"final", schedule.final}}},
          {"precision", precision == Precision::kBF16 ? "bf16" : "f32"},
          {"evaluate",
           {{"every_tokens", evaluate.every_tokens},
            {"problems", evaluate.problems},
            {"max_tokens", evaluate.max_tokens}}},
          {"checkpoint", {{"every_seconds", checkpoint_seconds}}}};
}

Recipe parse_recipe(const Json& document, const std::filesystem::path& file) {
  const RecipeSection section(
      document, file.string(), "",
      {"name", "seed", "model", "tokenizer", "data", "batch_tokens", "tokens", "optimizer",
       "schedule", "precision", "evaluate", "checkpoint"});
  Recipe recipe;
  recipe.file = file;
  recipe.name = section.text("name");
  recipe.seed = section.count("seed", 0, kAnyNumber, 1);
  recipe.model = read_model(section);
  recipe.tokenizer = file.parent_path() / section.text("tokenizer");
  recipe.data = read_data(section);
  recipe.batch_tokens = section.count("batch_tokens", 1, std::uint64_t{1} << 24, 8192);
  recipe.tokens = section.count("tokens", 1, kMostTokens);
  recipe.optimizer = read_optimizer(section);
  recipe.schedule = read_schedule(section, recipe.tokens);
  const std::string precision = section.choice("precision", {"bf16", "f32"}, "bf16");
  recipe.precision = precision == "bf16" ? Precision::kBF16 : Precision::kF32;
  recipe.evaluate = read_evaluate(section);
  if (section.has("checkpoint")) {
    const RecipeSection checkpoint(section.object("checkpoint"), section.file(), "checkpoint",
                                   {"every_seconds"});
    recipe.checkpoint_seconds = checkpoint.number("every_seconds", {0, 86400, true});
  }
  return recipe;
}

Recipe load_recipe(const std::filesystem::path& file) {
  return parse_recipe(parse_json(read_file(file), file.string()), file);
}

RecipeChanges recipe_changes(const Json& before, const Json& now) {
  RecipeChanges changes;
  const Json old_values = before.flatten(), new_values = now.flatten();
  std::set<std::string> pointers;
  for (const auto& [pointer, ignored] : old_values.items()) pointers.insert(pointer);
  for (const auto& [pointer, ignored] : new_values.items()) pointers.insert(pointer);
  const auto shown = [](const Json& values, const std::string& pointer) {
    return values.contains(pointer) ? values[pointer].dump() : std::string("absent");
  };
  for (const std::string& pointer : pointers) {
    const std::string was = shown(old_values, pointer), is = shown(new_values, pointer);
    if (was == is) continue;
    const std::string place = dotted(pointer);
    auto& list = may_change(place) ? changes.allowed : changes.forbidden;
    list.push_back(fmt::format("{} ({}, now {})", place, was, is));
  }
  return changes;
}

}  // namespace laconic::train
