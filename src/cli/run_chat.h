// SPDX-License-Identifier: Apache-2.0
// Conversation mode: a line from the user, an answer, and so on until the input ends. Earlier turns
// count as prompt. Ctrl-C ends an answer and comes back to the prompt.
#pragma once

#include "cli/run_options.h"

namespace laconic::cli {

// The exit code. Error(kUsage) when the model has no chat template.
int run_conversation(const Model& model, Session& session, const RunOptions& options);

}  // namespace laconic::cli
