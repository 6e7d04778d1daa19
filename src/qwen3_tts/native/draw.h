// One code from the scores of a head, as engine/sampling.py draws it.
#pragma once
#include <stdint.h>

typedef struct {
    const float *temperature, *tail; // [rows]; tail = 1 - top_p
    const int64_t *top_k;            // [rows]
    const uint8_t *greedy;           // [rows]
} DrawOptions;

// scores [size] are changed; noise [size] is exponential; room for `size` floats and 2 * size ints.
int draw(float *scores, int size, const DrawOptions *options, int row, const float *noise,
         float *room, int *order);
