// SPDX-License-Identifier: Apache-2.0
// The prompt recipe on oneDNN's matmul. Weights [rows][cols] are the transposed right-hand side,
// which strides express without a copy.
#include <dlfcn.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <dnnl.hpp>
#include <vector>

#include "base/error.h"
#include "base/half.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"
#include "kernels/quantize.h"

namespace laconic {
namespace {

using dnnl::memory;
using Element = memory::data_type;

// A panel of dequantised weights is written once and read once per chunk of the prompt: 4 MiB stay
// in the last-level cache meanwhile, and give oneDNN at least 200 columns of a 5000-wide layer.
constexpr std::size_t kPanelBytes = 4 * 1024 * 1024;

// Primitives kept for reuse. A model has about five shapes, and the last chunk of a prompt makes
// one more of each.
constexpr std::size_t kCachedPrimitives = 64;

// oneDNN runs as many threads as OpenMP would start, a setting of the calling thread. It is looked
// up in the runtime that oneDNN brought along, because we ourselves may be built without OpenMP.
// Where there is none (oneDNN on another runtime), oneDNN's own choice stands.
class OpenMpTeam {
 public:
  explicit OpenMpTeam(std::size_t threads)
      : set_(reinterpret_cast<Set>(::dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) {
    const auto get = reinterpret_cast<Get>(::dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
    if (get == nullptr) set_ = nullptr;
    if (set_ == nullptr) return;
    before_ = get();
    set_(static_cast<int>(threads));
  }
  ~OpenMpTeam() {
    if (set_ != nullptr) set_(before_);
  }
  OpenMpTeam(const OpenMpTeam&) = delete;
  OpenMpTeam& operator=(const OpenMpTeam&) = delete;

 private:
  using Set = void (*)(int);
  using Get = int (*)();
  Set set_;
  int before_ = 1;
};

bool cpu_has_bf16_products() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

// One product shape: y [n][rows], a window of rows that lie y_stride apart.
struct Shape {
  Element element;  // of x and W
  std::size_t n, cols, rows, y_stride;
  bool operator==(const Shape&) const = default;
};

struct Product {
  Shape shape;
  memory::desc x, w, y;
  dnnl::matmul primitive;
};

memory::dim dim(std::size_t size) { return static_cast<memory::dim>(size); }

}  // namespace

struct PromptLinear::Impl {
  explicit Impl(Threads& team) : threads(team) {}

  const Product& product(const Shape& s) {
    const auto found = std::find_if(products.begin(), products.end(),
                                    [&](const Product& p) { return p.shape == s; });
    if (found != products.end()) return *found;
    Product made{s,
                 {{dim(s.n), dim(s.cols)}, s.element, memory::dims{dim(s.cols), 1}},
                 {{dim(s.cols), dim(s.rows)}, s.element, memory::dims{1, dim(s.cols)}},
                 {{dim(s.n), dim(s.rows)}, Element::f32, memory::dims{dim(s.y_stride), 1}},
                 {}};
    made.primitive = dnnl::matmul({{made.x, made.w, made.y}, engine});
    if (products.size() < kCachedPrimitives) return products.emplace_back(std::move(made));
    oldest = (oldest + 1) % kCachedPrimitives;
    return products[oldest] = std::move(made);
  }

  void multiply(const Shape& shape, const void* x, const void* w, float* y) {
    const Product& p = product(shape);
    // oneDNN's memory takes a plain pointer also for what it only reads.
    p.primitive.execute(stream, {{DNNL_ARG_SRC, {p.x, engine, const_cast<void*>(x)}},
                                 {DNNL_ARG_WEIGHTS, {p.w, engine, const_cast<void*>(w)}},
                                 {DNNL_ARG_DST, {p.y, engine, y}}});
    stream.wait();
  }

  // Whether the product ran in bf16; false when this oneDNN has no such product. x = high + low,
  // both bf16: one rounding alone (8 bits) moved the logits of a small model by 0.3, the pair keeps
  // 16 bits at about the cost of an f32 product and needs no f32 copy of the weights.
  bool multiply_bf16(const WeightView& w, const float* x, std::size_t n, float* y) {
    narrow.resize(2 * n * w.cols);
    threads.parallel_for(n, 16, [&](std::size_t begin, std::size_t end, std::size_t) {
      for (std::size_t i = begin * w.cols; i < end * w.cols; ++i) {
        const std::uint16_t high = bf16_from_float(x[i]);
        narrow[i] = high;
        narrow[n * w.cols + i] = bf16_from_float(x[i] - float_from_bf16(high));
      }
    });
    low.resize(n * w.rows);
    try {
      const Shape shape{Element::bf16, n, w.cols, w.rows, w.rows};
      multiply(shape, narrow.data(), w.data, y);
      multiply(shape, narrow.data() + n * w.cols, w.data, low.data());
      threads.parallel_for(n, 16, [&](std::size_t begin, std::size_t end, std::size_t) {
        add_in_place(y + begin * w.rows, low.data() + begin * w.rows, (end - begin) * w.rows);
      });
      return true;
    } catch (const dnnl::error& failure) {
      if (failure.status != dnnl_unimplemented) throw;
      bf16 = false;
      return false;
    }
  }

  void multiply_panels(const WeightView& w, const float* x, std::size_t n, float* y) {
    const std::size_t fit = kPanelBytes / sizeof(float) / w.cols;
    // Whole multiples of 64 rows: oneDNN's tiles are 16, 32, 48 or 64 columns wide.
    const std::size_t height = std::min(w.rows, std::max<std::size_t>(fit / 64, 1) * 64);
    panel.resize(height * w.cols);
    for (std::size_t first = 0; first < w.rows; first += height) {
      const std::size_t rows = std::min(height, w.rows - first);
      threads.parallel_for(rows, 16, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t r = begin; r < end; ++r) {
          dequantize_row(w, first + r, panel.data() + r * w.cols);
        }
      });
      multiply({Element::f32, n, w.cols, rows, w.rows}, x, panel.data(), y + first);
    }
  }

  Threads& threads;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::vector<Product> products;  // at most kCachedPrimitives
  std::size_t oldest = 0;
  bool bf16 = cpu_has_bf16_products();
  std::vector<std::uint16_t> narrow;  // [high, low][n][cols], activations as two bf16
  std::vector<float> low;             // [n][rows], the low halves' product
  std::vector<float> panel;           // [height][cols]
};

PromptLinear::PromptLinear(Threads& threads) : impl_(std::make_unique<Impl>(threads)) {}
PromptLinear::~PromptLinear() = default;
PromptLinear::PromptLinear(PromptLinear&&) noexcept = default;

void PromptLinear::run(const WeightView& w, const float* x, std::size_t n, float* y) {
  if (n == 0 || w.rows == 0) return;
  if (w.cols == 0) {
    std::fill_n(y, n * w.rows, 0.0f);
    return;
  }
  const OpenMpTeam team(impl_->threads.size());
  try {
    // oneDNN's kernels load without alignment, so w.data may lie anywhere in a mapped file.
    if (w.type == DType::kBF16 && impl_->bf16 && impl_->multiply_bf16(w, x, n, y)) return;
    if (w.type == DType::kF32) {
      impl_->multiply({Element::f32, n, w.cols, w.rows, w.rows}, x, w.data, y);
    } else {
      impl_->multiply_panels(w, x, n, y);
    }
  } catch (const dnnl::error& failure) {
    throw_resource("the product of {} prompt rows with {} x {} {} weights failed: {}", n, w.rows,
                   w.cols, dtype_name(w.type), failure.what());
  }
}

}  // namespace laconic
