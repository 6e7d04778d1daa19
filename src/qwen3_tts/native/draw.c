#if defined(__x86_64__)
#include "draw.h"
#include "vector.h"

#include <math.h>

static int best_of(const float *scores, int size) {
    int best = 0;
    for (int i = 1; i < size; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

static void sift(float *heap, int size, int at) {
    for (int child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && heap[child + 1] < heap[child])
            child++;
        if (heap[at] <= heap[child])
            return;
        float swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

// The k-th highest score, by a heap of the k highest with the least of them on top.
AVX512 static float kth_highest(const float *scores, int size, int k, float *heap) {
    for (int i = 0; i < k; i++)
        heap[i] = scores[i];
    for (int at = k / 2 - 1; at >= 0; at--)
        sift(heap, k, at);
    for (int i = k; i < size; i += 16) {
        int left = size - i;
        __mmask16 live = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
        __m512 v = _mm512_maskz_loadu_ps(live, scores + i);
        __mmask16 over = _mm512_mask_cmp_ps_mask(live, v, _mm512_set1_ps(heap[0]), _CMP_GT_OQ);
        for (; over; over &= (__mmask16)(over - 1)) {
            float score = scores[i + __builtin_ctz(over)];
            if (score > heap[0]) {
                heap[0] = score;
                sift(heap, k, 0);
            }
        }
    }
    return heap[0];
}

// Merging keeps equal scores in their order, as a stable sort does. room [count].
static void sort_ascending(const float *scores, int *order, int count, int *room) {
    for (int width = 1; width < count; width *= 2) {
        for (int low = 0; low < count; low += 2 * width) {
            int middle = low + width < count ? low + width : count;
            int high = middle + width < count ? middle + width : count, a = low, b = middle;
            for (int i = low; i < high; i++)
                room[i] = b >= high || (a < middle && scores[order[a]] <= scores[order[b]])
                              ? order[a++]
                              : order[b++];
        }
        for (int i = 0; i < count; i++)
            order[i] = room[i];
    }
}

AVX512 int draw(float *scores, int size, const DrawOptions *options, int row, const float *noise,
                float *room, int *order) {
    if (options->greedy[row])
        return best_of(scores, size);
    __m512 temperature = _mm512_set1_ps(options->temperature[row]);
    for (int i = 0; i < size; i += 16) {
        __mmask16 live = size - i >= 16 ? 0xffff : (__mmask16)((1u << (size - i)) - 1);
        __m512 v = _mm512_maskz_loadu_ps(live, scores + i);
        _mm512_mask_storeu_ps(scores + i, live, _mm512_div_ps(v, temperature));
    }
    int64_t k = options->top_k[row];
    float threshold = k > 0 && k < size ? kth_highest(scores, size, (int)k, room) : -INFINITY;
    int kept = 0; // ties with the k-th stay
    for (int i = 0; i < size; i++)
        if (scores[i] >= threshold)
            order[kept++] = i;
    if (kept == 0)
        return best_of(scores, size);
    float most = -INFINITY;
    for (int i = 0; i < kept; i++)
        most = scores[order[i]] > most ? scores[order[i]] : most;
    for (int i = 0; i < kept; i++)
        room[i] = scores[order[i]] - most;
    for (int i = 0; i < kept; i += 16) {
        __mmask16 live = kept - i >= 16 ? 0xffff : (__mmask16)((1u << (kept - i)) - 1);
        _mm512_mask_storeu_ps(room + i, live, exp16(_mm512_maskz_loadu_ps(live, room + i)));
    }
    for (int i = 0; i < kept; i++)
        scores[order[i]] = room[i]; // weights from here on
    int first = 0;
    if (options->tail[row] > 0) { // top_p: drop the least likely while they sum to at most the tail
        double total = 0, sum = 0;
        sort_ascending(scores, order, kept, order + size);
        for (int i = 0; i < kept; i++)
            total += scores[order[i]];
        for (; first < kept - 1; first++) {
            sum += scores[order[first]] / total;
            if ((float)sum > options->tail[row])
                break;
        }
    }
    int best = order[first];
    float highest = -INFINITY;
    for (int i = first; i < kept; i++) {
        float race = scores[order[i]] / noise[order[i]];
        if (race > highest || (race == highest && order[i] < best)) {
            highest = race;
            best = order[i];
        }
    }
    return best;
}
#else
typedef int nothing_here;
#endif
