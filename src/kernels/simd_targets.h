// SPDX-License-Identifier: Apache-2.0
// Which instruction sets the kernels are compiled for. Every file that includes Highway includes
// this one first, so that all of them agree.
//
// Left out: SSSE3 (CPUs older than 2008: they run the portable target), and the targets whose
// vectors have no compile-time size (SVE, RISC-V V): our tiles are arrays of vectors, which such
// types do not allow. AArch64 runs NEON.
#pragma once

// Highway reads its configuration from macros.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
