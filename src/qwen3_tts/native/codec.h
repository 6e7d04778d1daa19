// The codec's decoder: its layers, one call, and what a call works with.
#pragma once
#include "conv.h"

#define UNITS 3  // residual units of a wave stage
#define STAGES 8 // at most, of either kind
#define TAPS 7   // of a latent stage's mixing and of the last convolution

typedef struct {
    Conv qkv, out, gate_up, down; // norm weights and branch scales are inside
} CodecBlock;

typedef struct {
    Conv up;           // the first one reads what the transformer's norm gives
    const float *mix;  // [7][C], each channel by itself
    const float *bias; // [C]
    Conv widen, narrow;
    int32_t rate, channels; // channels without padding: a mean is over them
} LatentStage;

typedef struct {
    Conv up, wide[UNITS], point[UNITS]; // wide: 7 taps; point: 1
    int32_t rate, channels;             // channels padded
} WaveStage;

typedef struct {
    const float *entries; // [codebooks][entries][entry]: codebook entries, padded
    const CodecBlock *blocks;
    const LatentStage *latent;
    const WaveStage *wave;
    const float *frequencies; // [head / 2], of the rotary embedding
    const float *out;         // [7][C] of the last convolution
    Conv front;               // of sums of entries: semantic, acoustic
    Conv wave_in;
    int32_t codebooks, num_entries, entry;
    int32_t num_blocks, width, heads, head, head_padded, window;
    int32_t latent_stages, wave_stages;
    float eps, out_bias;
} Codec;

// Of one call; B rows, T frames. Each tail is [B, rows remembered, channels]: one of `front`, one
// a latent stage, `wave_in`, four a wave stage (up, the wide ones), the last convolution.
typedef struct {
    const int64_t *codes; // [B, K, T]
    void *const *tails;
    float *keys, *values; // [blocks, B, H, window - 1, E]; position p at place p % (window - 1)
    size_t layer;         // step between layers of these, in floats
    int64_t *pos;         // [B]
    float *wave;          // [B, samples]
    int32_t rows, frames;
} CodecCall;

// What the team shares while it decodes `frames` frames of all rows, from frame `first` on. M is
// B * frames; T' are steps at a layer's own rate.
typedef struct {
    const Codec *codec;
    const CodecCall *call;
    int first, frames;
    float *sums;                   // [B][2 + T'][S], with what is remembered in front
    uint16_t *sums_split;          // the same, each row as high and low part
    float *cosines;                // [M][E / 2], then as many sines
    float *scratch;                // [threads][scratch_size], of each thread alone
    size_t scratch_size;           // a window's scores, or a latent
    float *hidden;                 // [M][D]
    float *inner;                  // [M], queries, keys and values, or gates and ups
    uint16_t *split;               // [M][2], high and low part of what a product reads
    float *latent[STAGES];         // [B][T'][C], after an upsampling
    uint16_t *latent_in[STAGES];   // [B][T'][C], before it, from the second on
    uint16_t *mixed, *widened;     // [B][T'][C], [B][T'][4 C]
    uint16_t *wave_in;             // [B][6 + T'][C]
    uint16_t *in[STAGES];          // [B or 1][1 + T'][C], before a wave stage
    uint16_t *unit[STAGES][UNITS]; // [B or 1][6 d + T'][C], before a unit
    float *x[STAGES];              // [B or 1][T'][C]
    uint16_t *point;               // [B or 1][T'][C], between the convolutions of a unit
    float *last;                   // [6 + T'][C], before the last convolution
    size_t wave_in_segment, in_segment[STAGES], unit_segment[STAGES][UNITS];
    int block[STAGES]; // rows that a wave stage takes in at once
} Work;

// Each is the team's share of one part; a barrier stands at the end of each.
void codec_front(const Work *work, Team team);  // codes -> `split`: what the first stage reads
void codec_latent(const Work *work, Team team); // -> `wave_in`
void codec_wave(const Work *work, Team team);   // -> the call's wave

// How much a convolution remembers of each row, in elements.
static inline size_t remembered(const Conv *conv) {
    return (size_t)(conv->taps - 1) * (size_t)conv->dilation * (size_t)conv->in;
}

// Decode the call's frames and move its state on. 0, or 1: a code is none of its codebook (nothing
// was done), or -1: out of memory.
EXPORT int codec_decode(Pool *pool, int threads, const Codec *codec, const CodecCall *call);
