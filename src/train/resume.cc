// SPDX-License-Identifier: Apache-2.0
#include "train/resume.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "train/recipe.h"

namespace laconic::train {
namespace {

namespace fs = std::filesystem;
using Say = std::function<void(const std::string&)>;

struct Found {
  RunState state;
  fs::path file;
};

// Renamed only once an older one could be read: where none can, all stay as they are.
void set_aside(const std::vector<fs::path>& damaged) {
  for (const fs::path& file : damaged) {
    fs::path aside = file;
    aside += ".damaged";
    std::error_code ignored;  // in a folder that cannot be written the run ends soon enough
    fs::rename(file, aside, ignored);
  }
}

std::optional<Found> newest_readable(const fs::path& folder, const Say& say) {
  std::vector<fs::path> damaged;
  for (const fs::path& file : checkpoint_files(folder)) {
    try {
      Found found{read_run_state(file), file};
      set_aside(damaged);
      return found;
    } catch (const Error& error) {
      say(fmt::format("{}; trying the checkpoint before it", error.what()));
      damaged.push_back(file);
    }
  }
  if (!damaged.empty()) {
    throw_input("{} has {} checkpoints, none of them can be read: an empty --out starts over",
                folder.string(), damaged.size());
  }
  return std::nullopt;
}

// What the recipe has changed and may change.
std::vector<std::string> check_same_run(const Found& found, const RunState& now) {
  const std::string where = found.file.string();
  RecipeChanges changes = recipe_changes(found.state.recipe, now.recipe);
  if (!changes.forbidden.empty()) {
    throw_usage("{} is a checkpoint of another recipe: {} differs", where,
                fmt::join(changes.forbidden, ", "));
  }
  if (found.state.source != now.source) {
    throw_usage("{} is a checkpoint of another recipe: its data is \"{}\", not \"{}\"", where,
                found.state.source, now.source);
  }
  if (!now.init.empty() && now.init != found.state.init) {
    throw_usage("--init {} cannot take effect: the run in {} has begun {}", now.init,
                found.file.parent_path().string(),
                found.state.init.empty() ? "with random weights" : "from " + found.state.init);
  }
  return std::move(changes.allowed);
}

}  // namespace

std::optional<RunState> resume(const fs::path& folder, const RunState& now,
                               const NamedTensors& tensors, const Say& say) {
  std::optional<Found> found = newest_readable(folder, say);
  if (!found) return std::nullopt;
  const std::vector<std::string> changed = check_same_run(*found, now);
  read_tensors(found->file, tensors);
  say(fmt::format("going on from step {} of {}", found->state.step, found->file.string()));
  if (!changed.empty()) say(fmt::format("the recipe has changed: {}", fmt::join(changed, ", ")));
  if (found->state.machine != now.machine) {
    say(fmt::format("the run was on {} and goes on on {}: its weights will differ by rounding",
                    found->state.machine, now.machine));
  }
  found->state.recipe = now.recipe;
  found->state.machine = now.machine;
  return std::move(found->state);
}

}  // namespace laconic::train
