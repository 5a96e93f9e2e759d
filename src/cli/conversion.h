// SPDX-License-Identifier: Apache-2.0
// What `make-model` and `quantize` share: the element type, progress on a terminal, the report.
#pragma once

#include <string>

#include "base/dtype.h"
#include "cli/interrupt.h"
#include "model/convert.h"

namespace laconic::cli {

// Error(kUsage) names the allowed types.
DType parse_weight_type(const std::string& name);

// The same, and the K-quants and their mix, which `make-model` fills with random blocks.
TypeMix parse_made_type(const std::string& name);

// Per cent on stderr when that is a terminal. Throws Interrupted when `watch` has seen a signal;
// the writers remove their temporary files on the way out.
ConversionProgress conversion_progress(const InterruptWatch& watch);

// Bytes written, and what kept its type, on stdout.
void print_report(const ConversionReport& report, const std::string& out);

}  // namespace laconic::cli
