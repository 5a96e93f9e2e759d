// SPDX-License-Identifier: Apache-2.0
// stdin, stdout and stderr as the system handed them over: perhaps closed, perhaps on a full disk.
// Output that did not arrive is a failure, never a success; a message on stderr that did not, is
// nothing: the work goes on.
#pragma once

#include <string_view>

namespace laconic::cli {

// Puts /dev/null where a standard stream is closed, so that no other file gets its number. It is
// opened the wrong way round for stdin and stdout: using them fails as it would without it.
void open_standard_streams();

// Error(kResource) when something that was written to stdout so far did not arrive.
void check_stdout();

// Text for the user, on stderr; lost in silence when nobody can be told.
void say(std::string_view text) noexcept;

}  // namespace laconic::cli
