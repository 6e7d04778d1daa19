// Causal convolutions as matrix products: bfloat16 in, float32 sums. Rows are time steps.
#pragma once
#include "pool.h"

#define PANEL 48 // outputs whose weights lie together
#define TILE 8   // rows multiplied at once

typedef struct {
    Pool *pool;
    int thread, threads;
} Team;

// A convolution of `taps` (1: a linear layer); channels are padded with zeros to multiples of 16.
// An upsampling by r has r times as many outputs: the rows it makes lie one after the other.
typedef struct {
    const uint16_t *weight; // panels of [taps * in / 2][outputs of the panel][2], bfloat16
    const float *bias;      // [out]
    const float *frequency; // [out] of the SnakeBeta that follows: alpha / pi
    const float *magnitude; // [out] 1 / beta
    int32_t in, out, taps, dilation;
} Conv;

// `segments` runs of rows; steps between rows and between segments are in elements.
typedef struct {
    uint16_t *at;
    size_t row, segment;
} Narrow;

typedef struct {
    float *at;
    size_t row, segment;
} Wide;

// What becomes of a sum y, bias included.
typedef enum {
    STORE,       // x = y
    ADD,         // x = x + y
    GELU,        // next = gelu(y)
    SNAKE,       // next = snake(y)
    STORE_SNAKE, // x = y,     next = snake(x)
    ADD_SNAKE,   // x = x + y, next = snake(x)
    LAST_SNAKE,  // next = snake(x + y); x is no longer needed
    LAST,        // next = x + y
    WAVE_SNAKE,  // wave = snake(x + y), in float32
} Fate;

typedef struct {
    const Conv *conv;
    Narrow in;    // the first remembered row; row t reads rows t, t + dilation, ...
    int rows;     // new rows of a segment
    int segments; // streams side by side
    int split;    // 1: each row of `in` is two, high and low part
    Fate fate;
    Wide x;
    Narrow next;
    Wide wave;
} Product;

// The team's share of a product, for every thread of it; a barrier must follow. Every sum is made
// in one order, whatever the number of rows, segments and threads.
void conv_run(const Product *product, Team team);
