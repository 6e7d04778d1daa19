#include "matrix.h"

#include <string.h>

size_t matrix_data_bytes(int format, int n, int k) {
    size_t weights = (size_t)padded(n, LANES) * (size_t)padded(k, GROUP);
    return format == INT8 ? weights : format == INT4 ? weights / 2 : 2 * weights;
}

size_t matrix_scale_bytes(int format, int n, int k) {
    size_t outputs = (size_t)padded(n, LANES);
    if (format == INT8)
        return outputs * sizeof(float);
    return format == INT4 ? outputs * (size_t)(padded(k, GROUP) / GROUP) * 2 : 0;
}

static uint16_t round_bf16(float v) {
    union {
        float f;
        uint32_t u;
    } bits = {v};
    return (uint16_t)((bits.u + 0x7fff + ((bits.u >> 16) & 1)) >> 16);
}

// Four bytes of a row from input `i` on, or fewer and then zeros.
static uint32_t four(const void *rows, size_t at, int live) {
    uint32_t bytes = 0;
    if (live > 0)
        memcpy(&bytes, (const uint8_t *)rows + at, live < 4 ? (size_t)live : 4);
    return bytes;
}

static void pack_block(int format, int block, int n, int k, const void *rows, uint8_t *data) {
    int inputs = padded(k, GROUP), bytes = format == BF16 ? 2 : 1; // of an input in `rows`
    uint32_t *to = (uint32_t *)data + (size_t)block * inputs / (format == INT4 ? 8 : 4) * LANES * bytes;
    for (int lane = 0; lane < LANES; lane++) {
        int row = block * LANES + lane, last = row < n ? k * bytes : 0;
        size_t at = (size_t)row * k * bytes;
        if (format == INT8)
            for (int i = 0; i < inputs; i += 4) // w + 128
                to[i / 4 * LANES + lane] = four(rows, at + i, last - i) ^ 0x80808080u;
        else if (format == BF16)
            for (int i = 0; i < 2 * inputs; i += 4)
                to[i / 4 * LANES + lane] = four(rows, at + i, last - i);
        else
            for (int i = 0; i < inputs; i += 8) { // w + 8, in halves of a byte
                uint32_t low = four(rows, at + i, last - i) & 0x0f0f0f0fu;
                uint32_t high = four(rows, at + i + 4, last - i - 4) & 0x0f0f0f0fu;
                to[i / 8 * LANES + lane] = (low | high << 4) ^ 0x88888888u;
            }
    }
}

void matrix_pack(int format, int n, int k, const void *rows, const float *scales, uint8_t *data,
                 void *packed_scales) {
    int blocks = padded(n, LANES) / LANES, groups = padded(k, GROUP) / GROUP;
    for (int block = 0; block < blocks; block++) {
        pack_block(format, block, n, k, rows, data);
        for (int lane = 0; lane < LANES && format != BF16; lane++) {
            int row = block * LANES + lane;
            if (format == INT8)
                ((float *)packed_scales)[row] = row < n ? scales[row] : 0;
            for (int g = 0; g < groups && format == INT4; g++)
                ((uint16_t *)packed_scales)[((size_t)block * groups + g) * LANES + lane] =
                    round_bf16(row < n ? scales[(size_t)row * groups + g] : 0);
        }
    }
}

size_t operand_bytes(int rows, int k) {
    size_t stride = (size_t)padded(k, 64);
    return (size_t)rows * (4 * stride + stride / GROUP * 4 + 12) + 256;
}

void operand_place(Operand *operand, int rows, int k, void *memory) {
    size_t stride = (size_t)padded(k, 64), count = (size_t)rows;
    uint8_t *at = memory; // 64-byte aligned, and so is each part that is read as vectors
    operand->stride = (int)stride;
    operand->coarse = (uint16_t *)at;
    operand->fine = operand->coarse + count * stride;
    operand->high = (int8_t *)at;
    operand->low = operand->high + count * stride;
    at += 4 * count * stride;
    operand->group_sum = (int32_t *)at;
    at += 4 * count * (stride / GROUP);
    operand->scale = (float *)at;
    operand->high_sum = (int32_t *)(operand->scale + rows);
    operand->low_sum = operand->high_sum + rows;
}

