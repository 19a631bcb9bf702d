/* One step of MusicGen's decoder, all layers, on a few CPU threads.
 *
 * A step reads every weight once and the attention cache once, so it can go no faster than memory does; all here is
 * arranged to keep memory busy:
 *   - weights are read in order, each thread its own rows, from one arena of huge pages;
 *   - a thread owns attention heads, so that query, key, value and attention of a head need no meeting with the others:
 *     six meetings a layer are left, at a barrier that spins;
 *   - keys lie in blocks of 16 positions, so that 16 scores are made at once without a sum across lanes.
 *
 * Precisions of weights: float32; bfloat16; int8 with a scale for each output row. With int8 weights the activations are
 * 16-bit integers with a scale for each row: their error is far below the weights'. The cache has the weights' precision.
 * Everything else (norms, softmax, sums) is float32.
 *
 * Plain C that compilers vectorise; the products and the passes over the cache have AVX-512 and AVX2 forms. The
 * mathematics is that of
 * transformers/models/musicgen/modeling_musicgen.py (MusicgenDecoderLayer).
 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

#define API __attribute__((visibility("default")))
#define MAX_ROWS 64    /* (sequence, position) pairs in one call */
#define MAX_THREADS 64
#define BLOCK 16       /* positions of keys that lie together */
#define MAX_LAYERS 128
#define MAX_HEAD 256   /* its size */

enum { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2 };

typedef struct {
    const void *data;   /* [rows / 4][columns / 32][4][32] of the precision: see tile_int8 */
    const float *scale; /* [rows], int8 only */
} Matrix;

typedef struct {
    const float *weight, *bias;
} Norm;

typedef struct {
    Matrix qkv;                          /* [3 * hidden, hidden]: queries, keys, values */
    Matrix out;                          /* [hidden, hidden] */
    Matrix cross_q, cross_out;           /* [hidden, hidden]; data NULL: no cross-attention */
    Matrix fc1, fc2;                     /* [ffn, hidden], [hidden, ffn] */
    Norm self_norm, cross_norm, ffn_norm;
} Layer;

typedef struct {
    int32_t precision, layers, hidden, heads, ffn, codebooks, vocab, sequences, max_positions, threads, relu;
} Shape;

typedef struct {
    Shape shape;
    Layer layer[MAX_LAYERS];
    Norm norm;
    Matrix lm_heads;                     /* [codebooks * vocab, hidden] */
} Model;

typedef struct {
    float *scores;                       /* [max positions, rounded up] */
    int16_t *shares;                     /* the same, int8 only */
    float *normed;                       /* [MAX_ROWS, hidden] */
    void *packed;                        /* MAX_ROWS rows of max(hidden, ffn) numbers: see prepare */
    float factor[MAX_ROWS];              /* what an integer of a row counts for */
} Scratch;

typedef struct {
    Model model;
    void *keys, *values;                 /* [layer, sequence, head, position …] */
    float *key_scale, *value_scale;      /* [layer, sequence, head, position], int8 only */
    float *cross_keys, *cross_values;    /* [layer, sequence, head, text, head size] */
    float *cross_bias;                   /* [sequence, text]: 0 or a large negative number */
    int32_t cross_length;
    size_t cross_capacity;
    float *x, *query, *context, *inner;  /* of the rows of a call */
    float *logits;
    int32_t rows, per_sequence, first_position, want_logits;
    int32_t crew;                        /* threads that take part in this call */
    Scratch scratch[MAX_THREADS];
    pthread_t thread[MAX_THREADS];
    int32_t index[MAX_THREADS];
    atomic_int arrived, phase, stopping;
    atomic_uint call;                    /* number of the call, and its crew in the lowest 7 bits: read as one */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    size_t arena_size;
} Decoder;

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* All threads meet. Spins, because a wait of the kernel's costs more than what is between two meetings; gives the core
 * away after a while, because something else may be running on it. */
static void meet(Decoder *d) {
    const int threads = d->crew;
    if (threads == 1) return;
    const int phase = atomic_load_explicit(&d->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&d->arrived, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&d->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&d->phase, phase + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&d->phase, memory_order_acquire) == phase; spins++) {
        if (spins < 4000) relax();
        else sched_yield();
    }
}

