#if defined(__x86_64__)
#include "stack.h"
#include "vector.h"

#include <math.h>
#include <string.h>

typedef struct {
    float *qkv, *attended, *inner, *scores; // scores: of this thread
    Operand shared, own;                    // of all tokens; of one, for this thread alone
} Work;

static size_t line(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static int widest(const Stack *s) {
    int most = s->width;
    if (s->heads * s->head_dim > most)
        most = s->heads * s->head_dim;
    return s->inner > most ? s->inner : most;
}

static int qkv_width(const Stack *s) { return (s->heads + 2 * s->groups) * s->head_dim; }

size_t stack_bytes(const Stack *s, int tokens, int longest, int threads) {
    size_t floats = (size_t)tokens * (size_t)(qkv_width(s) + s->heads * s->head_dim + s->inner);
    size_t own = line(operand_bytes(1, widest(s))) + line(((size_t)longest + 16) * 4);
    return line(floats * 4) + 256 + line(operand_bytes(tokens, widest(s))) + (size_t)threads * own;
}

static Work place(const Stack *s, int tokens, int longest, int thread, uint8_t *memory) {
    Work work;
    work.qkv = (float *)memory;
    memory += line((size_t)tokens * (size_t)qkv_width(s) * 4);
    work.attended = (float *)memory;
    memory += line((size_t)tokens * (size_t)(s->heads * s->head_dim) * 4);
    work.inner = (float *)memory;
    memory += line((size_t)tokens * (size_t)s->inner * 4);
    operand_place(&work.shared, tokens, widest(s), memory);
    memory += line(operand_bytes(tokens, widest(s)));
    size_t own = line(operand_bytes(1, widest(s)));
    memory += (size_t)thread * (own + line(((size_t)longest + 16) * 4));
    operand_place(&work.own, 1, widest(s), memory);
    work.scores = (float *)(memory + own);
    return work;
}

// All rows of x [count][w->k] as an operand. One row is made by every thread for itself, which is
// faster than waiting for another.
static const Operand *operand_of(Pool *pool, int thread, int threads, Work *work, int count,
                                 const Matrix *w, const float *x, const float *norm, float eps) {
    if (count == 1) {
        operand_fill(&work->own, 0, w, x, norm, eps);
        return &work->own;
    }
    int start, end;
    share(count, thread, threads, &start, &end);
    for (int m = start; m < end; m++)
        operand_fill(&work->shared, m, w, x + (size_t)m * w->k, norm, eps);
    pool_barrier(pool);
    return &work->shared;
}

static void product(int thread, int threads, const Matrix *w, const Operand *x, int rows,
                    float *out, int stride, int mode) {
    int start, end, step = mode == SWIGLU ? 2 : 1;
    share(blocks_of(w) / step, thread, threads, &start, &end);
    matrix_apply(w, x, rows, start * step, end * step, out, stride, mode);
}

// Which of sixteen lanes hold something, `left` before the end.
INLINE __mmask16 lanes(int left) { return left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1); }

// One head: root mean square norm, then rotation of its two halves against each other.
AVX512 static void norm_and_rotate(float *x, int width, const float *weight, float eps,
                                   const float *cosines, const float *sines) {
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < width; i += 16) {
        __m512 v = _mm512_maskz_loadu_ps(lanes(width - i), x + i);
        sum = _mm512_fmadd_ps(v, v, sum);
    }
    float mean = _mm512_reduce_add_ps(sum) / (float)width + eps;
    __m512 factor = _mm512_set1_ps(1.0f / sqrtf(mean));
    int half = width / 2;
    for (int i = 0; i < half; i += 16) {
        __mmask16 live = lanes(half - i);
        __m512 a = _mm512_maskz_loadu_ps(live, x + i);
        __m512 b = _mm512_maskz_loadu_ps(live, x + half + i);
        a = _mm512_mul_ps(_mm512_maskz_loadu_ps(live, weight + i), _mm512_mul_ps(a, factor));
        b = _mm512_mul_ps(_mm512_maskz_loadu_ps(live, weight + half + i), _mm512_mul_ps(b, factor));
        __m512 c = _mm512_maskz_loadu_ps(live, cosines + i);
        __m512 s = _mm512_maskz_loadu_ps(live, sines + i);
        _mm512_mask_storeu_ps(x + i, live, _mm512_fnmadd_ps(b, s, _mm512_mul_ps(a, c)));
        _mm512_mask_storeu_ps(x + half + i, live, _mm512_fmadd_ps(a, s, _mm512_mul_ps(b, c)));
    }
}

