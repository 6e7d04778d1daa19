// Transformer blocks over a few positions, memory of earlier ones included.
#pragma once
#include "matrix.h"

typedef struct {
    Matrix qkv, o, gate_up, down; // gate_up: blocks of 16 outputs alternate gate, up
    const float *attn_norm, *q_norm, *k_norm, *mlp_norm;
} Block;

typedef struct {
    int32_t layers, width, heads, groups, head_dim, inner;
    float eps;
    const float *norm;
    const Block *blocks;
} Stack;

// Keys and values [layer][row][group][position][head_dim]; steps count elements.
typedef struct {
    void *keys, *values;
    int64_t layer_step, row_step, group_step, position_step;
    int32_t is_bf16;
} Cache;

typedef struct {
    int32_t count, longest;     // tokens, and a bound of their positions + 1
    const int32_t *row;         // [count]
    const int64_t *position;    // [count]; tokens of a row stand in order
    const float *cosines, *sines; // [positions][head_dim]
} Tokens;

// Bytes of working memory that `stack_forward` needs for each thread together.
size_t stack_bytes(const Stack *stack, int tokens, int longest, int threads);

// Inside a task: x [count][width] -> hidden [count][width], the final norm included; every thread of
// the run calls it. `memory` holds stack_bytes and is shared; x is changed.
void stack_forward(Pool *pool, int thread, int threads, const Stack *stack, const Cache *cache,
                   const Tokens *tokens, float *x, float *hidden, uint8_t *memory);

// The same, by a pool. 0, or -1 where memory ran out.
EXPORT int stack_run(Pool *pool, int threads, const Stack *stack, const Cache *cache,
                     const Tokens *tokens, float *x, float *hidden);
