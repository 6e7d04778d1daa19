// The kernel holds 8 rows x 48 outputs in 24 registers. Weights of 48 outputs stay in the second
// cache while all rows pass; the taps of a convolution are rows further down, never copied.
#include "conv.h"

#if defined(__x86_64__)
#include "activations.h"
#include <string.h>

typedef void Kernel(const uint16_t *in, size_t row, size_t tap, const Conv *conv,
                    const uint16_t *weight, float *tile);

INLINE __m512bh pair(const uint16_t *at) {
    int two;
    memcpy(&two, at, sizeof two);
    return (__m512bh)_mm512_set1_epi32(two);
}

INLINE void multiply(const int rows, const int vectors, const uint16_t *in, size_t row, size_t tap,
                     const Conv *conv, const uint16_t *weight, float *tile) {
    __m512 sum[TILE][PANEL / 16];
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int v = 0; v < vectors; v++)
            sum[m][v] = _mm512_setzero_ps();
    for (int t = 0; t < conv->taps; t++, in += tap)
        for (int k = 0; k < conv->in; k += 2, weight += 32 * vectors) {
            __m512bh w[PANEL / 16];
            UNROLL for (int v = 0; v < vectors; v++)
                w[v] = (__m512bh)_mm512_loadu_si512(weight + 32 * v);
            UNROLL for (int m = 0; m < rows; m++) {
                __m512bh x = pair(in + m * row + k);
                UNROLL for (int v = 0; v < vectors; v++)
                    sum[m][v] = _mm512_dpbf16_ps(sum[m][v], x, w[v]);
            }
        }
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int v = 0; v < vectors; v++)
            _mm512_store_ps(tile + PANEL * m + 16 * v, sum[m][v]);
}

#define KERNEL(M, V)                                                                              \
    AVX512 static void kernel_##M##_##V(const uint16_t *in, size_t row, size_t tap,               \
                                        const Conv *conv, const uint16_t *weight, float *tile) {  \
        multiply(M, V, in, row, tap, conv, weight, tile);                                         \
    }
#define KERNELS(V)                                                                                \
    KERNEL(1, V) KERNEL(2, V) KERNEL(3, V) KERNEL(4, V)                                           \
    KERNEL(5, V) KERNEL(6, V) KERNEL(7, V) KERNEL(8, V)
#define NAMES(V)                                                                                  \
    {kernel_1_##V, kernel_2_##V, kernel_3_##V, kernel_4_##V,                                      \
     kernel_5_##V, kernel_6_##V, kernel_7_##V, kernel_8_##V}
KERNELS(1) KERNELS(2) KERNELS(3)
static Kernel *const kernels[PANEL / 16][TILE] = {NAMES(1), NAMES(2), NAMES(3)};

// Where a tile's results go: addresses of its first row and output.
typedef struct {
    float *x, *wave;
    uint16_t *next;
} Target;

INLINE void finish(const Fate fate, const Product *p, Target to, int rows, int vectors, int first,
                   const float *tile) {
    const Conv *c = p->conv;
    const int adds = fate == ADD || fate == ADD_SNAKE || fate == LAST_SNAKE || fate == LAST ||
                     fate == WAVE_SNAKE;
    const int keeps = fate == STORE || fate == ADD || fate == STORE_SNAKE || fate == ADD_SNAKE;
    const int snakes = fate == SNAKE || fate == STORE_SNAKE || fate == ADD_SNAKE ||
                       fate == LAST_SNAKE || fate == WAVE_SNAKE;
    for (int v = 0; v < vectors; v++) {
        __m512 bias = _mm512_loadu_ps(c->bias + first + 16 * v), frequency = bias, magnitude = bias;
        if (snakes) {
            frequency = _mm512_loadu_ps(c->frequency + first + 16 * v);
            magnitude = _mm512_loadu_ps(c->magnitude + first + 16 * v);
        }
        for (int m = 0; m < rows; m++) {
            __m512 y = _mm512_add_ps(_mm512_load_ps(tile + PANEL * m + 16 * v), bias);
            float *x = to.x + m * p->x.row + 16 * v;
            if (adds)
                y = _mm512_add_ps(_mm512_loadu_ps(x), y);
            if (keeps)
                _mm512_storeu_ps(x, y);
            if (snakes)
                y = snake(y, frequency, magnitude);
            if (fate == GELU)
                y = gelu16(y);
            if (fate == WAVE_SNAKE)
                _mm512_storeu_ps(to.wave + m * p->wave.row + 16 * v, y);
            else if (fate != STORE && fate != ADD)
                store_bf16(to.next + m * p->next.row + 16 * v, y);
        }
    }
}

#define FATE(NAME)                                                                                \
    case NAME:                                                                                    \
        finish(NAME, p, to, rows, vectors, first, tile);                                          \
        break;

AVX512 static void tile_run(const Product *p, int panel, int segment, int t, int rows) {
    const Conv *c = p->conv;
    const int first = PANEL * panel, parts = p->split ? 2 : 1;
    const int vectors = c->out - first < PANEL ? (c->out - first) / 16 : PANEL / 16;
    const uint16_t *weight = c->weight + (size_t)first * c->taps * c->in;
    const uint16_t *in = p->in.at + segment * p->in.segment + (size_t)t * parts * p->in.row;
    _Alignas(64) float tile[TILE * PANEL];
    size_t tap = (size_t)c->dilation * parts * p->in.row;
    kernels[vectors - 1][rows * parts - 1](in, p->in.row, tap, c, weight, tile);
    for (int i = 0; p->split && i < rows * PANEL; i += 16) {
        const float *high = tile + i / PANEL * 2 * PANEL + i % PANEL;
        __m512 sum = _mm512_add_ps(_mm512_load_ps(high), _mm512_load_ps(high + PANEL));
        _mm512_store_ps(tile + i, sum);
    }
    Target to = {0};
    if (p->x.at)
        to.x = p->x.at + segment * p->x.segment + t * p->x.row + first;
    if (p->wave.at)
        to.wave = p->wave.at + segment * p->wave.segment + t * p->wave.row + first;
    if (p->next.at)
        to.next = p->next.at + segment * p->next.segment + t * p->next.row + first;
    switch (p->fate) {
        FATE(STORE)
        FATE(ADD)
        FATE(GELU)
        FATE(SNAKE)
        FATE(STORE_SNAKE)
        FATE(ADD_SNAKE)
        FATE(LAST_SNAKE)
        FATE(LAST)
        FATE(WAVE_SNAKE)
    }
}

void conv_run(const Product *p, Team team) {
    const int most = p->split ? TILE / 2 : TILE, tiles = (p->rows + most - 1) / most;
    const int panels = (p->conv->out + PANEL - 1) / PANEL;
    int start = 0, end = panels, from = 0, to = tiles * p->segments;
    // Half the weights each where that comes out even, else half the rows.
    if (panels % team.threads == 0 || panels > 8 * team.threads || to < 2 * team.threads)
        share(panels, team.thread, team.threads, &start, &end);
    else
        share(tiles * p->segments, team.thread, team.threads, &from, &to);
    for (int panel = start; panel < end; panel++)
        for (int i = from; i < to; i++) {
            int t = i % tiles * most, left = p->rows - t;
            tile_run(p, panel, i / tiles, t, left < most ? left : most);
        }
}
#endif
