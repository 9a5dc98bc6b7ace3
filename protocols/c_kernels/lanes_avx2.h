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

/* Eight residues in 32 bits each. */
#define WIDTH 8

typedef __m256i Words;

INLINE Words words_of(uint32_t x) { return _mm256_set1_epi32((int32_t)x); }
INLINE Words words_load(const uint32_t *a) { return _mm256_loadu_si256((const __m256i *)a); }
INLINE void words_store(uint32_t *a, Words x) { _mm256_storeu_si256((__m256i *)a, x); }
INLINE Words words_add(Words a, Words b) {
    Words total = _mm256_add_epi32(a, b);
    return _mm256_min_epu32(total, _mm256_sub_epi32(total, words_of(P)));
}
INLINE Words words_subtract(Words a, Words b) {
    Words difference = _mm256_sub_epi32(a, b);
    return _mm256_min_epu32(difference, _mm256_add_epi32(difference, words_of(P)));
}
INLINE Words words_lazy_subtract(Words a, Words b) {
    return _mm256_add_epi32(_mm256_sub_epi32(a, b), words_of(P));
}
/* the high halves of products of even and of odd words, in their places */
INLINE Words words_high(Words even, Words odd) {
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}
/* a factor that is the same in all words, with its quotient */
INLINE Words words_times(Words a, Words factor, Words quotient) {
    Words odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), quotient);
    Words multiple = words_high(_mm256_mul_epu32(a, quotient), odd);
    Words residue = _mm256_sub_epi32(_mm256_mullo_epi32(a, factor), _mm256_mullo_epi32(multiple, words_of(P)));
    return _mm256_min_epu32(residue, _mm256_sub_epi32(residue, words_of(P)));
}
INLINE Words words_product(Words a, Words b) {
    Words even = _mm256_mul_epu32(a, b);
    Words odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    Words even_multiple = _mm256_mul_epu32(_mm256_mul_epu32(even, words_of(P_INVERSE)), words_of(P));
    Words odd_multiple = _mm256_mul_epu32(_mm256_mul_epu32(odd, words_of(P_INVERSE)), words_of(P));
    Words residue = _mm256_sub_epi32(words_high(even, odd), words_high(even_multiple, odd_multiple));
    return _mm256_min_epu32(residue, _mm256_add_epi32(residue, words_of(P)));
}
INLINE Words words_plus(Words a, Words b) { return _mm256_add_epi32(a, b); }
INLINE Words words_and(Words a, Words b) { return _mm256_and_si256(a, b); }
INLINE Words words_xor(Words a, Words b, Words c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
INLINE Words words_choose(Words x, Words y, Words z) {
    return _mm256_xor_si256(z, _mm256_and_si256(x, _mm256_xor_si256(y, z)));
}
INLINE Words words_majority(Words x, Words y, Words z) {
    return _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)));
}
INLINE Words words_shift(Words a, int count) { return _mm256_srli_epi32(a, count); }
INLINE Words words_shift_left(Words a, int count) { return _mm256_slli_epi32(a, count); }
INLINE Words words_rotate(Words a, int count) {
    return _mm256_or_si256(_mm256_srli_epi32(a, count), _mm256_slli_epi32(a, 32 - count));
}
INLINE Words words_swap(Words a) {
    const Words order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
    return _mm256_shuffle_epi8(a, order);
}
/* 8 words from each of 8 rows, as 8 columns, 16 words apart */
INLINE void words_transpose_eight(const uint32_t *from, Index stride, uint32_t *to) {
    Words a[8], b[8];
    for (int i = 0; i < 8; i++) a[i] = words_load(from + i * stride);
    for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_epi32(a[i], a[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int half = 0; half < 2; half++) {
            a[i + 2 * half] = _mm256_unpacklo_epi64(b[i + half], b[i + half + 2]);
            a[i + 2 * half + 1] = _mm256_unpackhi_epi64(b[i + half], b[i + half + 2]);
        }
    for (int i = 0; i < 4; i++) {
        words_store(to + 16 * i, _mm256_permute2x128_si256(a[i], a[i + 4], 0x20));
        words_store(to + 16 * (i + 4), _mm256_permute2x128_si256(a[i], a[i + 4], 0x31));
    }
}
/* 16 words from each of 16 rows, as 16 columns behind each other */
INLINE void words_transpose(const uint32_t *from, Index stride, uint32_t *to) {
    for (int i = 0; i < 16; i += 8)
        for (int j = 0; j < 16; j += 8) words_transpose_eight(from + i * stride + j, stride, to + 16 * j + i);
}
