/* What the step works on: the model as Python hands it over, and everything that is remembered between two calls. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

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
