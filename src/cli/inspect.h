// SPDX-License-Identifier: Apache-2.0
// The two things that `laconic inspect` looks at: a model on disk, and this machine.
#pragma once

#include "base/json.h"
#include "cli/machine_flags.h"
#include "model/checkpoint.h"

namespace laconic::cli {

enum class TensorList { kLeftOut, kIncluded };

// Architecture, tensors by type, bytes of cache per token, tokenizer.
Json describe_model(const Checkpoint& checkpoint, TensorList tensors);
void print_model(const Json& description);

// SIMD target and sub-level, threads, memory, measured read bandwidth.
Json describe_system(const MachineFlags& machine);
void print_system(const Json& description);

}  // namespace laconic::cli
