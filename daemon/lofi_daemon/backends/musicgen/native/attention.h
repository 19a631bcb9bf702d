/* Attention to what came before, and to the text.
 *
 * The cache has the weights' precision. Keys of a head lie in blocks of 16 positions. float32: [block][head size][16].
 * bfloat16 and int8: [block][head size / 2][16][2], so that one instruction makes 16 scores out of two dimensions. Values:
 * [position][head size]; int8: [position / 2][head size][2], for sums over two positions at once. int8 has a scale for each
 * position of a head; what it is multiplied with, queries and softmax, are 16-bit integers, as in the products. */
#pragma once
#include "model.h"
#include "numbers.h"
#include "vectors.h"

static size_t cache_offset(const Decoder *d, int layer, int sequence, int head) {
    const Shape *s = &d->model.shape;
    return (((size_t)layer * s->sequences + sequence) * s->heads + head) * s->max_positions * (s->hidden / s->heads);
}

static void remember(Decoder *d, int layer, int sequence, int head, int position, const float *key, const float *value) {
    const int size = d->model.shape.hidden / d->model.shape.heads, block = position / BLOCK, lane = position % BLOCK;
    const size_t at = cache_offset(d, layer, sequence, head);
    if (d->model.shape.precision == FLOAT32) {
        float *keys = (float *)d->keys + at + (size_t)block * size * BLOCK + lane;
        for (int i = 0; i < size; i++) keys[i * BLOCK] = key[i];
        memcpy((float *)d->values + at + (size_t)position * size, value, size * sizeof(float));
    } else if (d->model.shape.precision == INT8) {
        const float top_key = largest(key, size), top_value = largest(value, size);
        const float up_key = upward(top_key, 127), up_value = upward(top_value, 127);
        int8_t *keys = (int8_t *)d->keys + at + (size_t)block * size * BLOCK + lane * 2;
        int8_t *values = (int8_t *)d->values + at + (size_t)(position / 2) * size * 2 + (position & 1);
        d->key_scale[at / size + position] = top_key / 127;
        d->value_scale[at / size + position] = top_value / 127;
        for (int i = 0; i < size; i++) {
            keys[(i / 2) * BLOCK * 2 + (i & 1)] = (int8_t)(up_key > 0 ? rintf(key[i] * up_key) : 0);
            values[i * 2] = (int8_t)(up_value > 0 ? rintf(value[i] * up_value) : 0);
        }
    } else {
        uint16_t *keys = (uint16_t *)d->keys + at + (size_t)block * size * BLOCK + lane * 2;
        for (int i = 0; i < size; i++) keys[(i / 2) * BLOCK * 2 + (i & 1)] = to_bfloat16(key[i]);
        uint16_t *values = (uint16_t *)d->values + at + (size_t)position * size;
        for (int i = 0; i < size; i++) values[i] = to_bfloat16(value[i]);
    }
}

static void scores_float(const float *query, const float *keys, int size, int blocks, float *scores) {
    for (int b = 0; b < blocks; b++, keys += size * BLOCK, scores += BLOCK) {
        float sum[BLOCK] = {0}, other[BLOCK] = {0};
        for (int i = 0; i < size; i += 2)
            for (int l = 0; l < BLOCK; l++) {
                sum[l] += query[i] * keys[i * BLOCK + l];
                other[l] += query[i + 1] * keys[(i + 1) * BLOCK + l];
            }
        for (int l = 0; l < BLOCK; l++) scores[l] = sum[l] + other[l];
    }
}

static void scores_bfloat16(const float *query, const uint16_t *keys, int size, int blocks, float *scores) {
#if defined(__AVX512BF16__) && LANES == 16
    uint32_t pairs[MAX_HEAD / 2];
    for (int i = 0; i < size; i += 2)
        pairs[i / 2] = to_bfloat16(query[i]) | (uint32_t)to_bfloat16(query[i + 1]) << 16;
    for (int b = 0; b < blocks; b++, keys += size * BLOCK, scores += BLOCK) {
        __m512 sum = _mm512_setzero_ps(), other = sum;
        for (int i = 0; i < size / 2; i += 2) {
            sum = _mm512_dpbf16_ps(sum, (__m512bh)_mm512_loadu_si512(keys + i * BLOCK * 2),
                                   (__m512bh)_mm512_set1_epi32((int)pairs[i]));
            other = _mm512_dpbf16_ps(other, (__m512bh)_mm512_loadu_si512(keys + (i + 1) * BLOCK * 2),
                                     (__m512bh)_mm512_set1_epi32((int)pairs[i + 1]));
        }
        _mm512_storeu_ps(scores, _mm512_add_ps(sum, other));
    }
#else
    for (int b = 0; b < blocks; b++, keys += size * BLOCK, scores += BLOCK) {
        float sum[BLOCK] = {0};
        for (int i = 0; i < size; i += 2)
            for (int l = 0; l < BLOCK; l++)
                sum[l] += query[i] * from_bfloat16(keys[i * BLOCK + 2 * l]) +
                          query[i + 1] * from_bfloat16(keys[i * BLOCK + 2 * l + 1]);
        for (int l = 0; l < BLOCK; l++) scores[l] = sum[l];
    }
#endif
}

