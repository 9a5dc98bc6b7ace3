/* Four lanes of 64 bits. */
#include <immintrin.h>

#define LANES 4

typedef __m256i Lanes;

INLINE Lanes lanes_of(Residue x) { return _mm256_set1_epi64x(x); }
INLINE Lanes lanes_zero(void) { return _mm256_setzero_si256(); }
INLINE Lanes lanes_add(Lanes a, Lanes b) {
    Lanes total = _mm256_add_epi32(a, b);
    return _mm256_min_epu32(total, _mm256_sub_epi32(total, _mm256_set1_epi64x(P)));
}
INLINE Lanes lanes_subtract(Lanes a, Lanes b) {
    Lanes difference = _mm256_sub_epi32(a, b);
    Lanes repaired = _mm256_add_epi32(difference, _mm256_set1_epi64x(P));
    return _mm256_min_epu32(difference, repaired);
}
INLINE Lanes lanes_wide_add(Lanes a, Lanes b) { return _mm256_add_epi64(a, b); }
INLINE Lanes lanes_cut(Lanes t) {
    /* only high words change, so words of 32 bits can be compared */
    return _mm256_min_epu32(t, _mm256_sub_epi32(t, _mm256_set1_epi64x((int64_t)P_HIGH)));
}
INLINE Lanes lanes_multiply(Lanes a, Lanes b) { return _mm256_mul_epu32(a, b); }
INLINE Lanes lanes_reduce(Lanes t) {
    Lanes multiple = _mm256_mul_epu32(_mm256_mul_epu32(t, lanes_of(P_INVERSE)), lanes_of(P));
    Lanes residue = _mm256_srli_epi64(_mm256_sub_epi32(t, multiple), 32);
    return _mm256_min_epu32(residue, _mm256_add_epi32(residue, lanes_of(P)));
}
INLINE void lanes_pairs(const Residue *a, Lanes *low, Lanes *high) {
    Lanes both = _mm256_loadu_si256((const __m256i *)a);
    *low = _mm256_and_si256(both, _mm256_set1_epi64x(0xffffffff));
    *high = _mm256_srli_epi64(both, 32);
}
INLINE void lanes_fours(const Residue *a, Lanes *x) {
    Lanes first = _mm256_loadu_si256((const __m256i *)a);
    Lanes second = _mm256_loadu_si256((const __m256i *)(a + 8));
    /* 64-bit words 0 4 2 6 and 1 5 3 7, put in order */
    Lanes even = _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(first, second), 0xd8);
    Lanes odd = _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(first, second), 0xd8);
    x[0] = _mm256_and_si256(even, _mm256_set1_epi64x(0xffffffff));
    x[1] = _mm256_srli_epi64(even, 32);
    x[2] = _mm256_and_si256(odd, _mm256_set1_epi64x(0xffffffff));
    x[3] = _mm256_srli_epi64(odd, 32);
}
INLINE Lanes lanes_load(const Residue *a) {
    return _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)a));
}
INLINE void lanes_store(Residue *a, Lanes x) {
    Lanes packed = _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    _mm_storeu_si128((__m128i *)a, _mm256_castsi256_si128(packed));
}
