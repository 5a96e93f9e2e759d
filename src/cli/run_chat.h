// SPDX-License-Identifier: Apache-2.0
// Conversation mode: a line from the user, an answer, and so on until the input ends. Earlier turns
// count as prompt. Ctrl-C ends an answer and comes back to the prompt; a message that does not fit
// is left out.
#pragma once

#include "cli/run_options.h"

namespace laconic::cli {

// The exit code: 1 when a message was left out. Error(kUsage) when the model has no chat template.
int run_conversation(const Model& model, Session& session, const RunOptions& options);

}  // namespace laconic::cli
