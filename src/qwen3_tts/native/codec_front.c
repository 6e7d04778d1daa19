// From codes to latents: sums of codebook entries, then a transformer over a window of frames.
// What a product reads is split into two bfloat16, so that only weights are rounded here: these
// layers wait for memory, not for arithmetic.
#include "codec.h"

#if defined(__x86_64__)
#include "activations.h"
#include <string.h>

// Cosine and sine of an angle >= 0, by their series in -pi/4..pi/4.
AVX512 static void cosine_sine(double angle, float *cosine, float *sine) {
    int64_t quarter = (int64_t)(angle * 0.63661977236758134 + 0.5);
    double r = angle - (double)quarter * 1.5707963267948966 - (double)quarter * 6.1232339957e-17;
    double s = r * r, c = 1, d = 1;
    for (int n = 12; n > 0; n -= 2) {
        c = 1 - s * c / (n * (n - 1));
        d = 1 - s * d / (n * (n + 1));
    }
    d *= r;
    *cosine = (float)(quarter & 1 ? (quarter & 2 ? d : -d) : (quarter & 2 ? -c : c));
    *sine = (float)(quarter & 1 ? (quarter & 2 ? -c : c) : (quarter & 2 ? -d : d));
}

AVX512 static void split_row(const float *x, int width, float factor, uint16_t *split) {
    __m512 by = _mm512_set1_ps(factor);
    for (int i = 0; i < width; i += 16)
        store_split(split + i, split + width + i, _mm512_mul_ps(_mm512_loadu_ps(x + i), by));
}

AVX512 static void rotary_angles(const Work *w, int row, int64_t pos) {
    const Codec *c = w->codec;
    const int half = c->head / 2, rows = w->call->rows * w->frames;
    for (int i = 0; i < half; i++) {
        float angle = (float)pos * c->frequencies[i];
        float *cosine = w->cosines + (size_t)row * half + i;
        cosine_sine((double)angle, cosine, cosine + (size_t)rows * half);
    }
}

AVX512 static void sum_entries(const Work *w, int b, int t) {
    const Codec *c = w->codec;
    const CodecCall *call = w->call;
    const int S = c->front.in, past = c->front.taps - 1;
    const int64_t *code = call->codes + (size_t)b * c->codebooks * call->frames + w->first + t;
    size_t row = (size_t)b * (past + w->frames) + past + t;
    float *sum = w->sums + row * S;
    memset(sum, 0, (size_t)S * sizeof(float));
    for (int k = 0; k < c->codebooks; k++, code += call->frames) {
        const float *entry = c->entries + ((size_t)k * c->num_entries + (size_t)*code) * c->entry;
        float *branch = k ? sum + c->entry : sum; // semantic, then acoustic
        for (int i = 0; i < c->entry; i += 16) {
            __m512 more = _mm512_add_ps(_mm512_loadu_ps(branch + i), _mm512_loadu_ps(entry + i));
            _mm512_storeu_ps(branch + i, more);
        }
    }
    split_row(sum, S, 1.0f, w->sums_split + row * 2 * S);
}

static void recall_sums(const Work *w) {
    const int S = w->codec->front.in, past = w->codec->front.taps - 1;
    for (int b = 0; b < w->call->rows; b++)
        for (int t = 0; t < past; t++) {
            size_t row = (size_t)b * (past + w->frames) + t;
            const float *tail = (float *)w->call->tails[0] + ((size_t)b * past + t) * S;
            memcpy(w->sums + row * S, tail, (size_t)S * sizeof(float));
            split_row(tail, S, 1.0f, w->sums_split + row * 2 * S);
        }
}

static void remember_sums(const Work *w) {
    const size_t S = (size_t)w->codec->front.in, past = (size_t)w->codec->front.taps - 1;
    for (int b = 0; b < w->call->rows; b++) {
        size_t row = (size_t)b * (past + (size_t)w->frames) + (size_t)w->frames;
        memcpy((float *)w->call->tails[0] + (size_t)b * past * S, w->sums + row * S,
               past * S * sizeof(float));
    }
}

