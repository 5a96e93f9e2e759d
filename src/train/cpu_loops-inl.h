// SPDX-License-Identifier: Apache-2.0
// Every loop that is compiled once per target, and its instances. Included by cpu_*.cc alone, after
// kLanes, kRegisters, kThisTarget and the target pragma.
#pragma once

#include "train/attention_backward-inl.h"
#include "train/attention_forward-inl.h"
#include "train/fused_loss-inl.h"
#include "train/fused_norm-inl.h"

namespace laconic::train {

using Bf16 = std::uint16_t;

template void attention_forward_unit<kThisTarget>(const AttentionShape&, const AttentionUnit&,
                                                  const float*, const float*, const float*, float*,
                                                  float*, float*);
template void attention_forward_unit<kThisTarget>(const AttentionShape&, const AttentionUnit&,
                                                  const Bf16*, const Bf16*, const Bf16*, Bf16*,
                                                  float*, float*);
template void attention_backward_unit<kThisTarget>(const AttentionShape&, const AttentionUnit&,
                                                   const float*, const float*, const float*,
                                                   const float*, const float*, const float*, float*,
                                                   float*, float*, float*);
template void attention_backward_unit<kThisTarget>(const AttentionShape&, const AttentionUnit&,
                                                   const Bf16*, const Bf16*, const Bf16*,
                                                   const Bf16*, const float*, const Bf16*, Bf16*,
                                                   Bf16*, Bf16*, float*);

using std::size_t;
template void rms_norm_forward_rows<kThisTarget>(size_t, size_t, const float*, const float*, float,
                                                 float*, float*);
template void rms_norm_forward_rows<kThisTarget>(size_t, size_t, const float*, const float*, float,
                                                 Bf16*, float*);
template void rms_norm_backward_rows<kThisTarget>(size_t, size_t, const float*, const float*,
                                                  const float*, const float*, float*, float*);
template void rms_norm_backward_rows<kThisTarget>(size_t, size_t, const float*, const float*,
                                                  const float*, const Bf16*, float*, float*);
template void norm_rope_forward_rows<kThisTarget>(const RopeShape&, const float*, const float*,
                                                  float, const float*, const float*, float*,
                                                  float*);
template void norm_rope_forward_rows<kThisTarget>(const RopeShape&, const Bf16*, const float*,
                                                  float, const float*, const float*, Bf16*, float*);
template void norm_rope_backward_rows<kThisTarget>(const RopeShape&, const float*, const float*,
                                                   const float*, const float*, const float*,
                                                   const float*, float*, float*, float*);
template void norm_rope_backward_rows<kThisTarget>(const RopeShape&, const Bf16*, const float*,
                                                   const float*, const float*, const float*,
                                                   const Bf16*, Bf16*, float*, float*);
template void swiglu_forward_rows<kThisTarget>(size_t, size_t, const float*, float*);
template void swiglu_forward_rows<kThisTarget>(size_t, size_t, const Bf16*, Bf16*);
template void swiglu_backward_rows<kThisTarget>(size_t, size_t, const float*, const float*, float*);
template void swiglu_backward_rows<kThisTarget>(size_t, size_t, const Bf16*, const Bf16*, Bf16*);
template void cross_entropy_rows<kThisTarget>(size_t, size_t, float*, const std::int64_t*, float,
                                              float*);
template void cross_entropy_rows<kThisTarget>(size_t, size_t, Bf16*, const std::int64_t*, float,
                                              float*);

}  // namespace laconic::train
