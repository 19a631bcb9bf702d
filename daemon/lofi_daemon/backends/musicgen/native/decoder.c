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
 * 16-bit integers with a scale for each row: their error is far below the weights'. The cache is float32 with float32
 * weights, else bfloat16. Everything else (norms, softmax, sums) is float32.
 *
 * Plain C that compilers vectorise; three loops have AVX-512 forms. The mathematics is that of
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
#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <immintrin.h>
#define WIDE 1
#endif

#define API __attribute__((visibility("default")))
#define MAX_ROWS 64    /* (sequence, position) pairs in one call */
#define MAX_THREADS 64
#define BLOCK 16       /* positions of keys that lie together */
#define MAX_LAYERS 128

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
    float *normed;                       /* [MAX_ROWS, hidden] */
    int16_t *narrow;                     /* [MAX_ROWS, max(hidden, ffn)], int8 weights */
    uint16_t *brief;                     /* the same in bfloat16 */
    float factor[MAX_ROWS];
} Scratch;

typedef struct {
    Model model;
    void *keys, *values;                 /* [layer, sequence, head, position …] */
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
    n = (float)(int32_t)(n - 0.5f);
    float r = x - n * 0.693359375f;
    r -= n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = ((int32_t)n + 127) << 23;
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

/* ---- matrices ----
 *
 * Sums of int8 weights times 16-bit activations are made in 32 bits. MOST keeps them from overflowing: a sum holds at
 * most SPAN products a lane, and 512 * 127 * 32000 < 2^31. */
#define MOST 32000
#define SPAN 512

/* What a product with a matrix reads: the rows of a call in the form that the weights' precision wants. */
static void prepare(const Decoder *d, Scratch *s, const float *x, int rows, int columns) {
    if (d->model.shape.precision == INT8) {
        for (int r = 0; r < rows; r++) {
            const float *from = x + (size_t)r * columns;
            int16_t *to = s->narrow + (size_t)r * columns;
            uint32_t top = 0; /* floats without their sign are ordered as their bits, and NaN is above all */
            for (int i = 0; i < columns; i++) {
                uint32_t bits;
                memcpy(&bits, from + i, 4);
                bits &= 0x7fffffffu;
                top = bits > top ? bits : top;
            }
            if (top >= 0x7f800000u) { /* infinite or NaN: must stay so, not turn into a quiet zero */
                s->factor[r] = NAN;
                memset(to, 0, (size_t)columns * sizeof(int16_t));
                continue;
            }
            float most;
            memcpy(&most, &top, 4);
            const float up = most > MOST / 3.4e38f ? MOST / most : 0; /* so small that 1 / most is infinite: nothing */
            s->factor[r] = most / MOST;
            for (int i = 0; i < columns; i++) to[i] = (int16_t)rintf(from[i] * up);
        }
    } else if (d->model.shape.precision == BFLOAT16) {
        for (size_t i = 0; i < (size_t)rows * columns; i++) s->brief[i] = to_bfloat16(x[i]);
    }
}

/* Weights lie in tiles of four rows: [rows / 4][columns / 32][4][32], so that a thread reads one stream from beginning to
 * end. (Four streams, one for each row, are beyond what the prefetchers follow: three times slower.)
 *
 * Four rows of weights against two rows of activations: y[0..3] and z[0..3]. */
#define CHUNK 32
#ifdef WIDE
#if defined(__AVX512VNNI__)
#define MADD(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)
#else
#define MADD(sum, a, b) _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
#endif
#define LANES_INT 16

static inline float total_int(__m512i v) { /* the lanes together may exceed 32 bits */
    return _mm512_reduce_add_ps(_mm512_cvtepi32_ps(v));
}

static void tile_int8(const int8_t *w, const int16_t *x0, const int16_t *x1, int columns, float *y, float *z) {
#define WIDEN(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)(p)))
    for (int c = 0; c < 4; c++) y[c] = z[c] = 0;
    for (int from = 0; from < columns; from += SPAN * LANES_INT) {
        const int to = columns - from > SPAN * LANES_INT ? from + SPAN * LANES_INT : columns;
        __m512i a0 = _mm512_setzero_si512(), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        for (int i = from; i < to; i += CHUNK, w += 4 * CHUNK) {
            const __m512i u = _mm512_loadu_si512(x0 + i), v = _mm512_loadu_si512(x1 + i);
            const __m512i w0 = WIDEN(w), w1 = WIDEN(w + CHUNK), w2 = WIDEN(w + 2 * CHUNK), w3 = WIDEN(w + 3 * CHUNK);
            a0 = MADD(a0, w0, u); a1 = MADD(a1, w1, u); a2 = MADD(a2, w2, u); a3 = MADD(a3, w3, u);
            b0 = MADD(b0, w0, v); b1 = MADD(b1, w1, v); b2 = MADD(b2, w2, v); b3 = MADD(b3, w3, v);
        }
        y[0] += total_int(a0); y[1] += total_int(a1); y[2] += total_int(a2); y[3] += total_int(a3);
        z[0] += total_int(b0); z[1] += total_int(b1); z[2] += total_int(b2); z[3] += total_int(b3);
    }
#undef WIDEN
}

static void tile_float(const float *w, const float *x0, const float *x1, int columns, float *y, float *z) {
    __m512 a0 = _mm512_setzero_ps(), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (int i = 0; i < columns; i += CHUNK, w += 4 * CHUNK)
        for (int j = 0; j < CHUNK; j += 16) {
            const __m512 u = _mm512_loadu_ps(x0 + i + j), v = _mm512_loadu_ps(x1 + i + j);
            const __m512 w0 = _mm512_loadu_ps(w + j), w1 = _mm512_loadu_ps(w + CHUNK + j);
            const __m512 w2 = _mm512_loadu_ps(w + 2 * CHUNK + j), w3 = _mm512_loadu_ps(w + 3 * CHUNK + j);
            a0 = _mm512_fmadd_ps(w0, u, a0); a1 = _mm512_fmadd_ps(w1, u, a1);
            a2 = _mm512_fmadd_ps(w2, u, a2); a3 = _mm512_fmadd_ps(w3, u, a3);
            b0 = _mm512_fmadd_ps(w0, v, b0); b1 = _mm512_fmadd_ps(w1, v, b1);
            b2 = _mm512_fmadd_ps(w2, v, b2); b3 = _mm512_fmadd_ps(w3, v, b3);
        }
    y[0] = _mm512_reduce_add_ps(a0); y[1] = _mm512_reduce_add_ps(a1);
    y[2] = _mm512_reduce_add_ps(a2); y[3] = _mm512_reduce_add_ps(a3);
    z[0] = _mm512_reduce_add_ps(b0); z[1] = _mm512_reduce_add_ps(b1);
    z[2] = _mm512_reduce_add_ps(b2); z[3] = _mm512_reduce_add_ps(b3);
}
#else
static void tile_int8(const int8_t *w, const int16_t *x0, const int16_t *x1, int columns, float *y, float *z) {
    for (int c = 0; c < 4; c++) {
        y[c] = z[c] = 0;
        for (int from = 0; from < columns; from += SPAN) {
            const int to = columns - from > SPAN ? from + SPAN : columns;
            int32_t a = 0, b = 0;
            for (int i = from; i < to; i += CHUNK) {
                const int8_t *row = w + (size_t)i * 4 + c * CHUNK;
                for (int j = 0; j < CHUNK; j++) {
                    a += (int32_t)row[j] * x0[i + j];
                    b += (int32_t)row[j] * x1[i + j];
                }
            }
            y[c] += (float)a;
            z[c] += (float)b;
        }
    }
}

static void tile_float(const float *w, const float *x0, const float *x1, int columns, float *y, float *z) {
    for (int c = 0; c < 4; c++) {
        float a[CHUNK] = {0}, b[CHUNK] = {0}; /* partial sums: compilers may vectorise without leave to reorder */
        for (int i = 0; i < columns; i += CHUNK) {
            const float *row = w + (size_t)i * 4 + c * CHUNK;
            for (int j = 0; j < CHUNK; j++) { a[j] += row[j] * x0[i + j]; b[j] += row[j] * x1[i + j]; }
        }
        y[c] = z[c] = 0;
        for (int j = 0; j < CHUNK; j++) { y[c] += a[j]; z[c] += b[j]; }
    }
}
#endif

#if defined(WIDE) && defined(__AVX512BF16__)
static void tile_bfloat16(const uint16_t *w, const uint16_t *x0, const uint16_t *x1, int columns, float *y, float *z) {
#define LOAD(p) ((__m512bh)_mm512_loadu_si512(p))
    __m512 a0 = _mm512_setzero_ps(), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (int i = 0; i < columns; i += CHUNK, w += 4 * CHUNK) {
        const __m512bh u = LOAD(x0 + i), v = LOAD(x1 + i);
        const __m512bh w0 = LOAD(w), w1 = LOAD(w + CHUNK), w2 = LOAD(w + 2 * CHUNK), w3 = LOAD(w + 3 * CHUNK);
        a0 = _mm512_dpbf16_ps(a0, w0, u); a1 = _mm512_dpbf16_ps(a1, w1, u);
        a2 = _mm512_dpbf16_ps(a2, w2, u); a3 = _mm512_dpbf16_ps(a3, w3, u);
        b0 = _mm512_dpbf16_ps(b0, w0, v); b1 = _mm512_dpbf16_ps(b1, w1, v);
        b2 = _mm512_dpbf16_ps(b2, w2, v); b3 = _mm512_dpbf16_ps(b3, w3, v);
    }
    y[0] = _mm512_reduce_add_ps(a0); y[1] = _mm512_reduce_add_ps(a1);
    y[2] = _mm512_reduce_add_ps(a2); y[3] = _mm512_reduce_add_ps(a3);
    z[0] = _mm512_reduce_add_ps(b0); z[1] = _mm512_reduce_add_ps(b1);
    z[2] = _mm512_reduce_add_ps(b2); z[3] = _mm512_reduce_add_ps(b3);
#undef LOAD
}
#else
static void tile_bfloat16(const uint16_t *w, const uint16_t *x0, const uint16_t *x1, int columns, float *y, float *z) {
    for (int c = 0; c < 4; c++) {
        float a[CHUNK] = {0}, b[CHUNK] = {0};
        for (int i = 0; i < columns; i += CHUNK) {
            const uint16_t *row = w + (size_t)i * 4 + c * CHUNK;
            for (int j = 0; j < CHUNK; j++) {
                const float v = from_bfloat16(row[j]);
                a[j] += v * from_bfloat16(x0[i + j]);
                b[j] += v * from_bfloat16(x1[i + j]);
            }
        }
        y[c] = z[c] = 0;
        for (int j = 0; j < CHUNK; j++) { y[c] += a[j]; z[c] += b[j]; }
    }
}
#endif

/* y[r * y_stride + n - from] (=, or += with `add`) the products of rows `from` to `to` of m (multiples of 4) with the rows
 * that `prepare` took. `x` are the same rows in float32. */
static void product(const Decoder *d, const Scratch *s, const Matrix *m, int from, int to, const float *x, int rows,
                    int columns, float *y, size_t y_stride, int add) {
    const int precision = d->model.shape.precision;
    for (int n = from; n < to; n += 4)
        for (int r = 0; r < rows; r += 2) {
            const int other = r + 1 < rows ? r + 1 : r;
            const size_t row = (size_t)n * columns, u = (size_t)r * columns, v = (size_t)other * columns;
            float first[4], second[4];
            if (precision == INT8) {
                tile_int8((const int8_t *)m->data + row, s->narrow + u, s->narrow + v, columns, first, second);
                for (int c = 0; c < 4; c++) {
                    first[c] *= m->scale[n + c] * s->factor[r];
                    second[c] *= m->scale[n + c] * s->factor[other];
                }
            } else if (precision == BFLOAT16) {
                tile_bfloat16((const uint16_t *)m->data + row, s->brief + u, s->brief + v, columns, first,
                              second);
            } else {
                tile_float((const float *)m->data + row, x + u, x + v, columns, first, second);
            }
            float *to_first = y + r * y_stride + (n - from), *to_second = y + other * y_stride + (n - from);
            for (int c = 0; c < 4; c++) {
                to_first[c] = add ? to_first[c] + first[c] : first[c];
                if (other != r) to_second[c] = add ? to_second[c] + second[c] : second[c];
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
 * Keys of a head: blocks of 16 positions. float32: [block][head size][16]. bfloat16: [block][head size / 2][16][2], so that
 * one instruction makes 16 scores out of two dimensions. Values: [position][head size]. */

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
#if defined(WIDE) && defined(__AVX512BF16__)
    uint32_t pairs[128];
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

/* Softmax in place without the division; returns what to divide by. */
static float soften(float *scores, int count) {
    float most = scores[0];
    for (int t = 1; t < count; t++) most = scores[t] > most ? scores[t] : most;
    float parts[16] = {0};
    int t = 0;
    for (; t + 16 <= count; t += 16)
        for (int l = 0; l < 16; l++) { scores[t + l] = exp_negative(scores[t + l] - most); parts[l] += scores[t + l]; }
    float sum = 0;
    for (; t < count; t++) { scores[t] = exp_negative(scores[t] - most); sum += scores[t]; }
    for (int l = 0; l < 16; l++) sum += parts[l];
    return sum;
}

#define MAX_HEAD 256
static void mix_float(const float *weights, const float *values, int size, int count, float scale, float *out) {
    float sum[MAX_HEAD] = {0};
    for (int t = 0; t < count; t++, values += size)
        for (int i = 0; i < size; i++) sum[i] += weights[t] * values[i];
    for (int i = 0; i < size; i++) out[i] = sum[i] * scale;
}

static void mix_bfloat16(const float *weights, const uint16_t *values, int size, int count, float scale, float *out) {
#ifdef WIDE
    if (size == 64) {
        __m512 a = _mm512_setzero_ps(), b = a, c = a, e = a;
#define WIDEN(p) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(p))), 16))
        for (int t = 0; t < count; t++, values += 64) {
            const __m512 w = _mm512_set1_ps(weights[t]);
            a = _mm512_fmadd_ps(w, WIDEN(values), a);
            b = _mm512_fmadd_ps(w, WIDEN(values + 16), b);
            c = _mm512_fmadd_ps(w, WIDEN(values + 32), c);
            e = _mm512_fmadd_ps(w, WIDEN(values + 48), e);
        }
#undef WIDEN
        const __m512 f = _mm512_set1_ps(scale);
        _mm512_storeu_ps(out, _mm512_mul_ps(a, f));
        _mm512_storeu_ps(out + 16, _mm512_mul_ps(b, f));
        _mm512_storeu_ps(out + 32, _mm512_mul_ps(c, f));
        _mm512_storeu_ps(out + 48, _mm512_mul_ps(e, f));
        return;
    }
#endif
    float sum[MAX_HEAD] = {0};
    for (int t = 0; t < count; t++, values += size)
        for (int i = 0; i < size; i++) sum[i] += weights[t] * from_bfloat16(values[i]);
    for (int i = 0; i < size; i++) out[i] = sum[i] * scale;
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
        float sum = 0;
        for (int i = 0; i < size; i++) sum += query[i] * keys[(size_t)t * size + i];
        s->scores[t] = sum * scale + bias[t];
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
        product(d, s, &layer->qkv, own_from, own_to, s->normed, rows, hidden, d->query + own_from, hidden, 0);
        product(d, s, &layer->qkv, hidden + own_from, hidden + own_to, s->normed, rows, hidden, keys + own_from, hidden,
                0);
        product(d, s, &layer->qkv, 2 * hidden + own_from, 2 * hidden + own_to, s->normed, rows, hidden,
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
        product(d, s, &layer->out, out_from, out_to, d->context, rows, hidden, d->x + out_from, hidden, 1);
        meet(d);
        if (layer->cross_q.data) {
            normalise(&layer->cross_norm, d->x, s->normed, rows, hidden);
            prepare(d, s, s->normed, rows, hidden);
            product(d, s, &layer->cross_q, own_from, own_to, s->normed, rows, hidden, d->query + own_from, hidden, 0);
            for (int h = head_from; h < head_to; h++)
                for (int r = 0; r < rows; r++)
                    attend_text(d, s, l, r / per, h, d->query + (size_t)r * hidden + h * size,
                                d->context + (size_t)r * hidden + h * size);
            meet(d);
            prepare(d, s, d->context, rows, hidden);
            product(d, s, &layer->cross_out, out_from, out_to, d->context, rows, hidden, d->x + out_from, hidden, 1);
            meet(d);
        }
        normalise(&layer->ffn_norm, d->x, s->normed, rows, hidden);
        prepare(d, s, s->normed, rows, hidden);
        product(d, s, &layer->fc1, ffn_from, ffn_to, s->normed, rows, hidden, d->inner + ffn_from, ffn, 0);
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
        product(d, s, &layer->fc2, out_from, out_to, d->inner, rows, ffn, d->x + out_from, hidden, 1);
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
        product(d, s, &d->model.lm_heads, from, to, s->normed, sequences, hidden, d->logits + from, total, 0);
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
        free(d->scratch[t].normed);
        free(d->scratch[t].narrow);
        free(d->scratch[t].brief);
    }
    free(d->keys); free(d->values); free(d->cross_keys); free(d->cross_values); free(d->cross_bias);
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
    const size_t item = s->precision == FLOAT32 ? 4 : 2;
    const size_t cache = (size_t)s->layers * s->sequences * s->hidden * s->max_positions * item;
    const size_t wide = s->hidden > s->ffn ? s->hidden : s->ffn;
    int good = (d->keys = zeroed(cache)) && (d->values = zeroed(cache)) &&
               (d->x = zeroed((size_t)MAX_ROWS * s->hidden * 4)) && (d->query = zeroed((size_t)MAX_ROWS * s->hidden * 4)) &&
               (d->context = zeroed((size_t)MAX_ROWS * s->hidden * 4)) && (d->inner = zeroed((size_t)MAX_ROWS * s->ffn * 4));
    for (int t = 0; good && t < s->threads; t++) {
        Scratch *c = &d->scratch[t];
        good = (c->scores = zeroed(((size_t)s->max_positions + 1024) * 4)) &&
               (c->normed = zeroed((size_t)MAX_ROWS * s->hidden * 4 * 3)) &&
               (c->narrow = zeroed((size_t)MAX_ROWS * wide * 2)) && (c->brief = zeroed((size_t)MAX_ROWS * wide * 2));
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

API int lofi_decoder_max_rows(void) { return MAX_ROWS; }

/* What the compiler was allowed to use, for the bench and the log. */
API const char *lofi_decoder_features(void) {
    return ""
#ifdef WIDE
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