#if defined(__x86_64__)
#include "vector.h"

// x * factor (* weight), zero beyond k
INLINE __m512 scaled(const float *x, const float *weight, __m512 factor, int i, int k) {
    __mmask16 live = i + 16 <= k ? 0xffff : i >= k ? 0 : (__mmask16)((1u << (k - i)) - 1);
    __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(live, x + i), factor);
    return weight ? _mm512_mul_ps(_mm512_maskz_loadu_ps(live, weight + i), v) : v;
}

AVX512 void matrix_round(int n, int k, const uint16_t *rows, int8_t *values, float *scales) {
    for (int row = 0; row < n; row++, rows += k, values += k) {
        __m512 most = _mm512_set1_ps(1e-20f), scale;
        for (int i = 0; i < k; i += 16) {
            __mmask16 live = k - i >= 16 ? 0xffff : (__mmask16)((1u << (k - i)) - 1);
            most = _mm512_max_ps(
                most, _mm512_abs_ps(from_bf16(_mm256_maskz_loadu_epi16(live, rows + i))));
        }
        scales[row] = _mm512_reduce_max_ps(most) / 127.0f;
        scale = _mm512_set1_ps(scales[row]);
        for (int i = 0; i < k; i += 16) {
            __mmask16 live = k - i >= 16 ? 0xffff : (__mmask16)((1u << (k - i)) - 1);
            __m512 v = from_bf16(_mm256_maskz_loadu_epi16(live, rows + i));
            __m512i q = _mm512_cvtps_epi32(_mm512_div_ps(v, scale)); // ties to even
            _mm512_mask_cvtsepi32_storeu_epi8(values + i, live, q);
        }
    }
}

AVX512 void operand_fill(Operand *operand, int m, const Matrix *w, const float *x,
                         const float *weight, float eps) {
    int k = w->k, inputs = padded(k, GROUP), stride = operand->stride;
    __m512 factor = _mm512_set1_ps(1.0f), one = factor;
    if (weight) {
        __m512 a = _mm512_setzero_ps(), b = a;
        for (int i = 0; i < inputs; i += 32) {
            __m512 u = scaled(x, NULL, one, i, k), v = scaled(x, NULL, one, i + 16, k);
            a = _mm512_fmadd_ps(u, u, a);
            b = _mm512_fmadd_ps(v, v, b);
        }
        float mean = _mm512_reduce_add_ps(_mm512_add_ps(a, b)) / (float)k + eps;
        factor = _mm512_div_ps(one, _mm512_sqrt_ps(_mm512_set1_ps(mean)));
    }
    if (w->format == BF16) {
        uint16_t *coarse = operand->coarse + (size_t)m * stride;
        uint16_t *fine = operand->fine + (size_t)m * stride;
        for (int i = 0; i < inputs; i += 16) {
            __m512 v = scaled(x, weight, factor, i, k);
            __m256i top = to_bf16(v);
            _mm256_store_si256((__m256i *)(coarse + i), top);
            _mm256_store_si256((__m256i *)(fine + i), to_bf16(_mm512_sub_ps(v, from_bf16(top))));
        }
        return;
    }
    __m512 most = _mm512_setzero_ps();
    for (int i = 0; i < inputs; i += 16)
        most = _mm512_max_ps(most, _mm512_abs_ps(scaled(x, weight, factor, i, k)));
    float peak = _mm512_reduce_max_ps(most);
    // 32512 = 127 * 256: the high byte, rounded, stays within -127..127
    float scale = peak > 1e-30f ? peak / 32512.0f : 1.0f;
    __m512 inverse = _mm512_set1_ps(1.0f / scale);
    int8_t *high = operand->high + (size_t)m * stride, *low = operand->low + (size_t)m * stride;
    int32_t *sums = operand->group_sum + (size_t)m * (stride / GROUP);
    __m512i highs = _mm512_setzero_si512(), lows = highs;
    for (int i = 0; i < inputs; i += 32) {
        __m512i group = _mm512_setzero_si512();
        UNROLL for (int part = 0; part < 32; part += 16) {
            __m512 v = scaled(x, weight, factor, i + part, k);
            __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(v, inverse));
            __m512i h = _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(128)), 8);
            __m512i l = _mm512_sub_epi32(q, _mm512_slli_epi32(h, 8));
            _mm_store_si128((__m128i *)(high + i + part), _mm512_cvtepi32_epi8(h));
            _mm_store_si128((__m128i *)(low + i + part), _mm512_cvtepi32_epi8(l));
            highs = _mm512_add_epi32(highs, h);
            lows = _mm512_add_epi32(lows, l);
            group = _mm512_add_epi32(group, q);
        }
        if (w->format == INT4)
            sums[i / GROUP] = _mm512_reduce_add_epi32(group);
    }
    operand->scale[m] = scale;
    operand->high_sum[m] = _mm512_reduce_add_epi32(highs);
    operand->low_sum[m] = _mm512_reduce_add_epi32(lows);
}