/* ---- numbers ---- */

static uint16_t to_bfloat16(float value) { /* to nearest, ties to even; NaN stays NaN */
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

static float from_bfloat16(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, 4);
    return result;
}

/* e^x for x <= 0 within 2 units in the last place: 2^n by the exponent's bits, the rest by a polynomial (Cephes). */
static inline float exp_negative(float x) {
    x = x < -87.0f ? -87.0f : x;
    float n = x * 1.44269504088896341f;
    n = rintf(n);
    float r = x - n * 0.693359375f;
    r -= n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}

/* erf within 4e-7: a rational function, as in Eigen's generic float erf. */
static inline float erf_fast(float x) {
    x = x < -4.0f ? -4.0f : x > 4.0f ? 4.0f : x;
    const float s = x * x;
    float p = -2.72614225801306e-10f;
    p = p * s + 2.77068142495902e-08f;
    p = p * s - 2.10102402082508e-06f;
    p = p * s - 5.69250639462346e-05f;
    p = p * s - 7.34990630326855e-04f;
    p = p * s - 2.95459980854025e-03f;
    p = p * s - 1.60960333262415e-02f;
    float q = -1.45660718464996e-05f;
    q = q * s - 2.13374055278905e-04f;
    q = q * s - 1.68282697438203e-03f;
    q = q * s - 7.37332916720468e-03f;
    q = q * s - 1.42647390514189e-02f;
    return x * p / q;
}

/* ---- vectors, where they are worth spelling out ---- */

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__)
#define LANES 16 /* of 32 bits */
#define EACH(name) _mm512_##name
typedef __m512i Ints;
typedef __m512 Floats;
#define NO_INTS _mm512_setzero_si512()
#define LOAD_SHORTS(p) _mm512_loadu_si512(p)
#define LOAD_BYTES(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)(p)))
#define LOAD_HALF(p) _mm256_loadu_si256((const void *)(p))
#define AS_FLOATS(v) _mm512_castsi512_ps(v)
static inline __m128 quarters(__m512 v) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
#elif defined(__AVX2__) && defined(__FMA__)
#define LANES 8
#define EACH(name) _mm256_##name
typedef __m256i Ints;
typedef __m256 Floats;
#define NO_INTS _mm256_setzero_si256()
#define LOAD_SHORTS(p) _mm256_loadu_si256((const void *)(p))
#define LOAD_BYTES(p) _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(p)))
#define LOAD_HALF(p) _mm_loadu_si128((const void *)(p))
#define AS_FLOATS(v) _mm256_castsi256_ps(v)
static inline __m128 quarters(__m256 v) { return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)); }
#endif
#ifdef LANES
#define KEEP(v) __asm__("" : "+v"(v)) /* in a register: compilers would load it again for every use */
#define NO_FLOATS EACH(setzero_ps)()
#define LOAD_FLOATS(p) EACH(loadu_ps)(p)
#define LOAD_BFLOATS(p) AS_FLOATS(EACH(slli_epi32)(EACH(cvtepu16_epi32)(LOAD_HALF(p)), 16))
#define TO_FLOATS(v) EACH(cvtepi32_ps)(v)
#if LANES == 16 && defined(__AVX512VNNI__)
#define MADD(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)
#else
#define MADD(sum, a, b) EACH(add_epi32)(sum, EACH(madd_epi16)(a, b))
#endif
#endif

/* ---- matrices ----
 *
 * Sums of int8 weights times 16-bit activations are made in 32 bits. MOST keeps them from overflowing: a sum holds at
 * most SPAN products a lane, and 512 * 127 * 32000 < 2^31. */
#define MOST 32000
#define SPAN 512

/* The largest of n numbers, without their signs; NaN if one is infinite or NaN, which must stay so and not turn into a
 * quiet zero. Floats without their sign are ordered as their bits. */
static float largest(const float *x, int n) {
    uint32_t top = 0;
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        bits &= 0x7fffffffu;
        top = bits > top ? bits : top;
    }
    float most;
    memcpy(&most, &top, 4);
    return top >= 0x7f800000u ? NAN : most;
}

