/* Single numbers and rows of them: bfloat16, integers with a scale, exponentials, sums. */
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

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

/* Sums of int8 weights times 16-bit activations are made in 32 bits. MOST keeps them from overflowing: a sum holds at
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
