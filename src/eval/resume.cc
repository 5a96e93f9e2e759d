// SPDX-License-Identifier: Apache-2.0
#include "eval/resume.h"

#include <string>
#include <unordered_map>

#include "base/error.h"
#include "eval/settings.h"

namespace laconic {
namespace {

std::string plain(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

class Resumer {
 public:
  Resumer(const Model& model, const ResumeRequest& request, const SampleFile& file)
      : model_(model), request_(request), file_(file) {
    for (std::size_t i = 0; i < request.task.size(); ++i) index_of_[request.task[i].id] = i;
    for (std::size_t i = 0; i < request.arms.size(); ++i) arm_of_[request.arms[i].name] = i;
  }

  std::vector<std::vector<std::optional<Sample>>> take() const {
    std::vector<std::vector<std::optional<Sample>>> out(
        request_.arms.size(), std::vector<std::optional<Sample>>(request_.task.size()));
    for (const StoredSample& stored : file_.stored()) {
      const auto found = arm_of_.find(stored.sample.arm);
      const bool asked = found != arm_of_.end();
      const std::size_t arm = asked ? found->second : 0;
      const std::size_t problem = check_problem(stored, arm);
      check_settings(stored, request_.settings[arm], asked);
      if (!asked || stored.sample.finish_reason == finish_reason_name(FinishReason::kKvFull)) {
        continue;
      }
      Sample& sample = out[arm][problem].emplace(stored.sample);
      sample.family = request_.task[problem].family;
      grade(sample);
    }
    return out;
  }

 private:
  [[noreturn]] void refuse(const StoredSample& stored, const std::string& why) const {
    throw_input("samples {} line {}: {}; give another file", file_.path().string(), stored.line,
                why);
  }

  // The place of its problem in the task.
  std::size_t check_problem(const StoredSample& stored, std::size_t arm) const {
    const Sample& sample = stored.sample;
    const auto found = index_of_.find(sample.id);
    if (found == index_of_.end()) refuse(stored, "problem " + sample.id + " is not in this task");
    const TaskItem& item = request_.task[found->second];
    if (sample.question != item.question || sample.gold != item.gold) {
      refuse(stored, "problem " + sample.id + " is another one in this task");
    }
    if (sample.prompt_ids != arm_prompt(model_, item, request_.arms[arm]).ids) {
      refuse(stored, "problem " + sample.id +
                         " was put with other words (template, instruction or vocabulary)");
    }
    return found->second;
  }

  // `asked`: by an arm of this run, so that the cache has to be the same too.
  void check_settings(const StoredSample& stored, const Json& settings, bool asked) const {
    const auto matters = [&](const std::string& name) { return asked || !is_cache_setting(name); };
    // What both name comes first: it says more than what only one has.
    for (const auto& [name, value] : settings.items()) {
      const auto found = stored.settings.find(name);
      if (found == stored.settings.end() || *found == value || !matters(name)) continue;
      refuse(stored, fmt::format("{} was {}, this run has {}", name, plain(*found), plain(value)));
    }
    for (const auto& [name, value] : settings.items()) {
      if (stored.settings.contains(name) || !matters(name)) continue;
      refuse(stored, fmt::format("{} is not said, this run has {}", name, plain(value)));
    }
  }

  const Model& model_;
  const ResumeRequest& request_;
  const SampleFile& file_;
  std::unordered_map<std::string, std::size_t> index_of_, arm_of_;
};

}  // namespace

std::vector<std::vector<std::optional<Sample>>> resume(const Model& model,
                                                       const ResumeRequest& request,
                                                       const SampleFile& file) {
  return Resumer(model, request, file).take();
}

}  // namespace laconic
