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

/* Sixteen residues in 32 bits each. */
#define WIDTH 16

typedef __m512i Words;

INLINE Words words_of(uint32_t x) { return _mm512_set1_epi32((int32_t)x); }
INLINE Words words_load(const uint32_t *a) { return _mm512_loadu_si512(a); }
INLINE void words_store(uint32_t *a, Words x) { _mm512_storeu_si512(a, x); }
INLINE Words words_add(Words a, Words b) {
    Words total = _mm512_add_epi32(a, b);
    return _mm512_min_epu32(total, _mm512_sub_epi32(total, words_of(P)));
}
INLINE Words words_subtract(Words a, Words b) {
    Words difference = _mm512_sub_epi32(a, b);
    return _mm512_min_epu32(difference, _mm512_add_epi32(difference, words_of(P)));
}
INLINE Words words_lazy_subtract(Words a, Words b) {
    return _mm512_add_epi32(_mm512_sub_epi32(a, b), words_of(P));
}
/* the high halves of products of even and of odd words, in their places */
INLINE Words words_high(Words even, Words odd) {
    return _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
}
/* a factor that is the same in all words, with its quotient */
INLINE Words words_times(Words a, Words factor, Words quotient) {
    Words odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), quotient);
    Words multiple = words_high(_mm512_mul_epu32(a, quotient), odd);
    Words residue = _mm512_sub_epi32(_mm512_mullo_epi32(a, factor), _mm512_mullo_epi32(multiple, words_of(P)));
    return _mm512_min_epu32(residue, _mm512_sub_epi32(residue, words_of(P)));
}
INLINE Words words_product(Words a, Words b) {
    Words even = _mm512_mul_epu32(a, b);
    Words odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    Words even_multiple = _mm512_mul_epu32(_mm512_mul_epu32(even, words_of(P_INVERSE)), words_of(P));
    Words odd_multiple = _mm512_mul_epu32(_mm512_mul_epu32(odd, words_of(P_INVERSE)), words_of(P));
    Words residue = _mm512_sub_epi32(words_high(even, odd), words_high(even_multiple, odd_multiple));
    return _mm512_min_epu32(residue, _mm512_add_epi32(residue, words_of(P)));
}
INLINE Words words_plus(Words a, Words b) { return _mm512_add_epi32(a, b); }
INLINE Words words_and(Words a, Words b) { return _mm512_and_si512(a, b); }
/* the last number of each is the truth table of three bits */
INLINE Words words_xor(Words a, Words b, Words c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
INLINE Words words_choose(Words x, Words y, Words z) { return _mm512_ternarylogic_epi32(x, y, z, 0xca); }
INLINE Words words_majority(Words x, Words y, Words z) { return _mm512_ternarylogic_epi32(x, y, z, 0xe8); }
#define words_shift(a, count) _mm512_srli_epi32(a, count)
#define words_shift_left(a, count) _mm512_slli_epi32(a, count)
#define words_rotate(a, count) _mm512_ror_epi32(a, count)
INLINE Words words_swap(Words a) {
    const Words order = _mm512_broadcast_i32x4(
        _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
    return _mm512_shuffle_epi8(a, order);
}
/* 16 words from each of 16 rows, as 16 columns behind each other */
INLINE void words_transpose(const uint32_t *from, Index stride, uint32_t *to) {
    Words a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = words_load(from + i * stride);
    for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    /* a[4 g + c]: column c of every four, of rows 4g .. 4g + 3 */
    for (int i = 0; i < 16; i += 4)
        for (int half = 0; half < 2; half++) {
            a[i + 2 * half] = _mm512_unpacklo_epi64(b[i + half], b[i + half + 2]);
            a[i + 2 * half + 1] = _mm512_unpackhi_epi64(b[i + half], b[i + half + 2]);
        }
    for (int c = 0; c < 4; c++) {
        Words low = _mm512_shuffle_i32x4(a[c], a[4 + c], 0x44), high = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0x44);
        words_store(to + 16 * c, _mm512_shuffle_i32x4(low, high, 0x88));
        words_store(to + 16 * (4 + c), _mm512_shuffle_i32x4(low, high, 0xdd));
        low = _mm512_shuffle_i32x4(a[c], a[4 + c], 0xee);
        high = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0xee);
        words_store(to + 16 * (8 + c), _mm512_shuffle_i32x4(low, high, 0x88));
        words_store(to + 16 * (12 + c), _mm512_shuffle_i32x4(low, high, 0xdd));
    }
}
