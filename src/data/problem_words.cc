// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "data/problem_families.h"

namespace laconic {
namespace {

constexpr std::array<std::string_view, 68> kNames = {
    "Abe", "Ada",  "Amy", "Ann", "Bea",  "Ben",  "Bob",  "Cal",  "Cleo", "Dan",  "Dee",  "Dot",
    "Eli", "Emma", "Eva", "Fay", "Finn", "Gil",  "Gus",  "Hal",  "Hugo", "Ian",  "Ida",  "Iris",
    "Ivy", "Jack", "Jan", "Jim", "Joe",  "Kate", "Kay",  "Ken",  "Kim",  "Lea",  "Lee",  "Lily",
    "Liv", "Luke", "Max", "Meg", "Mia",  "Ned",  "Nina", "Noa",  "Nora", "Omar", "Otto", "Owen",
    "Pam", "Paul", "Pia", "Ray", "Rex",  "Ron",  "Rosa", "Ruth", "Sam",  "Sara", "Sue",  "Theo",
    "Tim", "Tom",  "Una", "Val", "Vera", "Wes",  "Yara", "Zoe"};

constexpr std::array<std::string_view, 36> kItems = {
    "apples", "balls", "beads",   "bells",  "boats",  "books",  "buttons", "candles", "cards",
    "coins",  "cups",  "dolls",   "eggs",   "flags",  "gems",   "keys",    "kites",   "lamps",
    "leaves", "maps",  "marbles", "masks",  "notes",  "nuts",   "pens",    "pins",    "plates",
    "rings",  "roses", "seeds",   "shells", "spoons", "stamps", "stones",  "tickets", "toys"};

}  // namespace

std::span<const std::string_view> problem_names() { return kNames; }
std::span<const std::string_view> problem_items() { return kItems; }

std::string spoken_list(std::span<const std::string_view> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " and " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace laconic
