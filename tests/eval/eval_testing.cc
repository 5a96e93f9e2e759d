// SPDX-License-Identifier: Apache-2.0
#include "eval/eval_testing.h"

#include <unistd.h>

#include "eval/arm_spec.h"
#include "model/convert.h"

namespace laconic::test {

Model random_model(std::uint64_t seed) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("laconic.eval." + std::to_string(::getpid()) + ".gguf");
  make_random_model(known_model("tiny"), path, DType::kF32, {}, seed);
  Model model = Model::open(path);
  std::filesystem::remove(path);  // the mapping stays
  return model;
}

const Model& tiny_model() {
  static const Model model = random_model(7);
  return model;
}

std::vector<TaskItem> some_problems(std::size_t count) {
  std::vector<TaskItem> items;
  for (std::size_t i = 0; i < count; ++i) {
    TaskItem item;
    item.id = "p" + std::to_string(i);
    item.family = i % 2 == 0 ? "even" : "odd";
    item.question = "What is " + std::string(i % 5, 'x') + std::to_string(i * 37) + " and one?";
    item.gold = std::to_string(i * 37 + 1);
    items.push_back(item);
  }
  return items;
}

ArmOptions arm_of(const std::string& spec, std::int64_t tokens) {
  const std::vector<std::string> items = {spec};
  const ArmSpec parsed = parse_arms(items, "f32").front();
  ArmOptions arm;
  arm.name = parsed.name;
  arm.session.kv = parsed.kv;
  arm.session.threads = 1;
  arm.session.kv_memory = std::size_t{64} << 20;
  arm.generate.max_tokens = tokens;
  arm.generate.stop_on_loop = true;
  return arm;
}

Json timeless(const Sample& sample) {
  Json out = sample_json(sample);
  out.erase("seconds");
  return out;
}

std::vector<Json> timeless(const std::vector<Sample>& samples) {
  std::vector<Json> out;
  for (const Sample& sample : samples) out.push_back(timeless(sample));
  return out;
}

}  // namespace laconic::test
