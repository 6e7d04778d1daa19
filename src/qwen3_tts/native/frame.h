// The code predictor's whole frame, and the sum of embeddings a frame becomes.
#pragma once
#include "draw.h"
#include "stack.h"

// Rows of numbers, float32 or bfloat16.
typedef struct {
    const void *data;
    int32_t width, is_bf16;
} Table;

typedef struct {
    Stack stack;
    int32_t groups, codes;    // K code groups; entries of a table
    const Table *embeddings;  // [K - 1], of the stack's width: projected where the talker is wider
    const Matrix *heads;      // [K - 1]
    const Matrix *projection; // talker's width -> the stack's, or NULL where they are equal
    const float *bias;        // of the projection
} Predictor;

// Fill a frame: hidden and first [rows][talker width] (of the talker, and the embedding of code 0),
// noise [rows][K - 1][codes]. codes [rows][K]: entry 0 is given, the others are written. The cache
// has K + 1 positions. 0, or -1 where memory ran out.
EXPORT int frame_fill(Pool *pool, int threads, const Predictor *predictor, const Cache *cache,
                      const float *cosines, const float *sines, int rows, const float *hidden,
                      const float *first, const float *noise, int64_t noise_step,
                      const DrawOptions *options, int64_t *codes);

// out[row] += the sum over tables of entry codes[row][table]; negative codes stand for none.
EXPORT void tables_add(const Table *tables, int count, const int64_t *codes, int rows, float *out);
