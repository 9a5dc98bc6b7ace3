/* The fraction tree: leaves, parents, round polynomials (SPEC.md 17.5).
 *
 * The layout and every kernel's meaning are those of zkwm_protocols.argument.logup_gkr.kernels, which
 * has the same loops for Numba. ``n_rows`` is 1 where all rows share their numerators.
 */

/* d[b, :, u] = table[rows[b, u]] for rows begin .. end - 1, zeros behind ``lookups``; the table has rows
 * of eight words. Callers have checked all row numbers; one outside would be read as 0, never memory
 * outside of the table. */
KERNEL(gather_leaves)
(Index begin, Index end, const Residue *table, Index table_rows, const int32_t *rows, Index lookups, Residue *d,
 Index width) {
    for (Index b = begin; b < end; b++) {
        const int32_t *row = rows + b * lookups;
        Residue *out = d + b * DEGREE * width;
        for (Index u = 0; u < lookups; u++) {
            Index at = row[u] >= 0 && row[u] < table_rows ? row[u] : 0;
            const Residue *entry = table + 8 * at;
            for (int k = 0; k < DEGREE; k++) out[k * width + u] = entry[k];
        }
        for (int k = 0; k < DEGREE; k++)
            for (Index u = lookups; u < width; u++) out[k * width + u] = 0;
    }
}

/* n = n0 (1 + d1) + n1 (1 + d0), d = d0 + d1 + d0 d1 */
INLINE void parents_step(const Residue *n, const Residue *d, Index columns, Residue *parent_n, Residue *parent_d,
                         Index out_columns, Index i, Index count) {
    Quintic n0, n1, d0, d1;
    load_pairs(n, columns, i, count, &n0, &n1);
    load_pairs(d, columns, i, count, &d0, &d1);
    store(parent_n, out_columns, i, count, sum(sum(n0, n1), sum_of_products(n0, d1, n1, d0)));
    store(parent_d, out_columns, i, count, sum(sum(d0, d1), product(d0, d1)));
}
KERNEL(make_parents)
(Index begin, Index end, const Residue *n, Index n_rows, const Residue *d, Index columns, Residue *parent_n,
 Residue *parent_d, Index out_columns) {
    Index pairs = columns / 2, chunks = chunks_of(pairs);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, i = task % chunks * CHUNK, stop = least(i + CHUNK, pairs);
        const Residue *row_n = n + row % n_rows * DEGREE * columns, *row_d = d + row * DEGREE * columns;
        Residue *out_n = parent_n + row * DEGREE * out_columns, *out_d = parent_d + row * DEGREE * out_columns;
        for (; i + LANES <= stop; i += LANES)
            parents_step(row_n, row_d, columns, out_n, out_d, out_columns, i, LANES);
        if (i < stop) parents_step(row_n, row_d, columns, out_n, out_d, out_columns, i, stop - i);
    }
}

/* n0, n1 + lambda d1, d0, d1 of pairs of parents, their lowest index bit bound to r */
INLINE void children_step(const Residue *n, const Residue *d, Index columns, Quintic challenge, Quintic r,
                          Residue *out, Index out_columns, Index i, Index count) {
    Quintic x[4];
    Index array = DEGREE * out_columns;
    load_fours(n, columns, i, count, x);
    store(out, out_columns, i, count, between(x[0], x[2], r));
    Quintic n1 = between(x[1], x[3], r);
    load_fours(d, columns, i, count, x);
    store(out + 2 * array, out_columns, i, count, between(x[0], x[2], r));
    Quintic d1 = between(x[1], x[3], r);
    store(out + 3 * array, out_columns, i, count, d1);
    store(out + array, out_columns, i, count, sum(n1, product(challenge, d1)));
}
KERNEL(fold_children)
(Index begin, Index end, const Residue *n, Index n_rows, const Residue *d, Index columns,
 const Residue *challenge, const Residue *r, Residue *out, Index out_columns) {
    Index pairs = columns / 4, chunks = chunks_of(pairs);
    Quintic lambda = repeated(challenge), bound = repeated(r);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, i = task % chunks * CHUNK, stop = least(i + CHUNK, pairs);
        const Residue *row_n = n + row % n_rows * DEGREE * columns, *row_d = d + row * DEGREE * columns;
        Residue *row_out = out + row * 4 * DEGREE * out_columns;
        for (; i + LANES <= stop; i += LANES)
            children_step(row_n, row_d, columns, lambda, bound, row_out, out_columns, i, LANES);
        if (i < stop) children_step(row_n, row_d, columns, lambda, bound, row_out, out_columns, i, stop - i);
    }
}

