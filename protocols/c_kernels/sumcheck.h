/* Sumchecks over arrays in K: binding a bit (SPEC.md 17.6). */

INLINE void fold_step(const Residue *a, Index columns, Quintic r, Residue *out, Index out_columns, Index i,
                      Index count) {
    Quintic low, high;
    load_pairs(a, columns, i, count, &low, &high);
    store(out, out_columns, i, count, between(low, high, r));
}
/* a_2i + r (a_2i+1 - a_2i); a task is CHUNK pairs of one array */
KERNEL(fold)
(Index begin, Index end, const Residue *arrays, Index columns, const Residue *r, Residue *out, Index out_columns) {
    Index pairs = columns / 2, chunks = chunks_of(pairs);
    Quintic bound = repeated(r);
    for (Index task = begin; task < end; task++) {
        Index which = task / chunks, i = task % chunks * CHUNK, stop = least(i + CHUNK, pairs);
        const Residue *from = arrays + which * DEGREE * columns;
        Residue *to = out + which * DEGREE * out_columns;
        for (; i + LANES <= stop; i += LANES) fold_step(from, columns, bound, to, out_columns, i, LANES);
        if (i < stop) fold_step(from, columns, bound, to, out_columns, i, stop - i);
    }
}

INLINE void product_step(Quintic *zeros, Quintic *infinities, const Residue *a, Index columns, Index i, Index count) {
    Quintic low, high, other_low, other_high;
    load_pairs(a, columns, i, count, &low, &high);
    load_pairs(a + DEGREE * columns, columns, i, count, &other_low, &other_high);
    *zeros = wide_sum(*zeros, wide_product(low, other_low));
    Quintic steps = wide_product(difference(high, low), difference(other_high, other_low));
    *infinities = wide_sum(*infinities, steps);
}
/* s(0) and s(inf) of the sum of products of two arrays (2, 5, columns); a task is CHUNK pairs */
KERNEL(product_round)(Index begin, Index end, const Residue *arrays, Index columns, Residue *sums) {
    Index pairs = columns / 2;
    for (Index task = begin; task < end; task++) {
        Index i = task * CHUNK, stop = least(i + CHUNK, pairs);
        Quintic zeros = zero(), infinities = zero();
        for (; i + LANES <= stop; i += LANES) product_step(&zeros, &infinities, arrays, columns, i, LANES);
        if (i < stop) product_step(&zeros, &infinities, arrays, columns, i, stop - i);
        sum_of_lanes(reduced(zeros), sums + 2 * DEGREE * task);
        sum_of_lanes(reduced(infinities), sums + 2 * DEGREE * task + DEGREE);
    }
}
