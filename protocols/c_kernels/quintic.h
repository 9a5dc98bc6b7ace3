/* Elements of K = F_p[X] / (X^5 + X^2 - 1) in lanes, and how they are loaded and stored.
 *
 * Loads and stores take the number of elements that are left, ``count``; where it is below LANES, the
 * rest of the lanes is zero and is not written. Callers pass the constant LANES in their main loop.
 */
typedef struct {
    Lanes c[DEGREE];
} Quintic;

/* a sum of five products of residues, below p 2^32: four are below 2 p 2^32, and below 2^64 */
INLINE Lanes sum_of_five(const Quintic *a, Lanes b0, Lanes b1, Lanes b2, Lanes b3, Lanes b4) {
    Lanes first = lanes_wide_add(lanes_multiply(a->c[0], b0), lanes_multiply(a->c[1], b1));
    Lanes second = lanes_wide_add(lanes_multiply(a->c[2], b2), lanes_multiply(a->c[3], b3));
    Lanes four = lanes_cut(lanes_wide_add(first, second));
    return lanes_cut(lanes_wide_add(four, lanes_multiply(a->c[4], b4)));
}
/* the product before reduction, each coefficient below p 2^32 */
INLINE Quintic wide_product(Quintic a, Quintic b) {
    /* entries of the matrix of b that X^5 = 1 - X^2 makes of more than one coefficient */
    Lanes c = lanes_subtract(b.c[1], b.c[4]), d = lanes_subtract(b.c[0], b.c[3]);
    Lanes e = lanes_subtract(b.c[4], b.c[2]), f = lanes_subtract(b.c[3], c);
    Quintic t;
    t.c[0] = sum_of_five(&a, b.c[0], b.c[4], b.c[3], b.c[2], c);
    t.c[1] = sum_of_five(&a, b.c[1], b.c[0], b.c[4], b.c[3], b.c[2]);
    t.c[2] = sum_of_five(&a, b.c[2], c, d, e, f);
    t.c[3] = sum_of_five(&a, b.c[3], b.c[2], c, d, e);
    t.c[4] = sum_of_five(&a, b.c[4], b.c[3], b.c[2], c, d);
    return t;
}
/* a sum of two unreduced values below p 2^32, below it again */
INLINE Quintic wide_sum(Quintic a, Quintic b) {
    Quintic t;
    for (int k = 0; k < DEGREE; k++) t.c[k] = lanes_cut(lanes_wide_add(a.c[k], b.c[k]));
    return t;
}
INLINE Quintic reduced(Quintic t) {
    Quintic r;
    for (int k = 0; k < DEGREE; k++) r.c[k] = lanes_reduce(t.c[k]);
    return r;
}
INLINE Quintic product(Quintic a, Quintic b) { return reduced(wide_product(a, b)); }
/* a b + x y with one reduction */
INLINE Quintic sum_of_products(Quintic a, Quintic b, Quintic x, Quintic y) {
    return reduced(wide_sum(wide_product(a, b), wide_product(x, y)));
}
INLINE Quintic sum(Quintic a, Quintic b) {
    Quintic r;
    for (int k = 0; k < DEGREE; k++) r.c[k] = lanes_add(a.c[k], b.c[k]);
    return r;
}
INLINE Quintic difference(Quintic a, Quintic b) {
    Quintic r;
    for (int k = 0; k < DEGREE; k++) r.c[k] = lanes_subtract(a.c[k], b.c[k]);
    return r;
}
/* a + r (b - a) */
INLINE Quintic between(Quintic a, Quintic b, Quintic r) {
    return sum(a, product(difference(b, a), r));
}
INLINE Quintic zero(void) {
    Quintic r;
    for (int k = 0; k < DEGREE; k++) r.c[k] = lanes_zero();
    return r;
}
/* one element in all lanes */
INLINE Quintic repeated(const Residue *x) {
    Quintic r;
    for (int k = 0; k < DEGREE; k++) r.c[k] = lanes_of(x[k]);
    return r;
}

INLINE void copy_words(Residue *to, const Residue *from, Index count) {
    for (Index i = 0; i < count; i++) to[i] = from[i];
}
/* elements i .. of an array (5, columns) */
INLINE Quintic load(const Residue *a, Index columns, Index i, Index count) {
    Quintic r;
    for (int k = 0; k < DEGREE; k++) {
        const Residue *from = a + k * columns + i;
        Residue rest[LANES] = {0};
        if (count < LANES) copy_words(rest, from, count);
        r.c[k] = lanes_load(count < LANES ? rest : from);
    }
    return r;
}
/* elements 2i, 2i + 2, ... and 2i + 1, 2i + 3, ... */
INLINE void load_pairs(const Residue *a, Index columns, Index i, Index count, Quintic *low, Quintic *high) {
    for (int k = 0; k < DEGREE; k++) {
        const Residue *from = a + k * columns + 2 * i;
        Residue rest[2 * LANES] = {0};
        if (count < LANES) copy_words(rest, from, 2 * count);
        lanes_pairs(count < LANES ? rest : from, &low->c[k], &high->c[k]);
    }
}
/* elements 4i, 4i + 4, ..., and those behind them: x[0] .. x[3] */
INLINE void load_fours(const Residue *a, Index columns, Index i, Index count, Quintic *x) {
    for (int k = 0; k < DEGREE; k++) {
        const Residue *from = a + k * columns + 4 * i;
        Residue rest[4 * LANES] = {0};
        Lanes four[4];
        if (count < LANES) copy_words(rest, from, 4 * count);
        lanes_fours(count < LANES ? rest : from, four);
        for (int which = 0; which < 4; which++) x[which].c[k] = four[which];
    }
}
INLINE void store(Residue *a, Index columns, Index i, Index count, Quintic x) {
    for (int k = 0; k < DEGREE; k++) {
        Residue *to = a + k * columns + i;
        Residue rest[LANES];
        lanes_store(count < LANES ? rest : to, x.c[k]);
        if (count < LANES) copy_words(to, rest, count);
    }
}
/* the sum of all lanes: five residues */
INLINE void sum_of_lanes(Quintic x, Residue *out) {
    for (int k = 0; k < DEGREE; k++) {
        Residue lanes[LANES];
        uint64_t total = 0;
        lanes_store(lanes, x.c[k]);
        for (int i = 0; i < LANES; i++) total += lanes[i];
        out[k] = (Residue)(total % P);
    }
}
/* the product of two single elements */
INLINE void single_product(const Residue *a, const Residue *b, Residue *out) {
    Residue c = (b[1] + (b[4] ? P - b[4] : 0)) % P, d = (b[0] + (b[3] ? P - b[3] : 0)) % P;
    Residue e = (b[4] + (b[2] ? P - b[2] : 0)) % P, f = (b[3] + (c ? P - c : 0)) % P;
    const Residue matrix[DEGREE][DEGREE] = {{b[0], b[4], b[3], b[2], c},
                                            {b[1], b[0], b[4], b[3], b[2]},
                                            {b[2], c, d, e, f},
                                            {b[3], b[2], c, d, e},
                                            {b[4], b[3], b[2], c, d}};
    for (int k = 0; k < DEGREE; k++) {
        uint64_t total = 0;
        for (int j = 0; j < DEGREE; j++) total += montgomery_product(a[j], matrix[k][j]);
        out[k] = (Residue)(total % P);
    }
}
