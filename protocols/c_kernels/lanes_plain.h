/* One lane without vector instructions: for every processor, and what the other levels are tested by. */
#define LANES 1

typedef uint64_t Lanes;

INLINE uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }
INLINE Lanes lanes_of(Residue x) { return x; }
INLINE Lanes lanes_zero(void) { return 0; }
INLINE Lanes lanes_add(Lanes a, Lanes b) {
    uint32_t total = (uint32_t)a + (uint32_t)b;
    return smaller(total, total - P);
}
INLINE Lanes lanes_subtract(Lanes a, Lanes b) {
    uint32_t difference = (uint32_t)a - (uint32_t)b;
    return smaller(difference, difference + P);
}
INLINE Lanes lanes_wide_add(Lanes a, Lanes b) { return a + b; }
INLINE Lanes lanes_cut(Lanes t) { return t < P_HIGH ? t : t - P_HIGH; }
INLINE Lanes lanes_multiply(Lanes a, Lanes b) { return (uint64_t)(uint32_t)a * (uint32_t)b; }
INLINE Lanes lanes_reduce(Lanes t) {
    uint64_t multiple = (uint64_t)((uint32_t)t * P_INVERSE) * P;
    uint32_t residue = (uint32_t)(t >> 32) - (uint32_t)(multiple >> 32);
    return smaller(residue, residue + P);
}
INLINE void lanes_pairs(const Residue *a, Lanes *low, Lanes *high) {
    *low = a[0];
    *high = a[1];
}
INLINE void lanes_fours(const Residue *a, Lanes *x) {
    x[0] = a[0];
    x[1] = a[1];
    x[2] = a[2];
    x[3] = a[3];
}
INLINE Lanes lanes_load(const Residue *a) { return a[0]; }
INLINE void lanes_store(Residue *a, Lanes x) { a[0] = (Residue)x; }

/* A word is one residue in 32 bits. */
#define WIDTH 1

typedef uint32_t Words;

INLINE Words words_of(uint32_t x) { return x; }
INLINE Words words_load(const uint32_t *a) { return *a; }
INLINE void words_store(uint32_t *a, Words x) { *a = x; }
INLINE Words words_add(Words a, Words b) { return smaller(a + b, a + b - P); }
INLINE Words words_subtract(Words a, Words b) { return smaller(a - b, a - b + P); }
INLINE Words words_lazy_subtract(Words a, Words b) { return a - b + P; }
INLINE Words words_times(Words a, Words factor, Words quotient) {
    uint32_t multiple = (uint32_t)((uint64_t)a * quotient >> 32);
    uint32_t residue = a * factor - multiple * P;
    return smaller(residue, residue - P);
}
INLINE Words words_product(Words a, Words b) { return montgomery_product(a, b); }
INLINE Words words_plus(Words a, Words b) { return a + b; }
INLINE Words words_and(Words a, Words b) { return a & b; }
INLINE Words words_xor(Words a, Words b, Words c) { return a ^ b ^ c; }
INLINE Words words_choose(Words x, Words y, Words z) { return z ^ (x & (y ^ z)); }
INLINE Words words_majority(Words x, Words y, Words z) { return (x & y) | (z & (x | y)); }
INLINE Words words_shift(Words a, int count) { return a >> count; }
INLINE Words words_shift_left(Words a, int count) { return a << count; }
INLINE Words words_rotate(Words a, int count) { return a >> count | a << (32 - count); }
INLINE Words words_swap(Words a) { return __builtin_bswap32(a); }
/* 16 words from each of 16 rows, as 16 columns behind each other */
INLINE void words_transpose(const uint32_t *from, Index stride, uint32_t *to) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) to[16 * j + i] = from[i * stride + j];
}