// One block of outputs for M rows from `first` on. Sums of integers do not depend on their order;
// those of floats are taken in the same order for every M, so a row never feels its neighbours.

#define INT8_ROWS 8
#define INT4_ROWS 8
#define BF16_ROWS 4

#define AHEAD 4096
#define DWORD(p) _mm512_set1_epi32(*(const int32_t *)(p))

INLINE void block_int8(const Matrix *w, int block, const Operand *x, int first, const int M,
                       __m512 *y) {
    const int U = M == 1 ? 4 : M < 8 ? 2 : 1; // chains enough to hide latency
    int inputs = padded(w->k, GROUP), stride = x->stride;
    const uint8_t *at = w->data + (size_t)block * LANES * inputs;
    const int8_t *high = x->high + (size_t)first * stride, *low = x->low + (size_t)first * stride;
    __m512i a[INT8_ROWS][4], b[INT8_ROWS][4];
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int u = 0; u < U; u++) {
        a[m][u] = u ? _mm512_setzero_si512() : _mm512_set1_epi32(-128 * x->high_sum[first + m]);
        b[m][u] = u ? _mm512_setzero_si512() : _mm512_set1_epi32(-128 * x->low_sum[first + m]);
    }
    for (int i = 0; i < inputs; i += 4 * U, at += 64 * U) {
        UNROLL for (int u = 0; u < U; u++) {
            __m512i v = _mm512_loadu_si512(at + 64 * u);
            if (M > 2 && first == 0) // the processor looks ahead no further than a small page
                _mm_prefetch((const char *)at + 64 * u + AHEAD, _MM_HINT_T0);
            UNROLL for (int m = 0; m < M; m++) {
                const size_t place = (size_t)m * stride + i + 4 * u;
                a[m][u] = _mm512_dpbusd_epi32(a[m][u], v, DWORD(high + place));
                b[m][u] = _mm512_dpbusd_epi32(b[m][u], v, DWORD(low + place));
            }
        }
    }
    __m512 scales = _mm512_loadu_ps((const float *)w->scales + block * LANES);
    UNROLL for (int m = 0; m < M; m++) {
        UNROLL for (int u = 1; u < U; u++) {
            a[m][0] = _mm512_add_epi32(a[m][0], a[m][u]);
            b[m][0] = _mm512_add_epi32(b[m][0], b[m][u]);
        }
        __m512 sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(a[m][0]), _mm512_set1_ps(256.0f),
                                     _mm512_cvtepi32_ps(b[m][0]));
        y[m] = _mm512_mul_ps(sum, _mm512_mul_ps(scales, _mm512_set1_ps(x->scale[first + m])));
    }
}