static void scores_int8(const float *query, const int8_t *keys, const float *scale, int size, int blocks, float *scores) {
    int16_t pairs[MAX_HEAD]; /* MAX_HEAD * 127 * MOST < 2^31 */
    const float factor = narrow(query, size, pairs);
    for (int b = 0; b < blocks; b++, keys += size * BLOCK, scale += BLOCK, scores += BLOCK) {
#ifdef LANES
        for (int l = 0; l < BLOCK; l += LANES) {
            Ints sum = NO_INTS, other = sum;
            for (int i = 0; i < size; i += 4) {
                int32_t pair[2];
                memcpy(pair, pairs + i, 8);
                sum = MADD(sum, LOAD_BYTES(keys + i * BLOCK + 2 * l), EACH(set1_epi32)(pair[0]));
                other = MADD(other, LOAD_BYTES(keys + (i + 2) * BLOCK + 2 * l), EACH(set1_epi32)(pair[1]));
            }
            const Floats all = EACH(mul_ps)(TO_FLOATS(EACH(add_epi32)(sum, other)), EACH(set1_ps)(factor));
            EACH(storeu_ps)(scores + l, EACH(mul_ps)(all, LOAD_FLOATS(scale + l)));
        }
#else
        int32_t sum[BLOCK] = {0};
        for (int i = 0; i < size; i += 2)
            for (int l = 0; l < BLOCK; l++)
                sum[l] += keys[i * BLOCK + 2 * l] * pairs[i] + keys[i * BLOCK + 2 * l + 1] * pairs[i + 1];
        for (int l = 0; l < BLOCK; l++) scores[l] = (float)sum[l] * factor * scale[l];
#endif
    }
}

#ifdef LANES
#define WIDE_MIX(load)                                                                                                 \
    for (; i + 4 * LANES <= size; i += 4 * LANES) {                                                                    \
        Floats sum[4] = {NO_FLOATS, NO_FLOATS, NO_FLOATS, NO_FLOATS};                                                  \
        for (int t = 0; t < count; t++)                                                                                \
            for (int v = 0; v < 4; v++)                                                                                \
                sum[v] = EACH(fmadd_ps)(EACH(set1_ps)(weights[t]), load(values + (size_t)t * size + i + v * LANES),    \
                                        sum[v]);                                                                       \
        for (int v = 0; v < 4; v++) EACH(storeu_ps)(out + i + v * LANES, EACH(mul_ps)(sum[v], EACH(set1_ps)(scale)));  \
    }
#else
#define WIDE_MIX(load)
#endif
#define MIX(name, type, wide_load, load)                                                                               \
    static void name(const float *weights, const type *values, int size, int count, float scale, float *out) {         \
        int i = 0;                                                                                                     \
        WIDE_MIX(wide_load)                                                                                            \
        float sum[MAX_HEAD] = {0};                                                                                     \
        for (int t = 0; t < count && i < size; t++)                                                                    \
            for (int j = i; j < size; j++) sum[j] += weights[t] * load(values[(size_t)t * size + j]);                  \
        for (; i < size; i++) out[i] = sum[i] * scale;                                                                 \
    }
MIX(mix_float, float, LOAD_FLOATS, )
MIX(mix_bfloat16, uint16_t, LOAD_BFLOATS, from_bfloat16)

