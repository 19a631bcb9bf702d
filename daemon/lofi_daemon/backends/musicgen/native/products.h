/* Matrices times rows of activations, and the norm before them. */
#pragma once
#include "model.h"
#include "numbers.h"
#include "vectors.h"

/* Weights lie in tiles of four rows: [rows / 4][columns / 32][4][32], so that a thread reads one stream from beginning to
 * end. (Four streams, one for each row, are beyond what the prefetchers follow: three times slower.)
 *
 * A tile's four rows meet `count` rows of activations at a time: x [columns / 32][count][32], y [count, 4] += the products.
 * A step has two of them and waits for memory; a prompt has many, and four of them make 16 sums out of 8 loads. What
 * becomes of a row does not depend on those beside it. */
#define CHUNK 32
#define AHEAD 8192 /* bytes; the processor's own prefetchers stop at the end of a page. Helps bytes, not wider numbers. */
#define TILE static inline __attribute__((always_inline)) void
#ifdef LANES
#define MOST_COUNT (LANES == 16 ? 4 : 2) /* as many as there are registers for their sums */

/* y[0..3] += the sums over the lanes of four vectors. */
static inline void add_totals(Floats a, Floats b, Floats c, Floats e, float *y) {
    const Floats ab = EACH(add_ps)(EACH(unpacklo_ps)(a, b), EACH(unpackhi_ps)(a, b)); /* a b a b in every quarter */
    const Floats ce = EACH(add_ps)(EACH(unpacklo_ps)(c, e), EACH(unpackhi_ps)(c, e));
    const __m128 u = quarters(ab), v = quarters(ce);
    _mm_storeu_ps(y, _mm_add_ps(_mm_loadu_ps(y), _mm_add_ps(_mm_movelh_ps(u, v), _mm_movehl_ps(v, u))));
}

TILE tile_int8(const int8_t *w, const int16_t *x, int columns, const int count, float (*y)[4]) {
    for (int from = 0; from < columns; from += SPAN * LANES) {
        const int to = columns - from > SPAN * LANES ? from + SPAN * LANES : columns;
        Ints sum[4][MOST_COUNT];
        for (int c = 0; c < 4; c++)
            for (int r = 0; r < count; r++) sum[c][r] = NO_INTS;
        for (int i = from; i < to; i += CHUNK, w += 4 * CHUNK) {
            for (int line = 0; line < 4 * CHUNK; line += 64) __builtin_prefetch(w + AHEAD + line, 0, 2);
            for (int j = 0; j < CHUNK; j += 2 * LANES) {
                Ints part[4];
                for (int c = 0; c < 4; c++) { part[c] = LOAD_BYTES(w + c * CHUNK + j); KEEP(part[c]); }
                for (int r = 0; r < count; r++) {
                    const Ints u = LOAD_SHORTS(x + (size_t)i * count + r * CHUNK + j);
                    for (int c = 0; c < 4; c++) sum[c][r] = MADD(sum[c][r], part[c], u);
                }
            }
        }
        for (int r = 0; r < count; r++) /* as floats, since the lanes together may exceed 32 bits */
            add_totals(TO_FLOATS(sum[0][r]), TO_FLOATS(sum[1][r]), TO_FLOATS(sum[2][r]), TO_FLOATS(sum[3][r]), y[r]);
    }
}