/* What to multiply numbers of at most `most` with to have integers up to `top`: 0 where that would be infinite or NaN. */
static float upward(float most, float top) { return most > top / 3.4e38f ? top / most : 0; }

/* n numbers as 16-bit integers; returns what an integer counts for. */
static float narrow(const float *x, int n, int16_t *to) {
    const float most = largest(x, n), up = upward(most, MOST);
    if (up > 0)
        for (int i = 0; i < n; i++) to[i] = (int16_t)rintf(x[i] * up);
    else
        memset(to, 0, (size_t)n * sizeof(int16_t));
    return most / MOST;
}

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

/* ---- attention ----
 *
 * The cache has the weights' precision. Keys of a head lie in blocks of 16 positions. float32: [block][head size][16].
 * bfloat16 and int8: [block][head size / 2][16][2], so that one instruction makes 16 scores out of two dimensions. Values:
 * [position][head size]; int8: [position / 2][head size][2], for sums over two positions at once. int8 has a scale for each
 * position of a head; what it is multiplied with, queries and softmax, are 16-bit integers, as in the products. */

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

/* Sixteen at a time, by hand: a compiler may not reorder them by itself. */
static float greatest(const float *x, int n) {
    float parts[16], most = x[0];
    for (int l = 0; l < 16; l++) parts[l] = most;
    for (; n >= 16; n -= 16, x += 16)
        for (int l = 0; l < 16; l++) parts[l] = x[l] > parts[l] ? x[l] : parts[l];
    for (int i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
    for (int l = 0; l < 16; l++) most = parts[l] > most ? parts[l] : most;
    return most;
}

static float dot(const float *x, const float *y, int n) {
    float parts[16] = {0}, sum = 0;
    for (; n >= 16; n -= 16, x += 16, y += 16)
        for (int l = 0; l < 16; l++) parts[l] += x[l] * y[l];
    for (int i = 0; i < n; i++) sum += x[i] * y[i];
    for (int l = 0; l < 16; l++) sum += parts[l];
    return sum;
}

static float sum_of(const float *x, int n) {
    float parts[16] = {0}, sum = 0;
    for (; n >= 16; n -= 16, x += 16)
        for (int l = 0; l < 16; l++) parts[l] += x[l];
    for (int i = 0; i < n; i++) sum += x[i];
    for (int l = 0; l < 16; l++) sum += parts[l];
    return sum;
}

/* Softmax in place without the division; returns what to divide by. */
static float soften(float *scores, int count) {
    const float most = greatest(scores, count);
    for (int t = 0; t < count; t++) scores[t] = exp_negative(scores[t] - most);
    return sum_of(scores, count);
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

/* ---- the step ---- */

/* The part of `total` that belongs to a thread, in multiples of `unit`. */
static void share(int total, int unit, int threads, int index, int *from, int *to) {
    const int units = total / unit;
    *from = (int)((int64_t)units * index / threads) * unit;
    *to = (int)((int64_t)units * (index + 1) / threads) * unit;
}

static void run(Decoder *d, int index) {
    const Shape *shape = &d->model.shape;
    const int threads = d->crew, hidden = shape->hidden, heads = shape->heads, size = hidden / heads;
    const int rows = d->rows, per = d->per_sequence, ffn = shape->ffn;
    Scratch *s = &d->scratch[index];
    int head_from, head_to, out_from, out_to, ffn_from, ffn_to;
    share(heads, 1, threads, index, &head_from, &head_to);
    share(hidden, 4, threads, index, &out_from, &out_to);
    share(ffn, 4, threads, index, &ffn_from, &ffn_to);
    const int own_from = head_from * size, own_to = head_to * size;
    float *keys = s->normed + (size_t)MAX_ROWS * hidden, *values = keys + (size_t)MAX_ROWS * hidden;

    for (int l = 0; l < shape->layers; l++) {
        const Layer *layer = &d->model.layer[l];
        normalise(&layer->self_norm, d->x, s->normed, rows, hidden);
        prepare(d, s, s->normed, rows, hidden);
        product(d, s, &layer->qkv, own_from, own_to, rows, hidden, d->query + own_from, hidden, 0);
        product(d, s, &layer->qkv, hidden + own_from, hidden + own_to, rows, hidden, keys + own_from, hidden,
                0);
        product(d, s, &layer->qkv, 2 * hidden + own_from, 2 * hidden + own_to, rows, hidden,
                values + own_from, hidden, 0);
        for (int r = 0; r < rows; r++)
            for (int h = head_from; h < head_to; h++)
                remember(d, l, r / per, h, d->first_position + r % per, keys + (size_t)r * hidden + h * size,
                         values + (size_t)r * hidden + h * size);
        for (int h = head_from; h < head_to; h++)
            for (int r = 0; r < rows; r++)
                attend(d, s, l, r / per, h, d->first_position + r % per + 1, d->query + (size_t)r * hidden + h * size,
                       d->context + (size_t)r * hidden + h * size);
        meet(d);
        prepare(d, s, d->context, rows, hidden);
        product(d, s, &layer->out, out_from, out_to, rows, hidden, d->x + out_from, hidden, 1);
        meet(d);
        if (layer->cross_q.data) {
            normalise(&layer->cross_norm, d->x, s->normed, rows, hidden);
            prepare(d, s, s->normed, rows, hidden);
            product(d, s, &layer->cross_q, own_from, own_to, rows, hidden, d->query + own_from, hidden, 0);
            for (int h = head_from; h < head_to; h++)
                for (int r = 0; r < rows; r++)
                    attend_text(d, s, l, r / per, h, d->query + (size_t)r * hidden + h * size,
                                d->context + (size_t)r * hidden + h * size);
            meet(d);
            prepare(d, s, d->context, rows, hidden);
            product(d, s, &layer->cross_out, out_from, out_to, rows, hidden, d->x + out_from, hidden, 1);
            meet(d);
        }
        normalise(&layer->ffn_norm, d->x, s->normed, rows, hidden);
        prepare(d, s, s->normed, rows, hidden);
        product(d, s, &layer->fc1, ffn_from, ffn_to, rows, hidden, d->inner + ffn_from, ffn, 0);
        for (int r = 0; r < rows; r++) {
            float *inner = d->inner + (size_t)r * ffn;
            if (shape->relu)
                for (int i = ffn_from; i < ffn_to; i++) inner[i] = inner[i] < 0 ? 0 : inner[i]; /* NaN stays */
            else
                for (int i = ffn_from; i < ffn_to; i++)
                    inner[i] = 0.5f * inner[i] * (1.0f + erf_fast(inner[i] * 0.70710678118654752f));
        }
        meet(d);
        prepare(d, s, d->inner, rows, ffn);
        product(d, s, &layer->fc2, out_from, out_to, rows, ffn, d->x + out_from, hidden, 1);
        meet(d);
    }
    if (d->want_logits) { /* of each sequence's last position */
        const int sequences = rows / per, total = shape->codebooks * shape->vocab;
        float *last = keys;
        for (int b = 0; b < sequences; b++)
            memcpy(last + (size_t)b * hidden, d->x + ((size_t)b * per + per - 1) * hidden, hidden * sizeof(float));
        normalise(&d->model.norm, last, s->normed, sequences, hidden);
        prepare(d, s, s->normed, sequences, hidden);
        int from, to;
        share(total, 4, threads, index, &from, &to);
        product(d, s, &d->model.lm_heads, from, to, sequences, hidden, d->logits + from, total, 0);
    }
    meet(d);
}

typedef struct {
    Decoder *decoder;
    int32_t index;
} Post;

static void *work(void *argument) {
    Post *post = argument;
    Decoder *d = post->decoder;
    const int index = post->index;
    free(post);
    unsigned seen = 0;
    for (;;) {
        for (int spins = 0; atomic_load_explicit(&d->call, memory_order_acquire) == seen && spins < 20000; spins++)
            relax();
        if (atomic_load_explicit(&d->call, memory_order_acquire) == seen) {
            pthread_mutex_lock(&d->mutex);
            while (atomic_load(&d->call) == seen) pthread_cond_wait(&d->wake, &d->mutex);
            pthread_mutex_unlock(&d->mutex);
        }
        seen = atomic_load(&d->call);
        if (atomic_load(&d->stopping)) return NULL;
        if (index < (int)(seen & 127)) run(d, index); /* one that sits out may wake when the next call is being set up */
    }
}

static void rouse(Decoder *d) {
    pthread_mutex_lock(&d->mutex);
    atomic_store(&d->call, (((atomic_load(&d->call) >> 7) + 1) << 7) | (unsigned)d->crew);
    pthread_cond_broadcast(&d->wake);
    pthread_mutex_unlock(&d->mutex);
}

static void *zeroed(size_t size) { /* 64-byte aligned; large ones on huge pages where the system has them */
    void *block = NULL;
    if (posix_memalign(&block, size >= (4u << 20) ? (2u << 20) : 64, size)) return NULL;
#ifdef MADV_HUGEPAGE
    if (size >= (4u << 20)) madvise(block, size, MADV_HUGEPAGE);
#endif
    memset(block, 0, size);
    return block;
}

API void lofi_decoder_free(Decoder *d) {
    if (!d) return;
    if (d->thread[0] || d->model.shape.threads > 1) {
        atomic_store(&d->stopping, 1);
        rouse(d);
        for (int t = 1; t < d->model.shape.threads; t++)
            if (d->thread[t]) pthread_join(d->thread[t], NULL);
    }
    for (int t = 0; t < d->model.shape.threads; t++) {
        free(d->scratch[t].scores);
        free(d->scratch[t].shares);
        free(d->scratch[t].normed);
        free(d->scratch[t].packed);
    }
    free(d->keys); free(d->values); free(d->key_scale); free(d->value_scale);
    free(d->cross_keys); free(d->cross_values); free(d->cross_bias);
    free(d->x); free(d->query); free(d->context); free(d->inner);
    pthread_mutex_destroy(&d->mutex);
    pthread_cond_destroy(&d->wake);
    free(d);
}

/* NULL if there is not enough memory or a size is out of range. The weights stay the caller's and must outlive it. */
API Decoder *lofi_decoder_new(const Model *model) {
    const Shape *s = &model->shape;
    const int size = s->heads ? s->hidden / s->heads : 0;
    if (s->threads < 1 || s->threads > MAX_THREADS || s->layers > MAX_LAYERS || s->hidden % 32 || s->ffn % 32 ||
        size * s->heads != s->hidden || size > MAX_HEAD || size % 4 || s->max_positions % BLOCK ||
        s->sequences > MAX_ROWS || s->codebooks * s->vocab % 4)
        return NULL;
    Decoder *d = zeroed(sizeof(Decoder));
    if (!d) return NULL;
    d->model = *model;
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->wake, NULL);
    const size_t item = s->precision == FLOAT32 ? 4 : s->precision == INT8 ? 1 : 2;
    const size_t cache = (size_t)s->layers * s->sequences * s->hidden * s->max_positions * item;
    const size_t wide = s->hidden > s->ffn ? s->hidden : s->ffn;
    const size_t scales = s->precision == INT8 ? cache / size * 4 : 4;
    int good = (d->keys = zeroed(cache)) && (d->values = zeroed(cache)) && (d->key_scale = zeroed(scales)) &&
               (d->value_scale = zeroed(scales)) &&
               (d->x = zeroed((size_t)MAX_ROWS * s->hidden * 4)) && (d->query = zeroed((size_t)MAX_ROWS * s->hidden * 4)) &&
               (d->context = zeroed((size_t)MAX_ROWS * s->hidden * 4)) && (d->inner = zeroed((size_t)MAX_ROWS * s->ffn * 4));
    for (int t = 0; good && t < s->threads; t++) {
        Scratch *c = &d->scratch[t];
        good = (c->scores = zeroed(((size_t)s->max_positions + 1024) * 4)) &&
               (c->shares = zeroed(((size_t)s->max_positions + 1024) * 2)) &&
               (c->normed = zeroed((size_t)MAX_ROWS * s->hidden * 4 * 3)) &&
               (c->packed = zeroed((size_t)MAX_ROWS * wide * 4));
    }
    for (int t = 1; good && t < s->threads; t++) {
        Post *post = malloc(sizeof(Post));
        if (!post) { good = 0; break; }
        *post = (Post){d, t};
        good = !pthread_create(&d->thread[t], NULL, work, post);
        if (!good) free(post);
    }
    if (!good) {
        lofi_decoder_free(d);
        return NULL;
    }
    return d;
}

/* The text of every sequence, for as long as nothing else is set: keys and values [layer, sequence, head, length, head
 * size], bias [sequence, length] (0 = seen, else a large negative number). Copied. Returns 0, or -1 without memory. */
API int lofi_decoder_text(Decoder *d, const float *keys, const float *values, const float *bias, int length) {
    const Shape *s = &d->model.shape;
    const size_t count = (size_t)s->layers * s->sequences * s->hidden * length;
    if (length > 1024 || length < 0) return -1;
    if (count > d->cross_capacity) {
        free(d->cross_keys); free(d->cross_values); free(d->cross_bias);
        d->cross_keys = zeroed(count * 4);
        d->cross_values = zeroed(count * 4);
        d->cross_bias = zeroed((size_t)s->sequences * length * 4 + 4);
        d->cross_capacity = count;
        if (!d->cross_keys || !d->cross_values || !d->cross_bias) { d->cross_capacity = 0; return -1; }
    }
    memcpy(d->cross_keys, keys, count * 4);
    memcpy(d->cross_values, values, count * 4);
    memcpy(d->cross_bias, bias, (size_t)s->sequences * length * 4);
    d->cross_length = length;
    return 0;
}

/* Positions first … first + count - 1 of every sequence: embeddings x [sequence, count, hidden], what came before is
 * remembered. logits [sequence, codebooks * vocab] of the last position, or NULL. `crew` threads share the work; the
 * numbers do not depend on how many. Returns 0, or -1 if it does not fit. */
API int lofi_decoder_step(Decoder *d, const float *x, int first, int count, int crew, float *logits) {
    const Shape *s = &d->model.shape;
    const int rows = s->sequences * count;
    if (crew < 1 || crew > s->threads || first < 0 || count < 1 || rows > MAX_ROWS || first + count > s->max_positions) return -1;
    memcpy(d->x, x, (size_t)rows * s->hidden * 4);
    d->rows = rows;
    d->per_sequence = count;
    d->first_position = first;
    d->logits = logits;
    d->want_logits = logits != NULL;
    d->crew = crew;
    if (crew > 1) rouse(d);
    run(d, 0);
    return 0;
}

/* A matrix [rows, columns] in the order and the precision in which the step reads it; of int8 the rows' scales too:
 * weight = int8 * scale. */
API void lofi_decoder_pack(const float *weight, int rows, int columns, int precision, void *to, float *scale) {
    for (int n = 0; n < rows; n++, weight += columns) {
        const size_t at = (size_t)(n & ~3) * columns + (n & 3) * CHUNK;
        if (precision == INT8) {
            const float most = largest(weight, columns);
            const float unit = scale[n] = most == 0 ? 1 : most / 127;
            for (int c = 0; c < columns; c += CHUNK)
                for (int j = 0; j < CHUNK; j++)
                    ((int8_t *)to)[at + (size_t)c * 4 + j] = most >= 0 ? (int8_t)rintf(weight[c + j] / unit) : 0;
        } else if (precision == BFLOAT16) {
            for (int c = 0; c < columns; c += CHUNK)
                for (int j = 0; j < CHUNK; j++) ((uint16_t *)to)[at + (size_t)c * 4 + j] = to_bfloat16(weight[c + j]);
        } else {
            for (int c = 0; c < columns; c += CHUNK)
                memcpy((float *)to + at + (size_t)c * 4, weight + c, CHUNK * sizeof(float));
        }
    }
}

API int lofi_decoder_max_rows(void) { return MAX_ROWS; }

/* What the compiler was allowed to use, for the bench and the log. */
API const char *lofi_decoder_features(void) {
    return ""
#if defined(LANES) && LANES == 16
           "avx512 "
#endif
#ifdef __AVX512VNNI__
           "vnni "
#endif
#ifdef __AVX512BF16__
           "bf16 "
#endif
#ifdef __AVX2__
           "avx2 "
#endif
#ifdef __ARM_NEON
           "neon "
#endif
        ;
}
