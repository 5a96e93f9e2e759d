// SPDX-License-Identifier: Apache-2.0
// Where the tensors of a training run live on the CPU.
//
// By default every large temporary of libtorch is a fresh mapping, whose pages the kernel zeroes
// one fault at a time: element-wise operations took 6 to 10 times longer. Left on the heap, batches
// of slightly different sizes and oneDNN's long-lived primitives split it until it holds several
// times what is in use. Here large blocks are rounded up to one of eight sizes per doubling, and
// wait for the next tensor of their size; where memory runs out, all that wait are freed first.
#pragma once

namespace laconic::train {

// Once, before the first tensor: for the whole process, until its end.
void keep_tensor_memory();

}  // namespace laconic::train
