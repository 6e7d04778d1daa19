// The wave stages: upsample, three residual units, next stage. Later stages work on a few rows at
// a time and hand them on at once, so that what one layer writes the next finds in the cache.
#include "codec.h"

#if defined(__x86_64__)
#include "activations.h"
#include <string.h>

static int first_tail(const Codec *c) { return 1 + c->latent_stages; } // of `wave_in`

// What a convolution remembers of row `b`: from its tail to the front of its buffer, or back.
static void carry(const Work *w, int tail, int b, const Conv *conv, uint16_t *buffer, int back) {
    size_t bytes = remembered(conv) * sizeof(uint16_t);
    char *kept = (char *)w->call->tails[tail] + (size_t)b * bytes;
    memcpy(back ? kept : (char *)buffer, back ? (char *)buffer : kept, bytes);
}

// The same for the four convolutions of a stage. Buffers of one row have a segment of 0.
static void carry_stage(const Work *w, int s, int b, int back) {
    const WaveStage *stage = w->codec->wave + s;
    int tail = first_tail(w->codec) + 1 + s * (1 + UNITS);
    carry(w, tail, b, &stage->up, w->in[s] + b * w->in_segment[s], back);
    for (int u = 0; u < UNITS; u++)
        carry(w, tail + 1 + u, b, &stage->wide[u], w->unit[s][u] + b * w->unit_segment[s][u], back);
}

// The last rows of a buffer become the remembered ones, for the next rows that come.
static void slide(const Conv *conv, uint16_t *buffer, size_t segment, int segments, int rows) {
    for (int i = 0; i < segments; i++, buffer += segment)
        memmove(buffer, buffer + (size_t)rows * conv->in, remembered(conv) * sizeof(uint16_t));
}

// Rows of `in` through a stage, to the buffer of the next stage or of the last convolution.
static void stage_rows(const Work *w, int s, uint16_t *in, int rows, int segments, Team team) {
    const Codec *c = w->codec;
    const WaveStage *stage = c->wave + s;
    const size_t C = (size_t)stage->channels;
    const int out = rows * stage->rate, is_last = s + 1 == c->wave_stages;
    const size_t x_segment = (size_t)out * C;
    Product up = {
        .conv = &stage->up,
        .in = {in, (size_t)stage->up.in, w->in_segment[s]},
        .rows = rows,
        .segments = segments,
        .fate = STORE_SNAKE,
        .x = {w->x[s], (size_t)stage->up.out, x_segment},
        .next = {w->unit[s][0] + remembered(&stage->wide[0]), (size_t)stage->up.out,
                 w->unit_segment[s][0]},
    };
    conv_run(&up, team);
    pool_barrier(team.pool);
    for (int u = 0; u < UNITS; u++) {
        Product wide = {
            .conv = &stage->wide[u],
            .in = {w->unit[s][u], C, w->unit_segment[s][u]},
            .rows = out,
            .segments = segments,
            .fate = SNAKE,
            .next = {w->point, C, x_segment},
        };
        conv_run(&wide, team);
        pool_barrier(team.pool);
        if (team.thread == 0)
            slide(&stage->wide[u], w->unit[s][u], w->unit_segment[s][u], segments, out);
        Product point = {
            .conv = &stage->point[u],
            .in = {w->point, C, x_segment},
            .rows = out,
            .segments = segments,
            .fate = u + 1 < UNITS ? ADD_SNAKE : is_last ? WAVE_SNAKE : LAST_SNAKE,
            .x = {w->x[s], C, x_segment},
        };
        if (u + 1 < UNITS)
            point.next = (Narrow){w->unit[s][u + 1] + remembered(&stage->wide[u + 1]), C,
                                  w->unit_segment[s][u + 1]};
        else if (is_last)
            point.wave = (Wide){w->last + (TAPS - 1) * C, C, 0};
        else
            point.next = (Narrow){w->in[s + 1] + C, C, w->in_segment[s + 1]};
        conv_run(&point, team);
        pool_barrier(team.pool);
    }
}

// Seven taps of every channel to one sample, in float32.
AVX512 static void samples(const Work *w, int rows, float *wave, Team team) {
    const int C = w->codec->wave[w->codec->wave_stages - 1].channels;
    const float *weight = w->codec->out;
    int start, end;
    share(rows, team.thread, team.threads, &start, &end);
    for (int t = start; t < end; t++) {
        const float *x = w->last + (size_t)t * C;
        __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
        for (int i = 0, n = TAPS * C; i < n; i += 16)
            sum[i >> 4 & 1] = _mm512_fmadd_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(weight + i),
                                              sum[i >> 4 & 1]);
        float y = _mm512_reduce_add_ps(_mm512_add_ps(sum[0], sum[1])) + w->codec->out_bias;
        wave[t] = y > 1.0f ? 1.0f : y < -1.0f ? -1.0f : y;
    }
}

