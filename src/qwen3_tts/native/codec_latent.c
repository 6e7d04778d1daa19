// Two upsamplings by 2, each followed by a ConvNeXt block: x + narrow(gelu(widen(norm(mix(x))))).
#include "codec.h"

#if defined(__x86_64__)
#include "activations.h"
#include <string.h>

// A step: each channel over its last 7 values, then a norm over channels, whose weights are in the
// product that follows.
AVX512 static void mix_row(const LatentStage *s, const float *const *in, float *y, uint16_t *out) {
    const int C = s->narrow.out, real = s->channels;
    __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (int i = 0; i < C; i += 16) {
        __m512 v = _mm512_loadu_ps(s->bias + i);
        for (int j = 0; j < TAPS; j++)
            v = _mm512_fmadd_ps(_mm512_loadu_ps(s->mix + j * C + i), _mm512_loadu_ps(in[j] + i), v);
        _mm512_storeu_ps(y + i, v);
        sum = _mm512_add_ps(sum, v); // padding is 0
    }
    __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)real);
    for (int i = 0; i < real; i += 16) {
        __mmask16 lanes = (__mmask16)(real - i < 16 ? (1u << (real - i)) - 1 : 0xffff);
        __m512 v = _mm512_maskz_sub_ps(lanes, _mm512_loadu_ps(y + i), mean);
        squares = _mm512_fmadd_ps(v, v, squares);
        _mm512_storeu_ps(y + i, v);
    }
    float variance = _mm512_reduce_add_ps(squares) / (float)real + 1e-6f;
    __m512 by = _mm512_set1_ps(1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(variance))));
    for (int i = 0; i < C; i += 16)
        store_bf16(out + i, _mm512_mul_ps(_mm512_loadu_ps(y + i), by));
}

static void mix(const Work *w, int stage, int steps, Team team) {
    const LatentStage *s = w->codec->latent + stage;
    const size_t C = (size_t)s->narrow.out;
    const float *tails = w->call->tails[1 + stage];
    float *scratch = w->scratch + (size_t)team.thread * w->scratch_size;
    int start, end;
    share(w->call->rows * steps, team.thread, team.threads, &start, &end);
    for (int i = start; i < end; i++) {
        const float *in[TAPS];
        for (int j = 0; j < TAPS; j++) {
            int back = TAPS - 1 - j, t = i % steps;
            in[j] = back <= t ? w->latent[stage] + (size_t)(i - back) * C
                              : tails + ((size_t)(i / steps) * (TAPS - 1) + j + t) * C;
        }
        mix_row(s, in, scratch, w->mixed + (size_t)i * C);
    }
}

static void remember(const Work *w, int stage, int steps) {
    const size_t C = (size_t)w->codec->latent[stage].narrow.out, past = TAPS - 1;
    for (int b = 0; b < w->call->rows; b++) {
        float *tail = (float *)w->call->tails[1 + stage] + (size_t)b * past * C;
        const float *x = w->latent[stage] + (size_t)b * steps * C;
        size_t kept = (size_t)steps < past ? past - (size_t)steps : 0;
        memmove(tail, tail + (past - kept) * C, kept * C * sizeof(float));
        size_t fresh = past - kept;
        memcpy(tail + kept * C, x + ((size_t)steps - fresh) * C, fresh * C * sizeof(float));
    }
}

static void latent_stage(const Work *w, int stage, int in_steps, Team team) {
    const Codec *c = w->codec;
    const LatentStage *s = c->latent + stage;
    const int B = w->call->rows, steps = in_steps * s->rate;
    const int is_last = stage + 1 == c->latent_stages;
    const size_t C = (size_t)s->narrow.out, wide = (size_t)s->widen.out, n = (size_t)steps;
    Product up = {
        .conv = &s->up,
        .in = {stage ? w->latent_in[stage] : w->split, (size_t)s->up.in, 0},
        .rows = B * in_steps,
        .segments = 1,
        .split = stage == 0,
        .fate = STORE,
        .x = {w->latent[stage], (size_t)s->up.out, 0},
    };
    conv_run(&up, team);
    pool_barrier(team.pool);
    mix(w, stage, steps, team);
    pool_barrier(team.pool);
    if (team.thread == 0)
        remember(w, stage, steps);
    Product widen = {
        .conv = &s->widen,
        .in = {w->mixed, C, 0},
        .rows = B * steps,
        .segments = 1,
        .fate = GELU,
        .next = {w->widened, wide, 0},
    };
    conv_run(&widen, team);
    pool_barrier(team.pool);
    Product narrow = {
        .conv = &s->narrow,
        .in = {w->widened, wide, n * wide},
        .rows = steps,
        .segments = B,
        .fate = LAST,
        .x = {w->latent[stage], C, n * C},
        .next = {is_last ? w->wave_in + remembered(&c->wave_in) : w->latent_in[stage + 1], C,
                 is_last ? w->wave_in_segment : n * C},
    };
    conv_run(&narrow, team);
    pool_barrier(team.pool);
}

void codec_latent(const Work *w, Team team) {
    int steps = w->frames;
    for (int stage = 0; stage < w->codec->latent_stages; stage++) {
        latent_stage(w, stage, steps, team);
        steps *= w->codec->latent[stage].rate;
    }
}
#endif