// Divide each row by its root mean square; norm weights are in the product that follows.
AVX512 static void norm(const Work *w, Team team) {
    const int D = w->codec->front.out;
    int start, end;
    share(w->call->rows * w->frames, team.thread, team.threads, &start, &end);
    for (int row = start; row < end; row++) {
        const float *x = w->hidden + (size_t)row * D;
        __m512 squares = _mm512_setzero_ps();
        for (int i = 0; i < D; i += 16) {
            __m512 v = _mm512_loadu_ps(x + i);
            squares = _mm512_fmadd_ps(v, v, squares);
        }
        float mean = _mm512_reduce_add_ps(squares) / (float)w->codec->width + w->codec->eps;
        float root = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(mean)));
        split_row(x, D, 1.0f / root, w->split + (size_t)row * 2 * D);
    }
}

AVX512 static void rotate(float *x, const float *cosines, const float *sines, int half) {
    for (int i = 0; i < half; i++) {
        float a = x[i], b = x[half + i];
        x[i] = a * cosines[i] - b * sines[i];
        x[half + i] = b * cosines[i] + a * sines[i];
    }
}

// One head of one frame: q . k over the window, oldest first, softmax, sum of v. Frames before
// this piece come from the ring, the others from `keys` and `values`, a row each.
AVX512 static void attend(const Codec *c, const float *q, const float *keys, const float *values,
                          size_t row, const float *ring_keys, const float *ring_values,
                          int64_t pos, int t, float *scores, float *y) {
    const int E = c->head_padded, ring = c->window - 1;
    int64_t oldest = pos + t - ring < 0 ? 0 : pos + t - ring;
    const int count = (int)(pos + t - oldest) + 1;
    __m512 most = _mm512_set1_ps(-__builtin_inff());
    for (int i = 0; i < count; i++) {
        int64_t p = oldest + i;
        const float *k = p < pos ? ring_keys + (p % ring) * E : keys + (size_t)(p - pos) * row;
        __m512 dot = _mm512_setzero_ps();
        for (int e = 0; e < E; e += 16)
            dot = _mm512_fmadd_ps(_mm512_loadu_ps(q + e), _mm512_loadu_ps(k + e), dot);
        scores[i] = _mm512_reduce_add_ps(dot);
        most = _mm512_max_ps(most, _mm512_set1_ps(scores[i]));
    }
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < count; i += 16) {
        __mmask16 in = (__mmask16)(count - i < 16 ? (1u << (count - i)) - 1 : 0xffff);
        __m512 e = exp16(_mm512_sub_ps(_mm512_maskz_loadu_ps(in, scores + i), most));
        _mm512_mask_storeu_ps(scores + i, in, e);
        sum = _mm512_add_ps(sum, _mm512_maskz_mov_ps(in, e));
    }
    const float whole = 1.0f / _mm512_reduce_add_ps(sum);
    for (int e = 0; e < E; e += 16) {
        __m512 total = _mm512_setzero_ps();
        for (int i = 0; i < count; i++) {
            int64_t p = oldest + i;
            const float *v =
                p < pos ? ring_values + (p % ring) * E : values + (size_t)(p - pos) * row;
            total = _mm512_fmadd_ps(_mm512_set1_ps(scores[i]), _mm512_loadu_ps(v + e), total);
        }
        _mm512_storeu_ps(y + e, _mm512_mul_ps(total, _mm512_set1_ps(whole)));
    }
}

// A head of a row: all its frames, then its new keys and values into the ring.
AVX512 static void attend_head(const Work *w, int layer, int b, int h, float *scores) {
    const Codec *c = w->codec;
    const CodecCall *call = w->call;
    const int E = c->head_padded, HE = c->heads * E, half = c->head / 2, T = w->frames;
    const int ring = c->window - 1;
    const size_t row = 3 * (size_t)HE, first = (size_t)b * T;
    const size_t place = layer * call->layer + ((size_t)b * c->heads + h) * ring * E;
    float *ring_keys = call->keys + place, *ring_values = call->values + place;
    float *q = w->inner + first * row + h * E, *keys = q + HE, *values = keys + HE;
    const int64_t pos = call->pos[b];
    for (int t = 0; t < T; t++) {
        const float *cosines = w->cosines + (first + t) * half;
        const float *sines = cosines + (size_t)call->rows * T * half;
        rotate(q + t * row, cosines, sines, half);
        rotate(keys + t * row, cosines, sines, half);
    }
    for (int t = 0; t < T; t++) {
        float *y = q + t * row; // in the place of its query
        attend(c, y, keys, values, row, ring_keys, ring_values, pos, t, scores, y);
        uint16_t *split = w->split + (first + t) * 2 * HE + h * E;
        for (int e = 0; e < E; e += 16)
            store_split(split + e, split + HE + e, _mm512_loadu_ps(y + e));
    }
    for (int t = T > ring ? T - ring : 0; t < T; t++) {
        size_t at = (size_t)((pos + t) % ring) * E;
        memcpy(ring_keys + at, keys + t * row, (size_t)E * sizeof(float));
        memcpy(ring_values + at, values + t * row, (size_t)E * sizeof(float));
    }
}