// One row's `rows` new rows of `in[s]`, through this stage and all that follow. Returns the end of
// its samples.
static float *run_stage(const Work *w, int s, uint16_t *in, int rows, float *wave, Team team) {
    const Codec *c = w->codec;
    const WaveStage *stage = c->wave + s;
    int pieces = (rows + w->block[s] - 1) / w->block[s];
    int most = ((rows + pieces - 1) / pieces + TILE - 1) / TILE * TILE;
    for (int start = 0; start < rows; start += most) {
        int n = rows - start < most ? rows - start : most, out = n * stage->rate;
        stage_rows(w, s, in + (size_t)start * stage->up.in, n, 1, team);
        if (s + 1 < c->wave_stages) {
            wave = run_stage(w, s + 1, w->in[s + 1], out, wave, team);
            continue;
        }
        samples(w, out, wave, team);
        wave += out;
        pool_barrier(team.pool);
        if (team.thread == 0)
            memmove(w->last, w->last + (size_t)out * stage->channels,
                    (size_t)(TAPS - 1) * stage->channels * sizeof(float));
    }
    if (team.thread == 0)
        slide(&stage->up, in, 0, 1, rows);
    return wave;
}

// All rows of the call through `wave_in` and the first stage: their weights come from memory, so
// they are read once for all.
static void first_stage(const Work *w, int steps, Team team) {
    const Codec *c = w->codec;
    const int B = w->call->rows;
    const size_t C = (size_t)c->wave_in.out, segment = w->wave_in_segment;
    if (team.thread == 0)
        for (int b = 0; b < B; b++) {
            carry(w, first_tail(c), b, &c->wave_in, w->wave_in + b * segment, 0);
            carry_stage(w, 0, b, 0);
        }
    pool_barrier(team.pool);
    Product in = {
        .conv = &c->wave_in,
        .in = {w->wave_in, (size_t)c->wave_in.in, segment},
        .rows = steps,
        .segments = B,
        .fate = SNAKE,
        .next = {w->in[0] + C, C, w->in_segment[0]},
    };
    conv_run(&in, team);
    pool_barrier(team.pool);
    stage_rows(w, 0, w->in[0], steps, B, team);
    if (team.thread == 0) {
        slide(&c->wave_in, w->wave_in, segment, B, steps);
        slide(&c->wave[0].up, w->in[0], w->in_segment[0], B, steps);
        for (int b = 0; b < B; b++) {
            carry(w, first_tail(c), b, &c->wave_in, w->wave_in + b * segment, 1);
            carry_stage(w, 0, b, 1);
        }
    }
}

// The other stages, of one row.
static void other_stages(const Work *w, int b, int rows, float *wave, Team team) {
    const Codec *c = w->codec;
    const int stages = c->wave_stages, last = first_tail(c) + 1 + stages * (1 + UNITS);
    const size_t bytes = (size_t)(TAPS - 1) * c->wave[stages - 1].channels * sizeof(float);
    char *tail = (char *)w->call->tails[last] + (size_t)b * bytes;
    if (team.thread == 0) {
        for (int s = 1; s < stages; s++)
            carry_stage(w, s, b, 0);
        memcpy(w->last, tail, bytes);
    }
    pool_barrier(team.pool);
    run_stage(w, 1, w->in[1] + b * w->in_segment[1], rows, wave, team);
    if (team.thread == 0) {
        for (int s = 1; s < stages; s++)
            carry_stage(w, s, b, 1);
        memcpy(tail, w->last, bytes);
    }
}

void codec_wave(const Work *w, Team team) {
    const Codec *c = w->codec;
    size_t samples_per_step = 1;
    int steps = w->frames;
    for (int i = 0; i < c->latent_stages; i++)
        steps *= c->latent[i].rate;
    for (int s = 0; s < c->wave_stages; s++)
        samples_per_step *= (size_t)c->wave[s].rate;
    first_stage(w, steps, team);
    const size_t frame = samples_per_step * (size_t)steps / (size_t)w->frames;
    for (int b = 0; b < w->call->rows; b++) {
        float *wave = w->call->wave + ((size_t)b * w->call->frames + w->first) * frame;
        other_stages(w, b, steps * c->wave[0].rate, wave, team);
    }
    pool_barrier(team.pool);
}
#endif
