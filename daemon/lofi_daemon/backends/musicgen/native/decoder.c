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
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "attention.h"
#include "model.h"
#include "products.h"
#include "sampling.h"

#define API __attribute__((visibility("default")))

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

/* x [copies, items, hidden]: each item's sum of its codebooks' entries, codes [items, codebooks] of a table [codebooks,
 * entries, hidden], plus `position` [hidden]. */
API void lofi_embed(const float *table, const float *position, const int64_t *codes, int items, int codebooks, int entries,
                    int hidden, int copies, float *x) {
    for (int item = 0; item < items; item++) {
        float *sum = x + (size_t)item * hidden;
        memset(sum, 0, hidden * sizeof(float));
        for (int k = 0; k < codebooks; k++) {
            const float *entry = table + ((size_t)k * entries + codes[item * codebooks + k]) * hidden;
            for (int i = 0; i < hidden; i++) sum[i] += entry[i];
        }
        for (int i = 0; i < hidden; i++) sum[i] += position[i];
    }
    const size_t size = (size_t)items * hidden;
    for (int copy = 1; copy < copies; copy++) memcpy(x + copy * size, x, size * sizeof(float));
}

/* Tokens [items, codebooks] from the logits of a step: of `guided` ones the conditional half comes first. noise [items *
 * codebooks, vocab]: see pick. Returns 0, or -1 if a logit is no number. */
API int lofi_sample(const float *logits, int items, int codebooks, int vocab, int guided, float guidance, float temperature,
                    int top_k, const float *noise, float *scores, int64_t *tokens) {
    for (int row = 0; row < items * codebooks; row++) {
        const float *seen = logits + (size_t)row * vocab;
        const float *unseen = guided ? seen + (size_t)items * codebooks * vocab : NULL;
        const float *drawn = noise ? noise + (size_t)row * vocab : NULL;
        tokens[row] = pick(seen, unseen, guidance, temperature, top_k, drawn, vocab, scores);
        if (tokens[row] < 0) return -1;
    }
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