AVX512 static void attention(const Work *w, int layer, Team team) {
    int start, end;
    share(w->call->rows * w->codec->heads, team.thread, team.threads, &start, &end);
    for (int i = start; i < end; i++)
        attend_head(w, layer, i / w->codec->heads, i % w->codec->heads,
                    w->scratch + (size_t)team.thread * w->scratch_size);
}

// silu(gate) * up, gates in the first half of a row.
AVX512 static void gate(const Work *w, int inner, Team team) {
    int start, end;
    share(w->call->rows * w->frames, team.thread, team.threads, &start, &end);
    for (int row = start; row < end; row++) {
        const float *x = w->inner + (size_t)row * 2 * inner;
        uint16_t *split = w->split + (size_t)row * 2 * inner;
        for (int i = 0; i < inner; i += 16) {
            __m512 y = silu16(_mm512_loadu_ps(x + i));
            y = _mm512_mul_ps(y, _mm512_loadu_ps(x + inner + i));
            store_split(split + i, split + inner + i, y);
        }
    }
}

// A linear layer from `split`.
static void linear(const Work *w, const Conv *conv, Fate fate, float *x, Team team) {
    Product product = {
        .conv = conv,
        .in = {w->split, (size_t)conv->in, 0},
        .rows = w->call->rows * w->frames,
        .segments = 1,
        .split = 1,
        .fate = fate,
        .x = {x, (size_t)conv->out, 0},
    };
    conv_run(&product, team);
    pool_barrier(team.pool);
}

static void block(const Work *w, int layer, Team team) {
    const CodecBlock *b = w->codec->blocks + layer;
    norm(w, team);
    pool_barrier(team.pool);
    linear(w, &b->qkv, STORE, w->inner, team);
    attention(w, layer, team);
    pool_barrier(team.pool);
    linear(w, &b->out, ADD, w->hidden, team);
    norm(w, team);
    pool_barrier(team.pool);
    linear(w, &b->gate_up, STORE, w->inner, team);
    gate(w, b->down.in, team);
    pool_barrier(team.pool);
    linear(w, &b->down, ADD, w->hidden, team);
}

void codec_front(const Work *w, Team team) {
    const Codec *c = w->codec;
    const int B = w->call->rows, T = w->frames, past = c->front.taps - 1;
    const size_t S = (size_t)c->front.in, D = (size_t)c->front.out;
    int start, end;
    share(B * T, team.thread, team.threads, &start, &end);
    for (int i = start; i < end; i++) {
        sum_entries(w, i / T, i % T);
        rotary_angles(w, i, w->call->pos[i / T] + i % T);
    }
    if (team.thread == 0)
        recall_sums(w);
    pool_barrier(team.pool);
    if (team.thread == 0)
        remember_sums(w);
    Product product = {
        .conv = &c->front,
        .in = {w->sums_split, S, (size_t)(past + T) * 2 * S},
        .rows = T,
        .segments = B,
        .split = 1,
        .fate = STORE,
        .x = {w->hidden, D, (size_t)T * D},
    };
    conv_run(&product, team);
    pool_barrier(team.pool);
    for (int layer = 0; layer < c->num_blocks; layer++)
        block(w, layer, team);
    norm(w, team);
    pool_barrier(team.pool);
    if (team.thread == 0) // no one reads positions from here on
        for (int b = 0; b < B; b++)
            w->call->pos[b] += T;
}
#endif
