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
