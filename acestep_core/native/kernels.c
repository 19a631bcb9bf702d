// What ACE-Step's time goes into, on a processor: matrix products of bfloat16 with sums in float32, each with what
// follows it done while the sums are still in the cache. Weights are taken as they lie in memory and rearranged panel by
// panel while they are used, so that there is no second copy of them.
//
// A convolution is such a product too, where sound lies [time, channels]: its taps are rows further on.

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#define PUBLIC __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

typedef float lanes __attribute__((vector_size(64)));
typedef uint32_t pairs __attribute__((vector_size(64)));  // 16 × two neighbours in bfloat16

// How many rows and vectors of columns are summed at a time: as many as there are registers for.
#ifdef __AVX512F__
enum { ROWS = 6, VECTORS = 4 };
#else
enum { ROWS = 3, VECTORS = 2 };
#endif
enum { PANEL = 16 * VECTORS, CHUNK = 84 * ROWS, DEPTH = 2048, MOST_THREADS = 64 };

INLINE lanes dot(lanes sum, pairs a, pairs b) {
#ifdef __AVX512BF16__
    return (lanes)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    return sum + (lanes)(a << 16) * (lanes)(b << 16) + (lanes)(a & 0xffff0000u) * (lanes)(b & 0xffff0000u);
#endif
}

