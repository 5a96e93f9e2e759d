# SPDX-License-Identifier: Apache-2.0
# Most of a small file's compile is the headers of others. With LACONIC_PCH a target parses the named
# ones once. Builds without it prove that every file includes what it uses; CI makes both, but
# for the trainer, which always precompiles libtorch (src/train/CMakeLists.txt).
option(LACONIC_PCH "Precompile the headers of libraries" OFF)

function(laconic_precompile target)
  if(LACONIC_PCH)
    target_precompile_headers(${target} PRIVATE ${ARGN})
    # What ccache needs to look through a precompiled header of g++.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
endfunction()

# For code that no user waits for: in release builds -O1, which halves its compile time.
function(laconic_quick_compile target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()
