# SPDX-License-Identifier: Apache-2.0
# The trainer alone, for a machine that has libtorch, a compiler and no other package of ours. The
# headers of fmt, nlohmann/json and CLI11 may lie in any folder:
#   -DLACONIC_TRAIN_ONLY=ON -DLACONIC_HEADERS=FOLDER -DCMAKE_PREFIX_PATH=LIBTORCH
# It reads token shards; what needs tokenizer, generator or engine is left out.
set(LACONIC_HEADERS "" CACHE PATH "Folder with fmt/, nlohmann/ and CLI/, if they are not installed")
find_package(Threads REQUIRED)

function(laconic_header_library target header)
  find_path(${target}_headers ${header} HINTS ${LACONIC_HEADERS})
  if(NOT ${target}_headers)
    message(FATAL_ERROR "${header} is not found; LACONIC_HEADERS may name the folder it lies in")
  endif()
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_headers})
endfunction()
laconic_header_library(laconic_fmt fmt/format.h)
target_compile_definitions(laconic_fmt INTERFACE FMT_HEADER_ONLY=1)
laconic_header_library(laconic_json nlohmann/json.hpp)
laconic_header_library(laconic_cli11 CLI/CLI.hpp)
add_library(CLI11::CLI11 ALIAS laconic_cli11)

# The parts of the rooms that training stands on.
function(laconic_part name)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/src/${name}/ OUTPUT_VARIABLE sources)
  add_library(laconic_${name} STATIC ${sources})
  target_include_directories(laconic_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include
    ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(laconic_${name} PUBLIC laconic_fmt laconic_json Threads::Threads
    PRIVATE laconic_flags)
endfunction()
laconic_part(base file.cc half.cc json.cc memory.cc team.cc threads.cc utf8.cc)
laconic_part(io printable.cc safetensors.cc safetensors_header.cc safetensors_json.cc
  safetensors_writer.cc)
target_link_libraries(laconic_io PUBLIC laconic_base)
laconic_part(data problem.cc problem_ledger.cc problem_passcode.cc problem_quantities.cc
  problem_words.cc token_shard.cc)
target_link_libraries(laconic_data PUBLIC laconic_base)

add_subdirectory(src/train)
