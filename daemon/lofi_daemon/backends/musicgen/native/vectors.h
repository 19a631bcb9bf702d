/* The processor's widest vectors under one name; LANES is undefined where there are none that we spell out. */
#pragma once
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

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