INLINE __m512 remembered(const void *from, int64_t at, __mmask16 live, const int is_bf16) {
    if (is_bf16)
        return from_bf16(_mm256_maskz_loadu_epi16(live, (const uint16_t *)from + at));
    return _mm512_maskz_loadu_ps(live, (const float *)from + at);
}

AVX512 static void remember(void *to, int64_t at, const float *x, int width, int is_bf16) {
    for (int i = 0; i < width; i += 16) {
        __mmask16 live = lanes(width - i);
        __m512 v = _mm512_maskz_loadu_ps(live, x + i);
        if (is_bf16)
            _mm256_mask_storeu_epi16((uint16_t *)to + at + i, live, to_bf16(v));
        else
            _mm512_mask_storeu_ps((float *)to + at + i, live, v);
    }
}

typedef struct {
    const void *keys, *values;
    int64_t at, step; // of the first position, and from one to the next
    int count, width;
    float *scores; // [count], and some
} Seen;

// softmax(q K / sqrt(width)) V of one head. PARTS: sixteens that a head fills, the last perhaps
// not wholly.
INLINE void attend(const float *q, const Seen *seen, float *out, const int PARTS,
                   const int is_bf16) {
    __m512 query[8], sum[8];
    __mmask16 live[8];
    int count = seen->count;
    float *scores = seen->scores;
    __m512 scale = _mm512_set1_ps(1.0f / sqrtf((float)seen->width));
    UNROLL for (int p = 0; p < PARTS; p++) {
        live[p] = p + 1 < PARTS ? 0xffff : lanes(seen->width - 16 * p);
        query[p] = _mm512_mul_ps(_mm512_maskz_loadu_ps(live[p], q + 16 * p), scale);
        sum[p] = _mm512_setzero_ps();
    }
    float most = -INFINITY;
    for (int s = 0; s < count; s++) {
        int64_t at = seen->at + s * seen->step;
        __m512 dot = _mm512_setzero_ps();
        UNROLL for (int p = 0; p < PARTS; p++)
            dot = _mm512_fmadd_ps(query[p], remembered(seen->keys, at + 16 * p, live[p], is_bf16),
                                  dot);
        scores[s] = _mm512_reduce_add_ps(dot);
        most = scores[s] > most ? scores[s] : most;
    }
    __m512 total = _mm512_setzero_ps();
    for (int s = 0; s < count; s += 16) {
        __mmask16 here = lanes(count - s);
        __m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(here, scores + s), _mm512_set1_ps(most));
        v = _mm512_maskz_mov_ps(here, exp16(v));
        total = _mm512_add_ps(total, v);
        _mm512_mask_storeu_ps(scores + s, here, v);
    }
    for (int s = 0; s < count; s++) {
        int64_t at = seen->at + s * seen->step;
        __m512 weight = _mm512_set1_ps(scores[s]);
        UNROLL for (int p = 0; p < PARTS; p++)
            sum[p] = _mm512_fmadd_ps(
                weight, remembered(seen->values, at + 16 * p, live[p], is_bf16), sum[p]);
    }
    __m512 inverse = _mm512_set1_ps(1.0f / _mm512_reduce_add_ps(total));
    UNROLL for (int p = 0; p < PARTS; p++)
        _mm512_mask_storeu_ps(out + 16 * p, live[p], _mm512_mul_ps(sum[p], inverse));
}

typedef void (*Attend)(const float *q, const Seen *seen, float *out, int is_bf16);

#define ATTEND(parts)                                                                              \
    AVX512 static void attend_##parts(const float *q, const Seen *seen, float *out, int is_bf16) { \
        if (is_bf16)                                                                               \
            attend(q, seen, out, parts, 1);                                                        \
        else                                                                                       \
            attend(q, seen, out, parts, 0);                                                        \
    }
ATTEND(1)
ATTEND(2)
ATTEND(3)
ATTEND(4)
ATTEND(5)
ATTEND(6)
ATTEND(7)
ATTEND(8)
static const Attend ATTENDS[] = {attend_1, attend_2, attend_3, attend_4,
                                 attend_5, attend_6, attend_7, attend_8};