/* `weights` holds room for one more than `count`, and is used up. */
static void mix_int8(float *weights, int16_t *shares, const int8_t *values, const float *value_scale, int size, int count,
                     float scale, float *out) {
    for (int t = 0; t < count; t++) weights[t] *= value_scale[t];
    weights[count] = 0;
    const int even = (count + 1) / 2 * 2;
    scale *= narrow(weights, even, shares);
    int i = 0;
#ifdef LANES
    for (; i + 4 * LANES <= size; i += 4 * LANES) {
        Floats all[4];
        for (int v = 0; v < 4; v++) all[v] = NO_FLOATS;
        for (int from = 0; from < even; from += SPAN) {
            const int to = even - from > SPAN ? from + SPAN : even;
            Ints sum[4];
            for (int v = 0; v < 4; v++) sum[v] = NO_INTS;
            for (int t = from; t < to; t += 2) {
                int32_t pair;
                memcpy(&pair, shares + t, 4);
                const Ints both = EACH(set1_epi32)(pair);
                for (int v = 0; v < 4; v++)
                    sum[v] = MADD(sum[v], LOAD_BYTES(values + (size_t)t * size + 2 * (i + v * LANES)), both);
            }
            for (int v = 0; v < 4; v++) all[v] = EACH(add_ps)(all[v], TO_FLOATS(sum[v]));
        }
        for (int v = 0; v < 4; v++)
            EACH(storeu_ps)(out + i + v * LANES, EACH(mul_ps)(all[v], EACH(set1_ps)(scale)));
    }
#endif
    for (int j = i; j < size; j++) out[j] = 0;
    for (int from = 0; from < even && i < size; from += SPAN) {
        const int to = even - from > SPAN ? from + SPAN : even;
        int32_t sum[MAX_HEAD] = {0};
        for (int t = from; t < to; t += 2)
            for (int j = i; j < size; j++)
                sum[j] += values[(size_t)t * size + 2 * j] * shares[t] + values[(size_t)t * size + 2 * j + 1] * shares[t + 1];
        for (int j = i; j < size; j++) out[j] += (float)sum[j] * scale;
    }
}

static void attend(const Decoder *d, Scratch *s, int layer, int sequence, int head, int count, const float *query,
                   float *out) {
    const int size = d->model.shape.hidden / d->model.shape.heads, blocks = (count + BLOCK - 1) / BLOCK;
    const size_t at = cache_offset(d, layer, sequence, head);
    float scaled[MAX_HEAD];
    const float scale = 1.0f / sqrtf((float)size);
    for (int i = 0; i < size; i++) scaled[i] = query[i] * scale;
    if (d->model.shape.precision == FLOAT32) {
        scores_float(scaled, (const float *)d->keys + at, size, blocks, s->scores);
        const float sum = soften(s->scores, count);
        mix_float(s->scores, (const float *)d->values + at, size, count, 1.0f / sum, out);
    } else if (d->model.shape.precision == INT8) {
        scores_int8(scaled, (const int8_t *)d->keys + at, d->key_scale + at / size, size, blocks, s->scores);
        const float sum = soften(s->scores, count);
        mix_int8(s->scores, s->shares, (const int8_t *)d->values + at, d->value_scale + at / size, size, count, 1.0f / sum,
                 out);
    } else {
        scores_bfloat16(scaled, (const uint16_t *)d->keys + at, size, blocks, s->scores);
        const float sum = soften(s->scores, count);
        mix_bfloat16(s->scores, (const uint16_t *)d->values + at, size, count, 1.0f / sum, out);
    }
}

/* The text is short: plain loops, float32. A sequence without text (the unconditional one) gets nothing. */
static void attend_text(const Decoder *d, Scratch *s, int layer, int sequence, int head, const float *query, float *out) {
    const Shape *shape = &d->model.shape;
    const int size = shape->hidden / shape->heads, count = d->cross_length;
    const float *bias = d->cross_bias + (size_t)sequence * count;
    const size_t at = (((size_t)layer * shape->sequences + sequence) * shape->heads + head) * count * size;
    const float *keys = d->cross_keys + at, *values = d->cross_values + at;
    int visible = 0;
    for (int t = 0; t < count; t++) visible |= bias[t] == 0;
    if (!visible) {
        memset(out, 0, size * sizeof(float));
        return;
    }
    const float scale = 1.0f / sqrtf((float)size);
    for (int t = 0; t < count; t++) {
        s->scores[t] = dot(query, keys + (size_t)t * size, size) * scale + bias[t];
    }
    const float sum = soften(s->scores, count);
    mix_float(s->scores, values, size, count, 1.0f / sum, out);
}
