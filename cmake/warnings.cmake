# SPDX-License-Identifier: Apache-2.0
# Warnings and sanitizers for our own targets only.
add_library(laconic_flags INTERFACE)
target_compile_options(laconic_flags INTERFACE
  $<BUILD_INTERFACE:-Wall> $<BUILD_INTERFACE:-Wextra> $<BUILD_INTERFACE:-Wpedantic>
  $<BUILD_INTERFACE:-Wconversion> $<BUILD_INTERFACE:-Wshadow>)
# g++ 12 sees overlapping copies in std::string's own operator+ (GCC bug 105651).
target_compile_options(laconic_flags INTERFACE $<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>>)
if(LACONIC_WERROR)
  target_compile_options(laconic_flags INTERFACE $<BUILD_INTERFACE:-Werror>)
endif()
if(LACONIC_SANITIZE)
  string(REPLACE ";" "," sanitizers "${LACONIC_SANITIZE}")
  add_compile_options(-fsanitize=${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${sanitizers})
endif()
if(LACONIC_FUZZ)
  # The libraries must count their branches too, or the fuzzer gropes in the dark.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
