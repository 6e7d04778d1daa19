// The codec's functions of sixteen floats at a time. Only files compiled for x86-64 include this.
#pragma once
#include "vector.h"

INLINE void store_bf16(uint16_t *at, __m512 x) {
    _mm256_storeu_si256((__m256i *)at, to_bf16(x));
}

// x as the sum of two bfloat16: the second is what the first one lost.
INLINE void store_split(uint16_t *high, uint16_t *low, __m512 x) {
    __m256i rounded = to_bf16(x);
    _mm256_storeu_si256((__m256i *)high, rounded);
    store_bf16(low, _mm512_sub_ps(x, from_bf16(rounded)));
}

// x + magnitude * sin^2(pi * frequency * x). The polynomial is sin^2(pi f) for f in -1/2..1/2
// (minimax, 6e-9; in float32 2e-7).
INLINE __m512 snake(__m512 x, __m512 frequency, __m512 magnitude) {
    __m512 f = _mm512_reduce_ps(_mm512_mul_ps(x, frequency), 0); // less the nearest whole number
    __m512 g = _mm512_mul_ps(f, f);
    __m512 p = _mm512_set1_ps(-3.2729456f);
    p = _mm512_fmadd_ps(p, g, _mm512_set1_ps(12.9907303f));
    p = _mm512_fmadd_ps(p, g, _mm512_set1_ps(-30.0859528f));
    p = _mm512_fmadd_ps(p, g, _mm512_set1_ps(42.7253838f));
    p = _mm512_fmadd_ps(p, g, _mm512_set1_ps(-32.4695816f));
    p = _mm512_fmadd_ps(p, g, _mm512_set1_ps(9.8696032f));
    return _mm512_fmadd_ps(_mm512_mul_ps(p, g), magnitude, x);
}

// x * Phi(x), Phi by erfc(z) = exp(-z^2) * polynomial of 1 / (1 + 0.4 z) (minimax, 2e-8).
INLINE __m512 gelu16(__m512 x) {
    __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.707106781f));
    __m512 one = _mm512_set1_ps(1.0f);
    __m512 t = _mm512_div_ps(one, _mm512_fmadd_ps(z, _mm512_set1_ps(0.4f), one));
    __m512 p = _mm512_set1_ps(-0.203760341f);
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.723586261f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.394567132f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.487521887f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.154051304f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.233167961f));
    __m512 e = exp16(_mm512_mul_ps(_mm512_sub_ps(_mm512_setzero_ps(), z), z));
    __m512 tail = _mm512_mul_ps(_mm512_mul_ps(p, t), _mm512_mul_ps(e, _mm512_set1_ps(0.5f)));
    __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ);
    return _mm512_mul_ps(x, _mm512_mask_sub_ps(tail, positive, one, tail));
}