INLINE void block_int4(const Matrix *w, int block, const Operand *x, int first, const int M,
                       __m512 *y) {
    int groups = padded(w->k, GROUP) / GROUP, stride = x->stride;
    const uint8_t *at = w->data + (size_t)block * groups * (LANES * GROUP / 2);
    const uint16_t *scales = (const uint16_t *)w->scales + (size_t)block * groups * LANES;
    const int8_t *high = x->high + (size_t)first * stride, *low = x->low + (size_t)first * stride;
    const int32_t *sums = x->group_sum + (size_t)first * (stride / GROUP);
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512 total[INT4_ROWS];
    UNROLL for (int m = 0; m < M; m++) total[m] = _mm512_setzero_ps();
    for (int g = 0; g < groups; g++, at += LANES * GROUP / 2) {
        __m512i a[INT4_ROWS], b[INT4_ROWS];
        UNROLL for (int m = 0; m < M; m++) {
            a[m] = _mm512_setzero_si512();
            b[m] = _mm512_set1_epi32(-8 * sums[m * (stride / GROUP) + g]);
        }
        UNROLL for (int l = 0; l < 4; l++) {
            __m512i v = _mm512_loadu_si512(at + 64 * l);
            __m512i even = _mm512_and_si512(v, nibble);
            __m512i odd = _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble);
            UNROLL for (int m = 0; m < M; m++) {
                const size_t place = (size_t)m * stride + g * GROUP + 8 * l;
                a[m] = _mm512_dpbusd_epi32(a[m], even, DWORD(high + place));
                b[m] = _mm512_dpbusd_epi32(b[m], even, DWORD(low + place));
                a[m] = _mm512_dpbusd_epi32(a[m], odd, DWORD(high + place + 4));
                b[m] = _mm512_dpbusd_epi32(b[m], odd, DWORD(low + place + 4));
            }
        }
        __m512 scale = from_bf16(_mm256_loadu_si256((const __m256i *)(scales + g * LANES)));
        UNROLL for (int m = 0; m < M; m++) {
            __m512 sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(a[m]), _mm512_set1_ps(256.0f),
                                         _mm512_cvtepi32_ps(b[m]));
            total[m] = _mm512_fmadd_ps(sum, scale, total[m]);
        }
    }
    UNROLL for (int m = 0; m < M; m++)
        y[m] = _mm512_mul_ps(total[m], _mm512_set1_ps(x->scale[first + m]));
}

INLINE void block_bf16(const Matrix *w, int block, const Operand *x, int first, const int M,
                       __m512 *y) {
    int inputs = padded(w->k, GROUP), stride = x->stride;
    const uint8_t *at = w->data + (size_t)block * LANES * inputs * 2;
    const uint16_t *coarse = x->coarse + (size_t)first * stride;
    const uint16_t *fine = x->fine + (size_t)first * stride;
    __m512 a[BF16_ROWS][2], b[BF16_ROWS][2];
    UNROLL for (int m = 0; m < M; m++) UNROLL for (int u = 0; u < 2; u++)
        a[m][u] = b[m][u] = _mm512_setzero_ps();
    for (int i = 0; i < inputs; i += 4, at += 128) {
        UNROLL for (int u = 0; u < 2; u++) {
            __m512bh v = (__m512bh)_mm512_loadu_si512(at + 64 * u);
            UNROLL for (int m = 0; m < M; m++) {
                const size_t place = (size_t)m * stride + i + 2 * u;
                a[m][u] = _mm512_dpbf16_ps(a[m][u], v, (__m512bh)DWORD(coarse + place));
                b[m][u] = _mm512_dpbf16_ps(b[m][u], v, (__m512bh)DWORD(fine + place));
            }
        }
    }
    UNROLL for (int m = 0; m < M; m++)
        y[m] = _mm512_add_ps(_mm512_add_ps(a[m][0], a[m][1]), _mm512_add_ps(b[m][0], b[m][1]));
}

