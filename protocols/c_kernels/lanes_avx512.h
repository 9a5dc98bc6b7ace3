/* Eight lanes of 64 bits. */
#include <immintrin.h>

#define LANES 8

typedef __m512i Lanes;

INLINE Lanes lanes_of(Residue x) { return _mm512_set1_epi64(x); }
INLINE Lanes lanes_zero(void) { return _mm512_setzero_si512(); }
INLINE Lanes lanes_add(Lanes a, Lanes b) {
    Lanes total = _mm512_add_epi32(a, b);
    return _mm512_min_epu32(total, _mm512_sub_epi32(total, _mm512_set1_epi64(P)));
}
INLINE Lanes lanes_subtract(Lanes a, Lanes b) {
    Lanes difference = _mm512_sub_epi32(a, b);
    return _mm512_min_epu32(difference, _mm512_add_epi32(difference, _mm512_set1_epi64(P)));
}
INLINE Lanes lanes_wide_add(Lanes a, Lanes b) { return _mm512_add_epi64(a, b); }
INLINE Lanes lanes_cut(Lanes t) {
    /* only high words change, so words of 32 bits can be compared */
    return _mm512_min_epu32(t, _mm512_sub_epi32(t, _mm512_set1_epi64((int64_t)P_HIGH)));
}
INLINE Lanes lanes_multiply(Lanes a, Lanes b) { return _mm512_mul_epu32(a, b); }
INLINE Lanes lanes_reduce(Lanes t) {
    Lanes multiple = _mm512_mul_epu32(_mm512_mul_epu32(t, lanes_of(P_INVERSE)), lanes_of(P));
    Lanes residue = _mm512_srli_epi64(_mm512_sub_epi32(t, multiple), 32);
    return _mm512_min_epu32(residue, _mm512_add_epi32(residue, lanes_of(P)));
}
INLINE void lanes_pairs(const Residue *a, Lanes *low, Lanes *high) {
    Lanes both = _mm512_loadu_si512(a);
    *low = _mm512_and_si512(both, _mm512_set1_epi64(0xffffffff));
    *high = _mm512_srli_epi64(both, 32);
}
INLINE void lanes_fours(const Residue *a, Lanes *x) {
    const Lanes evens = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const Lanes odds = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    Lanes first = _mm512_loadu_si512(a), second = _mm512_loadu_si512(a + 16);
    Lanes even = _mm512_permutex2var_epi64(first, evens, second);
    Lanes odd = _mm512_permutex2var_epi64(first, odds, second);
    x[0] = _mm512_and_si512(even, _mm512_set1_epi64(0xffffffff));
    x[1] = _mm512_srli_epi64(even, 32);
    x[2] = _mm512_and_si512(odd, _mm512_set1_epi64(0xffffffff));
    x[3] = _mm512_srli_epi64(odd, 32);
}
INLINE Lanes lanes_load(const Residue *a) {
    return _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)a));
}
INLINE void lanes_store(Residue *a, Lanes x) {
    _mm256_storeu_si256((__m256i *)a, _mm512_cvtepi64_epi32(x));
}
