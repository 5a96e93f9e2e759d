// SPDX-License-Identifier: Apache-2.0
#include "eval/sample.h"

#include "eval/grade.h"

namespace laconic {

void grade(Sample& sample) {
  sample.extracted = extract_answer(graded_part(sample.text)).value_or("");
  sample.correct = same_answer(sample.extracted, sample.gold);
}

Json sample_json(const Sample& sample) {
  return {{"arm", sample.arm},
          {"id", sample.id},
          {"family", sample.family},
          {"question", sample.question},
          {"gold", sample.gold},
          {"prompt_ids", sample.prompt_ids},
          {"ids", sample.ids},
          {"text", sample.text},
          {"reasoning", sample.reasoning},
          {"answer", sample.answer},
          {"extracted", sample.extracted},
          {"correct", sample.correct},
          {"finish_reason", sample.finish_reason},
          {"seconds", sample.seconds},
          {"kv",
           {{"peak_bytes", sample.kv_peak_bytes},
            {"mean_bytes", sample.kv_mean_bytes},
            {"compressions", sample.kv_compressions}}}};
}

Sample sample_from_json(const Json& line, std::string_view where) {
  Sample sample;
  const auto read = [&](const char* key, auto& value) {
    value = json_required<std::decay_t<decltype(value)>>(line, key, where);
  };
  read("arm", sample.arm);
  read("id", sample.id);
  read("family", sample.family);
  read("question", sample.question);
  read("gold", sample.gold);
  read("prompt_ids", sample.prompt_ids);
  read("ids", sample.ids);
  read("text", sample.text);
  read("reasoning", sample.reasoning);
  read("answer", sample.answer);
  read("extracted", sample.extracted);
  read("correct", sample.correct);
  read("finish_reason", sample.finish_reason);
  read("seconds", sample.seconds);
  const auto kv = line.find("kv");
  if (kv == line.end()) throw_input("{}: \"kv\" is missing", where);
  const std::string kv_where = fmt::format("{}: \"kv\"", where);
  sample.kv_peak_bytes = json_required<std::size_t>(*kv, "peak_bytes", kv_where);
  sample.kv_mean_bytes = json_required<double>(*kv, "mean_bytes", kv_where);
  sample.kv_compressions = json_required<std::size_t>(*kv, "compressions", kv_where);
  return sample;
}

}  // namespace laconic