INLINE uint16_t narrow(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

INLINE float wide(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float whole;
    memcpy(&whole, &bits, 4);
    return whole;
}

// sin²x: π is its period, and between −π/2 and π/2 it is (x·p(x²))².
INLINE float sine_squared(float x) {
    const float shift = 12582912.0f;  // 1.5·2²³: adding it rounds
    float turns = (x * 0.318309886f + shift) - shift;
    float y = x - turns * 3.14159274f + turns * 8.74227766e-8f;
    float z = y * y;
    float p = 1.0f + z * (-1.6666667e-1f + z * (8.3333310e-3f + z * (-1.9840874e-4f + z * (2.7525562e-6f + z * -2.3889859e-8f))));
    return z * p * p;
}

// 2ⁿ·e^r with |r| ≤ ln 2 / 2; libm's has no form for many numbers at once.
INLINE float exponential(float x) {
    const float shift = 12582912.0f;
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float n = (x * 1.44269504f + shift) - shift;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.0f + r * (1.0f + r * (0.5f + r * (1.6666667e-1f + r * (4.1666646e-2f + r * (8.3333310e-3f + r * 1.3888889e-3f)))));
    int32_t bits = ((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}

INLINE float silu(float x) { return x / (1.0f + exponential(-x)); }

// ---- work shared by threads ------------------------------------------------------------------------------------------

struct crew {
    void (*work)(const void *job, long item, void *scratch);
    const void *job;
    long items;
    size_t scratch;
    atomic_long next;
    atomic_int failed;
};

static void *labour(void *given) {
    struct crew *crew = given;
    void *scratch = NULL;
    if (crew->scratch && posix_memalign(&scratch, 64, crew->scratch)) {
        atomic_store(&crew->failed, 1);
        return NULL;
    }
    for (long item; (item = atomic_fetch_add(&crew->next, 1)) < crew->items;) crew->work(crew->job, item, scratch);
    free(scratch);
    return NULL;
}

// A thread takes some 20 µs to make, the shortest product a millisecond: none waits in between, which would cost the
// user's cores. 1 where there was no memory.
static int share(void (*work)(const void *, long, void *), const void *job, long items, size_t scratch, long threads) {
    struct crew crew = {work, job, items, scratch, 0, 0};
    pthread_t others[MOST_THREADS];
    long made = 0;
    if (threads > items) threads = items;
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    for (; made < threads - 1; made++)
        if (pthread_create(&others[made], NULL, labour, &crew)) break;
    labour(&crew);
    for (long i = 0; i < made; i++) pthread_join(others[i], NULL);
    return atomic_load(&crew.failed);
}

// ---- products --------------------------------------------------------------------------------------------------------

// y[m, n] = Σ a[m·a_row + tap·a_tap + k] · w[n, tap, k], then, each where it is given:
//   with w2, y = silu(y)·y2;   y += bias[n];   y *= gate[item of m, n];   y += sum[m, n] (add);   sum[m, n] = y (keep);
//   y += sin²(alpha[n]·y)·beta[n];   out[m, n] = y
// With three ``parts`` out has y narrowed, what that leaves off, and y narrowed again beside each other, which times
// weights that are whole, whole and what is left off of them is y·w with twice the digits. With ``made`` the products are there already, bfloat16 [rows, columns], and for w2 ``made2``.
struct product {
    long rows, columns, depth, taps;
    const uint16_t *a;
    long a_row, a_tap;
    const uint16_t *w, *w2;
    const float *bias, *gate;
    long item_rows;
    float *sum;
    long sum_row, add, keep;
    const float *alpha, *beta;
    uint16_t *out;
    long out_row, parts;
    const uint16_t *made, *made2;
    // set here
    long chunk, panels;
};

// Pairs of one column each, side by side: packed[k / 2][column].
static void pack(const uint16_t *w, long row, long from, long count, long have, uint32_t *packed) {
    for (long block = 0; block < count / 2; block += 64) {
        long end = block + 64 < count / 2 ? block + 64 : count / 2;
        for (long c = 0; c < have; c++) {
            const uint16_t *of = w + c * row + from;
            for (long k = block; k < end; k++) memcpy(packed + k * PANEL + c, of + 2 * k, 4);
        }
    }
}

INLINE void sums(const int rows, const int vectors, const uint16_t *a, long a_row, long count, const uint32_t *packed, lanes acc[ROWS][VECTORS]) {
    for (long k = 0; k < count / 2; k++) {
        pairs w[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) w[v] = *(const pairs *)(packed + k * PANEL + 16 * v);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            uint32_t two;
            memcpy(&two, a + r * a_row + 2 * k, 4);
            pairs both = two - (pairs){0};
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] = dot(acc[r][v], both, w[v]);
        }
    }
}

#define BLOCK(NAME, COUNT, WIDTH)                                                                                      \
    static void NAME(const uint16_t *a, long a_row, long a_tap, long taps, long count, const uint32_t *packed,         \
                     float *tile, long tile_row, int first) {                                                          \
        lanes acc[ROWS][VECTORS];                                                                                      \
        _Pragma("GCC unroll 6") for (int r = 0; r < COUNT; r++)                                                        \
            _Pragma("GCC unroll 4") for (int v = 0; v < WIDTH; v++)                                                    \
                acc[r][v] = first ? (lanes){0} : *(lanes *)(tile + r * tile_row + 16 * v);                             \
        for (long tap = 0; tap < taps; tap++)                                                                          \
            sums(COUNT, WIDTH, a + tap * a_tap, a_row, count, packed + tap * (count / 2) * PANEL, acc);                \
        _Pragma("GCC unroll 6") for (int r = 0; r < COUNT; r++)                                                        \
            _Pragma("GCC unroll 4") for (int v = 0; v < WIDTH; v++)                                                    \
                *(lanes *)(tile + r * tile_row + 16 * v) = acc[r][v];                                                  \
    }
BLOCK(whole_block, ROWS, VECTORS)
BLOCK(one_row, 1, VECTORS)
BLOCK(narrow_block, ROWS, 1)

static void blocks(long rows, long have, const uint16_t *a, long a_row, long a_tap, long taps, long count, const uint32_t *packed,
                   float *tile, long tile_row, int first) {
    long m = 0;
    if (have <= 16)
        for (; m + ROWS <= rows; m += ROWS)
            narrow_block(a + m * a_row, a_row, a_tap, taps, count, packed, tile + m * tile_row, tile_row, first);
    for (; m + ROWS <= rows; m += ROWS)
        whole_block(a + m * a_row, a_row, a_tap, taps, count, packed, tile + m * tile_row, tile_row, first);
    for (; m < rows; m++) one_row(a + m * a_row, a_row, a_tap, taps, count, packed, tile + m * tile_row, tile_row, first);
}

INLINE void finish_some(const struct product *p, long m, long n, const long have, const float *restrict tile) {
    float y[PANEL] __attribute__((aligned(64)));
    memcpy(y, tile, sizeof y);
    if (p->w2 || p->made2)
        for (long i = 0; i < PANEL / 2; i++) y[i] = silu(tile[i]) * tile[i + PANEL / 2];
    if (p->bias) {
        const float *restrict bias = p->bias + n;
        for (long i = 0; i < have; i++) y[i] += bias[i];
    }
    if (p->gate) {
        const float *restrict gate = p->gate + m / p->item_rows * p->columns + n;
        for (long i = 0; i < have; i++) y[i] *= gate[i];
    }
    if (p->sum) {
        float *restrict sum = p->sum + m * p->sum_row + n;
        if (p->add)
            for (long i = 0; i < have; i++) y[i] += sum[i];
        if (p->keep) memcpy(sum, y, have * sizeof *y);
    }
    if (p->alpha) {
        const float *restrict alpha = p->alpha + n, *restrict beta = p->beta + n;
        for (long i = 0; i < have; i++) y[i] += sine_squared(alpha[i] * y[i]) * beta[i];
    }
    if (p->out) {
        uint16_t *restrict out = p->out + m * p->out_row + n;
        for (long i = 0; i < have; i++) out[i] = narrow(y[i]);
        if (p->parts == 3) {
            for (long i = 0; i < have; i++) out[p->columns + i] = narrow(y[i] - wide(out[i]));
            memcpy(out + 2 * p->columns, out, have * sizeof *out);
        }
    }
}

// Loops whose length the compiler knows are several times as fast.
static void finish(const struct product *p, long m, long n, long have, const float *tile) {
    if (have == PANEL)
        finish_some(p, m, n, PANEL, tile);
    else if (have == PANEL / 2)
        finish_some(p, m, n, PANEL / 2, tile);
    else
        finish_some(p, m, n, have, tile);
}

static void widen(const uint16_t *from, long count, float *restrict to) {
    for (long i = 0; i < count; i++) to[i] = wide(from[i]);
}

static long panel_of(const struct product *p) { return p->w2 || p->made2 ? PANEL / 2 : PANEL; }

static void product_item(const void *job, long item, void *scratch) {
    const struct product *p = job;
    const long width = panel_of(p), row = p->taps * p->depth;
    const long begin = item / p->panels * p->chunk, n = item % p->panels * width;
    const long rows = p->rows - begin < p->chunk ? p->rows - begin : p->chunk;
    const long have = p->columns - n < width ? p->columns - n : width;
    const long depth = p->depth < DEPTH ? p->depth : DEPTH, together = depth < p->depth ? 1 : DEPTH / depth;
    float *tile = scratch;
    if (p->made) {
        for (long m = begin; m < begin + rows; m++) {
            widen(p->made + m * p->columns + n, have, tile);
            if (p->made2) widen(p->made2 + m * p->columns + n, have, tile + PANEL / 2);
            finish(p, m, n, have, tile);
        }
        return;
    }
    uint32_t *packed = (uint32_t *)(tile + CHUNK * PANEL);
    if (have < width) memset(packed, 0, (size_t)PANEL * DEPTH * 2);

    for (long tap = 0; tap < p->taps; tap += together) {
        long taps = p->taps - tap < together ? p->taps - tap : together;
        for (long from = 0; from < p->depth; from += depth) {
            long count = p->depth - from < depth ? p->depth - from : depth;
            for (long t = 0; t < taps; t++) {
                long at = (tap + t) * p->depth + from;
                uint32_t *to = packed + t * (count / 2) * PANEL;
                pack(p->w + n * row, row, at, count, have, to);
                if (p->w2) pack(p->w2 + n * row, row, at, count, have, to + PANEL / 2);
            }
            const uint16_t *a = p->a + begin * p->a_row + tap * p->a_tap + from;
            const int first = !tap && !from, last = tap + taps == p->taps && from + count == p->depth;
            const long step = last ? 8 * ROWS : rows;  // what is finished is finished while it is in the nearest cache
            for (long m = 0; m < rows; m += step) {
                const long some = rows - m < step ? rows - m : step;
                blocks(some, p->w2 ? PANEL : have, a + m * p->a_row, p->a_row, p->a_tap, taps, count, packed,
                       tile + m * PANEL, PANEL, first);
                for (long i = m; last && i < m + some; i++) finish(p, begin + i, n, have, tile + i * PANEL);
            }
        }
    }
}

// Returns 0, or 1 where there was no memory. ``depth`` must be even.
PUBLIC int ace_product(const struct product *given, long threads) {
    struct product p = *given;
    if (p.rows <= 0) return 0;
    p.panels = (p.columns + panel_of(&p) - 1) / panel_of(&p);
    long chunks = (p.rows + CHUNK - 1) / CHUNK;
    while (chunks * p.panels < 3 * threads && p.rows / chunks > 8 * ROWS) chunks++;
    p.chunk = (p.rows + chunks - 1) / chunks;
    p.chunk = (p.chunk + ROWS - 1) / ROWS * ROWS;
    chunks = (p.rows + p.chunk - 1) / p.chunk;
    size_t scratch = sizeof(float) * CHUNK * PANEL + (size_t)PANEL * DEPTH * 2;
    return share(product_item, &p, chunks * p.panels, scratch, threads);
}

// ---- what stands between products --------------------------------------------------------------------------------------

// out = x / rms(x) · scale[item, :] + shift[item, :], rows of ``width``
struct norm {
    long rows, width, item_rows;
    float eps;
    const float *x, *scale, *shift;
    uint16_t *out;
};

INLINE float inverse_rms(const float *x, long width, float eps) {
    lanes squares = {0};
    float rest = 0;
    long i = 0;
    for (; i + 16 <= width; i += 16) {
        lanes y;
        memcpy(&y, x + i, sizeof y);
        squares += y * y;
    }
    for (; i < width; i++) rest += x[i] * x[i];
    for (int k = 0; k < 16; k++) rest += squares[k];
    return 1.0f / sqrtf(rest / (float)width + eps);
}

enum { FEW = 32 };

static void norm_item(const void *job, long item, void *scratch) {
    (void)scratch;
    const struct norm *p = job;
    long end = (item + 1) * FEW < p->rows ? (item + 1) * FEW : p->rows;
    for (long m = item * FEW; m < end; m++) {
        const float *x = p->x + m * p->width, *scale = p->scale + m / p->item_rows * p->width;
        const float *shift = p->shift ? p->shift + m / p->item_rows * p->width : NULL;
        float by = inverse_rms(x, p->width, p->eps);
        uint16_t *out = p->out + m * p->width;
        if (shift)
            for (long i = 0; i < p->width; i++) out[i] = narrow(x[i] * by * scale[i] + shift[i]);
        else
            for (long i = 0; i < p->width; i++) out[i] = narrow(x[i] * by * scale[i]);
    }
}

PUBLIC int ace_norm(const struct norm *p, long threads) {
    return share(norm_item, p, (p->rows + FEW - 1) / FEW, 0, threads);
}

// Each head of each row normalised, weighted and, with tables [positions, width], turned by its position.
struct heads {
    long rows, heads, width, positions;
    float eps;
    const float *x, *weight, *cosine, *sine;
    uint16_t *out;
};

static void heads_item(const void *job, long item, void *scratch) {
    (void)scratch;
    const struct heads *p = job;
    const long half = p->width / 2, end = (item + 1) * FEW < p->rows ? (item + 1) * FEW : p->rows;
    for (long m = item * FEW; m < end; m++) {
        const long position = m % p->positions;
        for (long h = 0; h < p->heads; h++) {
            const float *x = p->x + (m * p->heads + h) * p->width, *weight = p->weight;
            uint16_t *out = p->out + (m * p->heads + h) * p->width;
            float by = inverse_rms(x, p->width, p->eps);
            if (!p->cosine) {
                for (long i = 0; i < p->width; i++) out[i] = narrow(x[i] * by * weight[i]);
                continue;
            }
            const float *c = p->cosine + position * p->width, *s = p->sine + position * p->width;
            for (long i = 0; i < half; i++) {
                float real = x[i] * by * weight[i], imaginary = x[i + half] * by * weight[i + half];
                out[i] = narrow(real * c[i] - imaginary * s[i]);
                out[i + half] = narrow(imaginary * c[i + half] + real * s[i + half]);
            }
        }
    }
}

PUBLIC int ace_heads(const struct heads *p, long threads) {
    return share(heads_item, p, (p->rows + FEW - 1) / FEW, 0, threads);
}

// ---- attention ---------------------------------------------------------------------------------------------------------

// softmax(q·kᵀ·scale)·v: q [items, rows, heads, width], k and v [items, tokens, kv_heads, width]; a row attends tokens no
// further than ``window`` from it, or all where it is negative.
struct attention {
    long items, rows, tokens, heads, kv_heads, width, window;
    float scale;
    const uint16_t *q, *k, *v;
    uint16_t *out;
    // set here
    long chunk, chunks, token_panels, width_panels;
};

// Tokens two by two, as the sums over them want it: packed[token / 2][column].
static void pack_values(const uint16_t *v, long row, long tokens, long have, uint32_t *packed) {
    for (long t = 0; t < tokens; t += 2) {
        const uint16_t *one = v + t * row, *two = one + row;
        uint32_t *to = packed + t / 2 * PANEL;
        if (t + 1 < tokens)
            for (long c = 0; c < have; c++) to[c] = one[c] | (uint32_t)two[c] << 16;
        else
            for (long c = 0; c < have; c++) to[c] = one[c];
    }
}

// Scores of one row → weights in bfloat16 that have yet to be divided by their sum, which is returned.
static float weigh(float *scores, long low, long high, float scale, uint16_t *weights, long begin, long end) {
    float most = -INFINITY, total = 0;
    float highest[16];
    for (int i = 0; i < 16; i++) highest[i] = -INFINITY;
    long t = low;
    for (; t + 16 <= high; t += 16)
        for (int i = 0; i < 16; i++) highest[i] = scores[t + i] > highest[i] ? scores[t + i] : highest[i];
    for (; t < high; t++) most = scores[t] > most ? scores[t] : most;
    for (int i = 0; i < 16; i++) most = highest[i] > most ? highest[i] : most;
    for (t = low; t < high; t++) scores[t] = exponential((scores[t] - most) * scale);
    lanes parts = {0};
    t = low;
    for (; t + 16 <= high; t += 16) {
        lanes y;
        memcpy(&y, scores + t, sizeof y);
        parts += y;
    }
    for (; t < high; t++) total += scores[t];
    for (int i = 0; i < 16; i++) total += parts[i];
    memset(weights + begin, 0, (low - begin) * sizeof *weights);
    for (t = low; t < high; t++) weights[t] = narrow(scores[t]);
    memset(weights + high, 0, (end - high) * sizeof *weights);
    return total;
}

static void attention_item(const void *job, long item, void *scratch) {
    const struct attention *p = job;
    const long chunk = item % p->chunks, kv = item / p->chunks % p->kv_heads, batch = item / p->chunks / p->kv_heads;
    const long group = p->heads / p->kv_heads, q_row = p->heads * p->width, kv_row = p->kv_heads * p->width;
    const long scores_row = p->token_panels * PANEL, even = (p->tokens + 1) / 2 * 2;
    const uint16_t *k = p->k + (batch * p->tokens * p->kv_heads + kv) * p->width;
    const uint16_t *v = p->v + (batch * p->tokens * p->kv_heads + kv) * p->width;

    float *scores = scratch;
    float *found = scores + ROWS * scores_row;
    uint32_t *keys = (uint32_t *)(found + ROWS * p->width_panels * PANEL);
    uint32_t *values = keys + scores_row * p->width / 2;
    uint16_t *weights = (uint16_t *)(values + p->width_panels * PANEL * even / 2);
    for (long panel = 0; panel < p->token_panels; panel++) {
        long have = p->tokens - panel * PANEL < PANEL ? p->tokens - panel * PANEL : PANEL;
        uint32_t *to = keys + panel * PANEL * p->width / 2;
        if (have < PANEL) memset(to, 0, (size_t)PANEL * p->width * 2);
        pack(k + panel * PANEL * kv_row, kv_row, 0, p->width, have, to);
    }
    for (long panel = 0; panel < p->width_panels; panel++) {
        long have = p->width - panel * PANEL < PANEL ? p->width - panel * PANEL : PANEL;
        uint32_t *to = values + panel * PANEL * even / 2;
        if (have < PANEL) memset(to, 0, (size_t)PANEL * even * 2);
        pack_values(v + panel * PANEL, kv_row, p->tokens, have, to);
    }

    const long last = (chunk + 1) * p->chunk < p->rows ? (chunk + 1) * p->chunk : p->rows;
    for (long head = kv * group; head < (kv + 1) * group; head++)
        for (long m = chunk * p->chunk; m < last; m += ROWS) {
            const long rows = last - m < ROWS ? last - m : ROWS;
            const uint16_t *q = p->q + ((batch * p->rows + m) * p->heads + head) * p->width;
            long low = 0, high = p->tokens;
            if (p->window >= 0) {
                low = m - p->window > 0 ? m - p->window : 0;
                high = m + rows + p->window < high ? m + rows + p->window : high;
            }
            const long begin = low / 2 * 2, end = (high + 1) / 2 * 2;
            for (long panel = low / PANEL; panel * PANEL < high; panel++)
                blocks(rows, high - panel * PANEL, q, q_row, 0, 1, p->width, keys + panel * PANEL * p->width / 2, scores + panel * PANEL, scores_row, 1);
            float by[ROWS];
            for (long r = 0; r < rows; r++) {
                long from = low, to = high;
                if (p->window >= 0) {
                    from = m + r - p->window > low ? m + r - p->window : low;
                    to = m + r + p->window + 1 < high ? m + r + p->window + 1 : high;
                }
                by[r] = 1.0f / weigh(scores + r * scores_row, from, to, p->scale, weights + r * even, begin, end);
            }
            for (long panel = 0; panel < p->width_panels; panel++)
                blocks(rows, p->width - panel * PANEL, weights + begin, even, 0, 1, end - begin, values + (panel * even / 2 + begin / 2) * PANEL, found + panel * PANEL, p->width_panels * PANEL, 1);
            for (long r = 0; r < rows; r++) {
                uint16_t *out = p->out + ((batch * p->rows + m + r) * p->heads + head) * p->width;
                const float *y = found + r * p->width_panels * PANEL;
                for (long i = 0; i < p->width; i++) out[i] = narrow(y[i] * by[r]);
            }
        }
}

// ``width`` must be even.
PUBLIC int ace_attention(const struct attention *given, long threads) {
    struct attention p = *given;
    if (p.rows <= 0) return 0;
    p.token_panels = (p.tokens + PANEL - 1) / PANEL;
    p.width_panels = (p.width + PANEL - 1) / PANEL;
    p.chunks = 1;
    while (p.chunks * p.items * p.kv_heads < 3 * threads && p.rows / p.chunks > 8 * ROWS) p.chunks++;
    p.chunk = (p.rows + p.chunks - 1) / p.chunks;
    p.chunk = (p.chunk + ROWS - 1) / ROWS * ROWS;
    p.chunks = (p.rows + p.chunk - 1) / p.chunk;
    const size_t even = (p.tokens + 1) / 2 * 2, tokens = p.token_panels * PANEL, width = p.width_panels * PANEL;
    const size_t scratch = 4 * ROWS * (tokens + width) + 2 * (tokens * p.width + width * even + ROWS * even);
    return share(attention_item, &p, p.chunks * p.items * p.kv_heads, scratch, threads);
}
