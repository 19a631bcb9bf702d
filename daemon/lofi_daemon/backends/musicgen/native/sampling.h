/* From logits to tokens, as sampling.py does it with torch: guidance, temperature, top-k, softmax, one draw. There it is a
 * dozen operations whose code the step has driven out of the caches: twenty times what they take here. */
#pragma once
#include "numbers.h"

/* A float's place among all floats: unsigned integers in the same order. */
static inline uint32_t place(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* The place of the k-th largest of n numbers: bit by bit, the highest that k of them reach. */
static uint32_t place_of_kth(const float *x, int n, int k) {
    uint32_t found = 0;
    for (uint32_t bit = 0x80000000u; bit; bit >>= 1) {
        const uint32_t tried = found | bit;
        int32_t reach = 0;
        for (int i = 0; i < n; i++) reach += place(x[i]) >= tried;
        if (reach >= k) found = tried;
    }
    return found;
}

/* A token of n, or -1 if a score is no number. `unseen` NULL: no guidance. `noise` [n] is exponentially distributed: the
 * largest of p / noise is a draw with probabilities p, which is how torch.multinomial draws. NULL: the likeliest.
 * `scores` [n] is written to. */
static int pick(const float *seen, const float *unseen, float guidance, float temperature, int top_k, const float *noise, int n,
                float *scores) {
    uint32_t top = 0;
    for (int i = 0; i < n; i++) {
        scores[i] = unseen ? unseen[i] + (seen[i] - unseen[i]) * guidance : seen[i];
        uint32_t bits;
        memcpy(&bits, scores + i, 4);
        bits &= 0x7fffffffu;
        top = bits > top ? bits : top;
    }
    if (top >= 0x7f800000u) return -1;
    int best = 0;
    if (!noise) {
        for (int i = 1; i < n; i++) best = scores[i] > scores[best] ? i : best;
        return best;
    }
    const uint32_t least = top_k > 0 && top_k < n ? place_of_kth(scores, n, top_k) : 0;
    const float most = greatest(scores, n);
    float reached = -1;
    for (int i = 0; i < n; i++) {
        if (place(scores[i]) < least) continue;
        const float chance = exp_negative((scores[i] - most) / temperature) / noise[i];
        if (chance > reached) { reached = chance; best = i; }
    }
    return best;
}