INLINE void block_of(const Matrix *w, int block, const Operand *x, int first, const int M,
                     const int format, __m512 *y) {
    if (format == INT8)
        block_int8(w, block, x, first, M, y);
    else if (format == INT4)
        block_int4(w, block, x, first, M, y);
    else
        block_bf16(w, block, x, first, M, y);
}

// Rows first..first + M of blocks that lie in cache from the rows before.
INLINE void tile(const Matrix *w, const Operand *x, int first, const int M, const int format,
                 int block, float *out, int stride, int mode) {
    __m512 y[8], up[8];
    UNROLL for (int m = 0; m < M; m++) up[m] = _mm512_setzero_ps();
    block_of(w, block, x, first, M, format, y);
    if (mode == SWIGLU) {
        block_of(w, block + 1, x, first, M, format, up);
        block /= 2;
    }
    int outputs = mode == SWIGLU ? w->n / 2 : w->n, left = outputs - block * LANES;
    __mmask16 live = left >= LANES ? 0xffff : (__mmask16)((1u << left) - 1);
    UNROLL for (int m = 0; m < M; m++) {
        float *to = out + (size_t)(first + m) * stride + block * LANES;
        if (mode == SWIGLU)
            y[m] = _mm512_mul_ps(silu16(y[m]), up[m]);
        else if (mode == ADD)
            y[m] = _mm512_add_ps(y[m], _mm512_maskz_loadu_ps(live, to));
        _mm512_mask_storeu_ps(to, live, y[m]);
    }
}

INLINE void apply(const Matrix *w, const Operand *x, int rows, int start, int end, float *out,
                  int stride, int mode, const int format) {
    const int most = format == BF16 ? BF16_ROWS : INT8_ROWS;
    int step = mode == SWIGLU ? 2 : 1;
    for (int block = start; block < end; block += step) {
        int first = 0;
        if (most == 8)
            for (; rows - first >= 8; first += 8)
                tile(w, x, first, most, format, block, out, stride, mode);
        for (; rows - first >= 4; first += 4)
            tile(w, x, first, 4, format, block, out, stride, mode);
        for (; rows - first >= 2; first += 2)
            tile(w, x, first, 2, format, block, out, stride, mode);
        if (rows > first)
            tile(w, x, first, 1, format, block, out, stride, mode);
    }
}

AVX512 void matrix_apply(const Matrix *w, const Operand *x, int rows, int start, int end,
                         float *out, int stride, int mode) {
    if (w->format == INT8)
        apply(w, x, rows, start, end, out, stride, mode, INT8);
    else if (w->format == INT4)
        apply(w, x, rows, start, end, out, stride, mode, INT4);
    else
        apply(w, x, rows, start, end, out, stride, mode, BF16);
}

typedef struct {
    Pool *pool;
    const Matrix *w;
    const float *x;
    float *y;
    int rows;
    Operand operand;
} Multiply;

static void multiply_task(void *job, int thread, int threads) {
    Multiply *j = job;
    int start, end;
    share(j->rows, thread, threads, &start, &end);
    for (int m = start; m < end; m++)
        operand_fill(&j->operand, m, j->w, j->x + (size_t)m * j->w->k, NULL, 0);
    pool_barrier(j->pool);
    share(blocks_of(j->w), thread, threads, &start, &end);
    matrix_apply(j->w, &j->operand, j->rows, start, end, j->y, j->w->n, STORE);
}

int matrix_multiply(Pool *pool, int threads, const Matrix *w, const float *x, int rows, float *y) {
    Multiply job = {.pool = pool, .w = w, .x = x, .y = y, .rows = rows};
    void *memory = pool_memory(pool, 0, operand_bytes(rows, w->k));
    if (!memory)
        return -1;
    operand_place(&job.operand, rows, w->k, memory);
    pool_run(pool, threads, multiply_task, &job);
    return 0;
}
#endif
