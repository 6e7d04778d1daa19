#if defined(__x86_64__)
#include "frame.h"
#include "vector.h"

#include <string.h>

INLINE __m512 entry(const Table *table, int64_t at) {
    if (table->is_bf16)
        return from_bf16(_mm256_loadu_si256((const __m256i *)((const uint16_t *)table->data + at)));
    return _mm512_loadu_ps((const float *)table->data + at);
}

AVX512 static void look_up(const Table *table, int64_t code, float *out) {
    for (int i = 0; i < table->width; i += 16)
        _mm512_storeu_ps(out + i, entry(table, code * table->width + i));
}

AVX512 void tables_add(const Table *tables, int count, const int64_t *codes, int rows, float *out) {
    int width = tables[0].width;
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < width; i += 16) {
            float *to = out + (size_t)row * width + i;
            __m512 sum = _mm512_setzero_ps();
            for (int t = 0; t < count; t++) {
                int64_t code = codes[(size_t)row * count + t];
                if (code >= 0)
                    sum = _mm512_add_ps(sum, entry(tables + t, code * width + i));
            }
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), sum));
        }
}

typedef struct {
    Pool *pool;
    const Predictor *predictor;
    const Cache *cache;
    const float *cosines, *sines, *hidden, *first, *noise;
    const DrawOptions *options;
    int64_t noise_step, *codes;
    int rows;
    int32_t *row;
    int64_t *position;
    float *x, *y, *logits, *room;
    int *order;
    Operand operand;
    uint8_t *memory;
} Frame;

static size_t line(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static uint8_t *take(uint8_t **at, size_t bytes) {
    uint8_t *taken = *at;
    *at += line(bytes);
    return taken;
}

// x [2 rows][stack's width] of the first pass: hidden, then the embedding of code 0
static void begin(Frame *f, int thread, int threads) {
    const Predictor *p = f->predictor;
    int D = p->projection ? p->projection->k : p->stack.width, count = 2 * f->rows, start, end;
    share(count, thread, threads, &start, &end);
    for (int t = start; t < end; t++) {
        const float *from = (t % 2 ? f->first : f->hidden) + (size_t)(t / 2) * D;
        if (p->projection)
            operand_fill(&f->operand, t, p->projection, from, NULL, 0);
        else
            memcpy(f->x + (size_t)t * D, from, (size_t)D * 4);
    }
    pool_barrier(f->pool);
    if (!p->projection)
        return;
    share(blocks_of(p->projection), thread, threads, &start, &end);
    matrix_apply(p->projection, &f->operand, count, start, end, f->x, p->stack.width, STORE);
    pool_barrier(f->pool);
    share(count, thread, threads, &start, &end);
    for (int t = start; t < end; t++)
        for (int i = 0; i < p->stack.width; i++)
            f->x[(size_t)t * p->stack.width + i] += p->bias[i];
    pool_barrier(f->pool);
}

static void fill_task(void *job, int thread, int threads) {
    Frame *f = job;
    const Predictor *p = f->predictor;
    const Stack *s = &p->stack;
    int rows = f->rows, K = p->groups, start, end;
    begin(f, thread, threads);
    for (int group = 1; group < K; group++) {
        int each = group == 1 ? 2 : 1; // tokens of a row: the first pass reads two
        const int32_t *row = f->row + (group == 1 ? 0 : 2 * rows);
        const int64_t *position = f->position + (group == 1 ? 0 : 2 * rows + (group - 2) * rows);
        Tokens tokens = {each * rows, K + 1, row, position, f->cosines, f->sines};
        stack_forward(f->pool, thread, threads, s, f->cache, &tokens, f->x, f->y, f->memory);
        const Matrix *head = p->heads + group - 1;
        share(rows, thread, threads, &start, &end);
        for (int r = start; r < end; r++)
            operand_fill(&f->operand, r, head, f->y + (size_t)(each * r + each - 1) * s->width,
                         NULL, 0);
        pool_barrier(f->pool);
        share(blocks_of(head), thread, threads, &start, &end);
        matrix_apply(head, &f->operand, rows, start, end, f->logits, head->n, STORE);
        pool_barrier(f->pool);
        share(rows, thread, threads, &start, &end);
        for (int r = start; r < end; r++) {
            int code = draw(f->logits + (size_t)r * head->n, head->n, f->options, r,
                            f->noise + r * f->noise_step + (size_t)(group - 1) * head->n,
                            f->room + (size_t)thread * head->n,
                            f->order + (size_t)thread * 2 * head->n);
            f->codes[(size_t)r * K + group] = code;
            if (group + 1 < K)
                look_up(p->embeddings + group - 1, code, f->x + (size_t)r * s->width);
        }
        pool_barrier(f->pool);
    }
}

int frame_fill(Pool *pool, int threads, const Predictor *predictor, const Cache *cache,
               const float *cosines, const float *sines, int rows, const float *hidden,
               const float *first, const float *noise, int64_t noise_step,
               const DrawOptions *options, int64_t *codes) {
    const Stack *s = &predictor->stack;
    int K = predictor->groups, tokens = 2 * rows, size = predictor->codes;
    int D = predictor->projection ? predictor->projection->k : s->width;
    int widest = D > s->width ? D : s->width, all = tokens + (K - 2) * rows;
    size_t work = stack_bytes(s, tokens, K + 1, threads), wide = (size_t)(tokens * s->width) * 4;
    size_t bytes = line((size_t)all * 8) + line((size_t)(tokens + rows) * 4) + 2 * line(wide) +
                   line((size_t)(rows * size) * 4) + line((size_t)(threads * size) * 4) +
                   line((size_t)(threads * 2 * size) * 4) + line(operand_bytes(tokens, widest)) +
                   line(work);
    uint8_t *at = pool_memory(pool, 0, bytes);
    if (!at)
        return -1;
    Frame f = {.pool = pool, .predictor = predictor, .cache = cache, .cosines = cosines,
               .sines = sines, .hidden = hidden, .first = first, .noise = noise,
               .options = options, .noise_step = noise_step, .codes = codes, .rows = rows};
    f.position = (int64_t *)take(&at, (size_t)all * 8);
    f.row = (int32_t *)take(&at, (size_t)(tokens + rows) * 4);
    f.x = (float *)take(&at, wide);
    f.y = (float *)take(&at, wide);
    f.logits = (float *)take(&at, (size_t)(rows * size) * 4);
    f.room = (float *)take(&at, (size_t)(threads * size) * 4);
    f.order = (int *)take(&at, (size_t)(threads * 2 * size) * 4);
    operand_place(&f.operand, tokens, widest, take(&at, operand_bytes(tokens, widest)));
    f.memory = at;
    for (int r = 0; r < rows; r++) {
        f.row[2 * r] = f.row[2 * r + 1] = f.row[tokens + r] = r;
        f.position[2 * r] = 0;
        f.position[2 * r + 1] = 1;
        for (int group = 2; group < K; group++)
            f.position[tokens + (group - 2) * rows + r] = group;
    }
    pool_run(pool, threads, fill_task, &f);
    return 0;
}
#else
typedef int nothing_here;
#endif
