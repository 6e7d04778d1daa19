// Weights packed for products with a few rows of activations: y[m] = W x[m].
//
// Sixteen outputs stand side by side, so a block of them is one stretch of memory read once:
//   INT8  [n/16][k/4][16][4]      w + 128 as an unsigned byte; one float32 scale an output
//   INT4  [n/16][k/32][4][64]     byte j of load l: w + 8 of outputs j/4, inputs 8l + j%4 (low half)
//                                 and 8l + 4 + j%4 (high half); scales [n/16][k/32][16] bfloat16
//   BF16  [n/16][k/2][16][2]
// Outputs are padded to 16 and inputs to 32, with weights that count for nothing.
//
// Activations are not rounded to eight bits: a row is taken as 16-bit integers with one scale, high
// and low byte apart (INT8, INT4), or as two bfloat16 numbers that add up (BF16). Memory bounds
// these products, so the second half costs no time.
#pragma once
#include "pool.h"

enum { INT8 = 0, INT4 = 1, BF16 = 2 };
enum { LANES = 16, GROUP = 32 };

typedef struct {
    int32_t format, n, k;
    const uint8_t *data;
    const void *scales; // INT8: float[n padded]; INT4: bfloat16; BF16: NULL
} Matrix;

static inline int padded(int count, int to) { return (count + to - 1) / to * to; }
static inline int blocks_of(const Matrix *w) { return (w->n + LANES - 1) / LANES; }

// Rows of activations made ready for any format.
typedef struct {
    int stride; // elements of a row: k padded
    int8_t *high, *low; // of 16-bit integers; for BF16 the same memory holds both halves
    uint16_t *coarse, *fine;
    float *scale;
    int32_t *high_sum, *low_sum; // [rows]
    int32_t *group_sum; // [rows][stride / 32]
} Operand;

EXPORT size_t matrix_data_bytes(int format, int n, int k);
EXPORT size_t matrix_scale_bytes(int format, int n, int k);

// From plain rows [n][k]: int8 for INT8 and INT4 (-8..7), bfloat16 for BF16. Scales: float32 [n]
// (INT8) or [n][k/32 rounded up] (INT4).
EXPORT void matrix_pack(int format, int n, int k, const void *rows, const float *scales,
                        uint8_t *data, void *packed_scales);

// Round bfloat16 rows [n][k] to int8 with a scale each, as quantize/rows.py does.
EXPORT void matrix_round(int n, int k, const uint16_t *rows, int8_t *values, float *scales);

size_t operand_bytes(int rows, int k);
void operand_place(Operand *operand, int rows, int k, void *memory);
// Take row `m` from `x`; where `weight` is given, its root mean square is divided out before and
// it is multiplied by `weight` (RMSNorm).
void operand_fill(Operand *operand, int m, const Matrix *w, const float *x, const float *weight,
                  float eps);

// What becomes of a product.
enum { STORE = 0, ADD = 1, SWIGLU = 2 }; // SWIGLU: blocks alternate gate, up; out is half as wide

// Blocks start..end of all rows. out[m * stride + output].
void matrix_apply(const Matrix *w, const Operand *x, int rows, int start, int end, float *out,
                  int stride, int mode);

// y[rows][n] = W x[rows][k] by a pool. 0, or -1 where memory ran out.
EXPORT int matrix_multiply(Pool *pool, int threads, const Matrix *w, const float *x, int rows,
                           float *y);