/* The sums of a task: h(0) and h(inf), unreduced, below p 2^32. */
typedef struct {
    Quintic zero, infinity;
} RoundSums;

/* n0, n1' = n1 + lambda d1, d0, d1 of pairs: lows in x[0] .. x[3], highs in y[0] .. y[3] */
INLINE void add_pairs(RoundSums *sums, const Quintic *x, const Quintic *y, Quintic challenge, Quintic weight) {
    Quintic n0 = difference(y[0], x[0]), n1 = difference(y[1], x[1]);
    Quintic d0 = difference(y[2], x[2]), d1 = difference(y[3], x[3]);
    /* F's quadratic terms: n0 d1 + n1' d0 of the differences */
    Quintic quadratic = sum_of_products(n0, d1, n1, d0);
    sums->infinity = wide_sum(sums->infinity, wide_product(quadratic, weight));
    /* F = n0 + n1' + n0 d1 + (n1' + lambda) d0 */
    Quintic value = sum(sum(x[0], x[1]), sum_of_products(x[0], x[3], sum(x[1], challenge), x[2]));
    sums->zero = wide_sum(sums->zero, wide_product(value, weight));
}
INLINE void bound_step(RoundSums *sums, const Residue *d, Index columns, Quintic challenge, const Residue *eq,
                       Index eq_columns, Index i, Index count) {
    Quintic x[4], y[4];
    for (int which = 0; which < 4; which++)
        load_pairs(d + which * DEGREE * columns, columns, i, count, &x[which], &y[which]);
    add_pairs(sums, x, y, challenge, load(eq, eq_columns, i, count));
}
INLINE void first_step(RoundSums *sums, const Residue *n, const Residue *d, Index columns, Quintic challenge,
                       const Residue *eq, Index eq_columns, Index i, Index count) {
    Quintic n_four[4], d_four[4];
    load_fours(n, columns, i, count, n_four);
    load_fours(d, columns, i, count, d_four);
    Quintic x[4] = {n_four[0], sum(n_four[1], product(challenge, d_four[1])), d_four[0], d_four[1]};
    Quintic y[4] = {n_four[2], sum(n_four[3], product(challenge, d_four[3])), d_four[2], d_four[3]};
    add_pairs(sums, x, y, challenge, load(eq, eq_columns, i, count));
}
/* the two sums of a task, weighted with eq of its row, which is the same for the whole task */
INLINE void store_sums(const RoundSums *sums, const Residue *weights, Index weight_rows, Index row, Residue *out) {
    Residue weight[DEGREE], total[DEGREE];
    for (int k = 0; k < DEGREE; k++) weight[k] = weights[k * weight_rows + row];
    sum_of_lanes(reduced(sums->zero), total);
    single_product(total, weight, out);
    sum_of_lanes(reduced(sums->infinity), total);
    single_product(total, weight, out + DEGREE);
}
/* ``children``: n and d are children, of two parents every four columns; else d is what is bound */
KERNEL(sum_round)
(Index begin, Index end, Index children, const Residue *n, Index n_rows, const Residue *d, Index columns,
 const Residue *challenge, const Residue *eq, Index eq_columns, const Residue *weights, Index weight_rows,
 Residue *sums) {
    Index pairs = columns / (children ? 4 : 2), chunks = chunks_of(pairs);
    Quintic lambda = repeated(challenge);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, i = task % chunks * CHUNK, stop = least(i + CHUNK, pairs);
        RoundSums total = {zero(), zero()};
        if (children) {
            const Residue *row_n = n + row % n_rows * DEGREE * columns, *row_d = d + row * DEGREE * columns;
            for (; i + LANES <= stop; i += LANES)
                first_step(&total, row_n, row_d, columns, lambda, eq, eq_columns, i, LANES);
            if (i < stop) first_step(&total, row_n, row_d, columns, lambda, eq, eq_columns, i, stop - i);
        } else {
            const Residue *row_d = d + row * 4 * DEGREE * columns;
            for (; i + LANES <= stop; i += LANES)
                bound_step(&total, row_d, columns, lambda, eq, eq_columns, i, LANES);
            if (i < stop) bound_step(&total, row_d, columns, lambda, eq, eq_columns, i, stop - i);
        }
        store_sums(&total, weights, weight_rows, row, sums + 2 * DEGREE * task);
    }
}