// A thread takes whole groups of heads, so nobody waits between keeping keys and reading them.
static void attention(int thread, int threads, const Stack *s, const Block *b, int layer,
                      const Cache *cache, const Tokens *tokens, Work *work) {
    int E = s->head_dim, each = s->heads / s->groups, width = qkv_width(s), start, end;
    Attend attend_head = ATTENDS[(E + 15) / 16 - 1];
    share(s->groups, thread, threads, &start, &end);
    for (int group = start; group < end; group++) {
        int64_t at = layer * cache->layer_step + group * cache->group_step;
        for (int t = 0; t < tokens->count; t++) {
            float *key = work->qkv + (size_t)t * width + (s->heads + group) * E;
            const float *value = key + s->groups * E;
            int64_t position = tokens->position[t];
            int64_t to = at + tokens->row[t] * cache->row_step + position * cache->position_step;
            norm_and_rotate(key, E, b->k_norm, s->eps, tokens->cosines + position * E,
                            tokens->sines + position * E);
            remember(cache->keys, to, key, E, cache->is_bf16);
            remember(cache->values, to, value, E, cache->is_bf16);
        }
        for (int t = 0; t < tokens->count; t++) {
            int64_t position = tokens->position[t];
            Seen seen = {cache->keys,
                         cache->values,
                         at + tokens->row[t] * cache->row_step,
                         cache->position_step,
                         (int)position + 1,
                         E,
                         work->scores};
            for (int head = group * each; head < (group + 1) * each; head++) {
                float *query = work->qkv + (size_t)t * width + head * E;
                norm_and_rotate(query, E, b->q_norm, s->eps, tokens->cosines + position * E,
                                tokens->sines + position * E);
                attend_head(query, &seen, work->attended + (size_t)t * s->heads * E + head * E,
                            cache->is_bf16);
            }
        }
    }
}

AVX512 static void norm_row(const float *x, const float *weight, int width, float eps,
                            float *out) {
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < width; i += 16) {
        __m512 v = _mm512_loadu_ps(x + i);
        sum = _mm512_fmadd_ps(v, v, sum);
    }
    float mean = _mm512_reduce_add_ps(sum) / (float)width + eps;
    __m512 factor = _mm512_set1_ps(1.0f / sqrtf(mean));
    for (int i = 0; i < width; i += 16)
        _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_loadu_ps(weight + i),
                                                _mm512_mul_ps(_mm512_loadu_ps(x + i), factor)));
}

void stack_forward(Pool *pool, int thread, int threads, const Stack *s, const Cache *cache,
                   const Tokens *tokens, float *x, float *hidden, uint8_t *memory) {
    int count = tokens->count, start, end;
    Work work = place(s, count, tokens->longest, thread, memory);
    for (int layer = 0; layer < s->layers; layer++) {
        const Block *b = s->blocks + layer;
        const Operand *given =
            operand_of(pool, thread, threads, &work, count, &b->qkv, x, b->attn_norm, s->eps);
        product(thread, threads, &b->qkv, given, count, work.qkv, qkv_width(s), STORE);
        pool_barrier(pool);
        attention(thread, threads, s, b, layer, cache, tokens, &work);
        pool_barrier(pool);
        given = operand_of(pool, thread, threads, &work, count, &b->o, work.attended, NULL, 0);
        product(thread, threads, &b->o, given, count, x, s->width, ADD);
        pool_barrier(pool);
        given = operand_of(pool, thread, threads, &work, count, &b->gate_up, x, b->mlp_norm, s->eps);
        product(thread, threads, &b->gate_up, given, count, work.inner, s->inner, SWIGLU);
        pool_barrier(pool);
        given = operand_of(pool, thread, threads, &work, count, &b->down, work.inner, NULL, 0);
        product(thread, threads, &b->down, given, count, x, s->width, ADD);
        pool_barrier(pool);
    }
    share(count, thread, threads, &start, &end);
    for (int t = start; t < end; t++)
        norm_row(x + (size_t)t * s->width, s->norm, s->width, s->eps, hidden + (size_t)t * s->width);
    pool_barrier(pool);
}

typedef struct {
    Pool *pool;
    const Stack *stack;
    const Cache *cache;
    const Tokens *tokens;
    float *x, *hidden;
    uint8_t *memory;
} Run;

static void run_task(void *job, int thread, int threads) {
    Run *run = job;
    stack_forward(run->pool, thread, threads, run->stack, run->cache, run->tokens, run->x,
                  run->hidden, run->memory);
}

int stack_run(Pool *pool, int threads, const Stack *stack, const Cache *cache,
              const Tokens *tokens, float *x, float *hidden) {
    Run run = {pool, stack, cache, tokens, x, hidden, NULL};
    run.memory = pool_memory(pool, 0, stack_bytes(stack, tokens->count, tokens->longest, threads));
    if (!run.memory)
        return -1;
    pool_run(pool, threads, run_task, &run);
    return 0;
}
#else
typedef int nothing_here;
#endif
