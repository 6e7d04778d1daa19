// The decoder's whole pass in one call: codes to wave, piece by piece, by a team of threads.
#include "codec.h"

#if defined(__x86_64__)
#include <stdlib.h>

#define MOST_FRAMES 16   // of all rows together in a piece: bounds the memory
#define MOST_CELLS 61440 // of a late stage's rows at once: they stay in the second cache

typedef struct {
    char *memory; // NULL: only count
    size_t used;
} Bump;

static void *take(Bump *bump, size_t bytes) {
    void *at = bump->memory ? bump->memory + bump->used : NULL;
    bump->used += (bytes + 63) & ~(size_t)63;
    return at;
}

static float *wide(Bump *bump, size_t count) { return take(bump, count * sizeof(float)); }

static uint16_t *narrow(Bump *bump, size_t count) { return take(bump, count * sizeof(uint16_t)); }

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static void lay_front(Work *w, Bump *bump, int threads) {
    const Codec *c = w->codec;
    const size_t B = (size_t)w->call->rows, M = B * (size_t)w->frames, S = (size_t)c->front.in;
    const size_t sums = B * (size_t)(c->front.taps - 1 + w->frames) * S;
    size_t inner = 0, read = (size_t)c->front.out;
    for (int i = 0; i < c->num_blocks; i++) {
        const CodecBlock *block = c->blocks + i;
        inner = most(inner, most((size_t)block->qkv.out, (size_t)block->gate_up.out));
        read = most(read, most((size_t)block->out.in, (size_t)block->down.in));
    }
    w->sums = wide(bump, sums);
    w->sums_split = narrow(bump, 2 * sums);
    w->cosines = wide(bump, M * (size_t)c->head);
    w->hidden = wide(bump, M * (size_t)c->front.out);
    w->inner = wide(bump, M * inner);
    w->split = narrow(bump, M * 2 * read);
    w->scratch_size = most((size_t)c->window, (size_t)c->wave_in.in);
    w->scratch = wide(bump, (size_t)threads * w->scratch_size);
}

// Returns the rate after the last stage, a row's.
static size_t lay_latent(Work *w, Bump *bump) {
    const Codec *c = w->codec;
    const size_t B = (size_t)w->call->rows, C = (size_t)c->wave_in.in;
    size_t steps = (size_t)w->frames;
    for (int i = 0; i < c->latent_stages; i++) {
        w->latent_in[i] = i ? narrow(bump, B * steps * C) : NULL;
        steps *= (size_t)c->latent[i].rate;
        w->latent[i] = wide(bump, B * steps * C);
    }
    w->mixed = narrow(bump, B * steps * C);
    w->widened = narrow(bump, B * steps * (size_t)c->latent[0].widen.out);
    w->wave_in_segment = remembered(&c->wave_in) + steps * C;
    w->wave_in = narrow(bump, B * w->wave_in_segment);
    return steps;
}

// The first wave stage takes all steps of all rows in, each other one some rows of one row.
static void lay_wave(Work *w, Bump *bump, size_t steps) {
    const Codec *c = w->codec;
    size_t rows = steps, lanes = (size_t)w->call->rows, cells = 0;
    for (int s = 0; s < c->wave_stages; s++) {
        const WaveStage *stage = c->wave + s;
        const size_t C = (size_t)stage->channels, rate = (size_t)stage->rate;
        const size_t fits = MOST_CELLS / C / rate / TILE * TILE;
        w->block[s] = (int)most(fits, TILE);
        w->in_segment[s] = remembered(&stage->up) + rows * (size_t)stage->up.in;
        w->in[s] = narrow(bump, lanes * w->in_segment[s]);
        w->in_segment[s] = s < 2 ? w->in_segment[s] : 0;
        lanes = s ? 1 : lanes;
        rows = s && rows > (size_t)w->block[s] ? (size_t)w->block[s] : rows;
        rows *= rate;
        for (int u = 0; u < UNITS; u++) {
            w->unit_segment[s][u] = remembered(&stage->wide[u]) + rows * C;
            w->unit[s][u] = narrow(bump, lanes * w->unit_segment[s][u]);
            w->unit_segment[s][u] = s ? 0 : w->unit_segment[s][u];
        }
        w->x[s] = wide(bump, lanes * rows * C);
        cells = most(cells, lanes * rows * C);
        if (s + 1 == c->wave_stages)
            w->last = wide(bump, (TAPS - 1 + rows) * C);
    }
    w->point = narrow(bump, cells);
}

// Lay the buffers of a piece into `memory`; returns the bytes they take.
static size_t lay(Work *w, int threads, char *memory) {
    Bump bump = {memory, 0};
    lay_front(w, &bump, threads);
    lay_wave(w, &bump, lay_latent(w, &bump));
    return bump.used;
}

typedef struct {
    Pool *pool;
    const Codec *codec;
    const CodecCall *call;
    char *memory;
    int most; // frames of a piece
} Job;

static void decode(void *argument, int thread, int threads) {
    const Job *job = argument;
    const Team team = {job->pool, thread, threads};
    for (int first = 0; first < job->call->frames; first += job->most) {
        int left = job->call->frames - first;
        Work work = {.codec = job->codec, .call = job->call, .first = first};
        work.frames = left < job->most ? left : job->most;
        lay(&work, threads, job->memory);
        codec_front(&work, team);
        codec_latent(&work, team);
        codec_wave(&work, team);
    }
}

int codec_decode(Pool *pool, int threads, const Codec *codec, const CodecCall *call) {
    const size_t count = (size_t)call->rows * (size_t)codec->codebooks * (size_t)call->frames;
    for (size_t i = 0; i < count; i++)
        if (call->codes[i] < 0 || call->codes[i] >= codec->num_entries)
            return 1;
    if (!count)
        return 0;
    Job job = {.pool = pool, .codec = codec, .call = call};
    job.most = MOST_FRAMES / call->rows > 1 ? MOST_FRAMES / call->rows : 1;
    Work work = {.codec = codec, .call = call};
    work.frames = call->frames < job.most ? call->frames : job.most;
    job.memory = pool_memory(pool, 0, lay(&work, threads, NULL));
    if (!job.memory)
        return -1;
    pool_run(pool, threads, decode, &job);
    return 0;
}
#endif
