# SPDX-License-Identifier: Apache-2.0
# Debian packages that the engine stands on; scripts/install-packages.sh lists them.
find_package(nlohmann_json 3.11 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
list(PREPEND CMAKE_MODULE_PATH ${PROJECT_SOURCE_DIR}/cmake)
find_package(oneDNN 2.6 REQUIRED)
find_package(hwy 1.0.3 REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)

# libgomp is what oneDNN uses; clang brings another runtime, and ThreadSanitizer takes libgomp for a
# race: those builds use std::thread behind the same interface.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT LACONIC_SANITIZE MATCHES "thread")
  set(laconic_openmp_default ON)
else()
  set(laconic_openmp_default OFF)
endif()
option(LACONIC_OPENMP "Threads on OpenMP (libgomp)" ${laconic_openmp_default})
if(LACONIC_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()