#define FLOAT_TILE(name, type, load, width, multiply_add)                                                              \
    TILE name(const type *w, const type *x, int columns, const int count, float (*y)[4]) {                             \
        Floats sum[4][MOST_COUNT];                                                                                     \
        for (int c = 0; c < 4; c++)                                                                                    \
            for (int r = 0; r < count; r++) sum[c][r] = NO_FLOATS;                                                     \
        for (int i = 0; i < columns; i += CHUNK, w += 4 * CHUNK) {                                                     \
            for (int j = 0; j < CHUNK; j += width) {                                                                   \
                __typeof__(load(w)) part[4];                                                                           \
                for (int c = 0; c < 4; c++) { part[c] = load(w + c * CHUNK + j); KEEP(part[c]); }                      \
                for (int r = 0; r < count; r++) {                                                                      \
                    const __typeof__(load(w)) u = load(x + (size_t)i * count + r * CHUNK + j);                             \
                    for (int c = 0; c < 4; c++) sum[c][r] = multiply_add(part[c], u, sum[c][r]);                       \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        for (int r = 0; r < count; r++) add_totals(sum[0][r], sum[1][r], sum[2][r], sum[3][r], y[r]);                  \
    }
FLOAT_TILE(tile_float, float, LOAD_FLOATS, LANES, EACH(fmadd_ps))
#if defined(__AVX512BF16__) && LANES == 16
#define LOAD_PAIRS(p) ((__m512bh)_mm512_loadu_si512(p))
#define DOT(a, b, sum) _mm512_dpbf16_ps(sum, a, b)
FLOAT_TILE(tile_bfloat16, uint16_t, LOAD_PAIRS, 2 * LANES, DOT)
#else
FLOAT_TILE(tile_bfloat16, uint16_t, LOAD_BFLOATS, LANES, EACH(fmadd_ps))
#endif
#else /* plain C */
#define MOST_COUNT 2
TILE tile_int8(const int8_t *w, const int16_t *x, int columns, const int count, float (*y)[4]) {
    for (int c = 0; c < 4; c++)
        for (int from = 0; from < columns; from += SPAN) {
            const int to = columns - from > SPAN ? from + SPAN : columns;
            int32_t sum[MOST_COUNT] = {0};
            for (int i = from; i < to; i += CHUNK) {
                int16_t row[CHUNK]; /* products of two shorts are what compilers have an instruction for */
                for (int j = 0; j < CHUNK; j++) row[j] = w[(size_t)i * 4 + c * CHUNK + j];
                for (int r = 0; r < count; r++)
                    for (int j = 0; j < CHUNK; j++) sum[r] += (int32_t)row[j] * x[(size_t)i * count + r * CHUNK + j];
            }
            for (int r = 0; r < count; r++) y[r][c] += (float)sum[r];
        }
}

#define FLOAT_TILE(name, type, load)                                                                                   \
    TILE name(const type *w, const type *x, int columns, const int count, float (*y)[4]) {                             \
        for (int c = 0; c < 4; c++) {                                                                                  \
            float sum[MOST_COUNT][CHUNK] = {{0}}; /* so that no sum has to be reordered to be vectorised */            \
            for (int i = 0; i < columns; i += CHUNK)                                                                   \
                for (int r = 0; r < count; r++)                                                                        \
                    for (int j = 0; j < CHUNK; j++)                                                                    \
                        sum[r][j] += load(w[(size_t)i * 4 + c * CHUNK + j]) * load(x[(size_t)i * count + r * CHUNK + j]);    \
            for (int r = 0; r < count; r++)                                                                            \
                for (int j = 0; j < CHUNK; j++) y[r][c] += sum[r][j];                                                  \
        }                                                                                                              \
    }
FLOAT_TILE(tile_float, float, )
FLOAT_TILE(tile_bfloat16, uint16_t, from_bfloat16)
#endif

/* How many of the rows that are left go together. */
static int together(int left) { return left >= 4 && MOST_COUNT == 4 ? 4 : left >= 2 ? 2 : 1; }

/* Rows x [rows, columns] as the tiles read them, in what the weights' precision is multiplied with. */
static void prepare(const Decoder *d, Scratch *s, const float *x, int rows, int columns) {
    for (int r = 0, count; r < rows; r += count) {
        count = together(rows - r);
        for (int i = 0; i < count; i++, x += columns) {
            const size_t at = (size_t)r * columns + i * CHUNK;
            if (d->model.shape.precision == INT8) {
                const float most = largest(x, columns), up = upward(most, MOST);
                int16_t *to = (int16_t *)s->packed + at;
                s->factor[r + i] = most / MOST; /* NaN makes what is multiplied with it NaN */
                for (int c = 0; c < columns; c += CHUNK, to += count * CHUNK)
                    for (int j = 0; j < CHUNK; j++) to[j] = up > 0 ? (int16_t)rintf(x[c + j] * up) : 0;
            } else if (d->model.shape.precision == BFLOAT16) {
                uint16_t *to = (uint16_t *)s->packed + at;
                for (int c = 0; c < columns; c += CHUNK, to += count * CHUNK)
                    for (int j = 0; j < CHUNK; j++) to[j] = to_bfloat16(x[c + j]);
            } else {
                float *to = (float *)s->packed + at;
                for (int c = 0; c < columns; c += CHUNK, to += count * CHUNK) memcpy(to, x + c, CHUNK * sizeof(float));
            }
        }
    }
}

/* y[r * y_stride + n - from] (=, or += with `add`) the products of rows `from` to `to` of m (multiples of 4) with the rows
 * that `prepare` took. */
static void product(const Decoder *d, const Scratch *s, const Matrix *m, int from, int to, int rows, int columns, float *y,
                    size_t y_stride, int add) {
    const int precision = d->model.shape.precision;
    for (int n = from; n < to; n += 4)
        for (int r = 0, count; r < rows; r += count) {
            count = together(rows - r);
            const size_t tile = (size_t)n * columns, at = (size_t)r * columns;
            float made[4][4] = {{0}};
#define MULTIPLY(name, type, of)                                                                                       \
    do {                                                                                                               \
        const type *w = (const type *)m->data + tile;                                                                  \
        const of *x = (const of *)s->packed + at;                                                                      \
        if (count == 4) name(w, x, columns, MOST_COUNT, made);                                                         \
        else if (count == 2) name(w, x, columns, 2, made);                                                             \
        else name(w, x, columns, 1, made);                                                                             \
    } while (0)
            if (precision == INT8) MULTIPLY(tile_int8, int8_t, int16_t);
            else if (precision == BFLOAT16) MULTIPLY(tile_bfloat16, uint16_t, uint16_t);
            else MULTIPLY(tile_float, float, float);
            for (int i = 0; i < count; i++) {
                float *out = y + (r + i) * y_stride + (n - from);
                if (precision == INT8)
                    for (int c = 0; c < 4; c++) made[i][c] *= m->scale[n + c] * s->factor[r + i];
                for (int c = 0; c < 4; c++) out[c] = add ? out[c] + made[i][c] : made[i][c];
            }
        }
}

static void normalise(const Norm *norm, const float *x, float *y, int rows, int columns) {
    for (int r = 0; r < rows; r++, x += columns, y += columns) {
        float parts[16] = {0};
        for (int i = 0; i < columns; i += 16)
            for (int l = 0; l < 16; l++) parts[l] += x[i + l];
        float mean = 0;
        for (int l = 0; l < 16; l++) { mean += parts[l]; parts[l] = 0; }
        mean /= columns;
        for (int i = 0; i < columns; i += 16)
            for (int l = 0; l < 16; l++) parts[l] += (x[i + l] - mean) * (x[i + l] - mean);
        float variance = 0;
        for (int l = 0; l < 16; l++) variance += parts[l];
        const float scale = 1.0f / sqrtf(variance / columns + 1e-5f);
        for (int i = 0; i < columns; i++) y[i] = (x[i] - mean) * scale * norm->weight[i] + norm->bias[i];
    }
}
