/* Linear combinations of many rows with weights in K (SPEC.md 17.6, 17.7), and conversions.
 *
 * Sums of products stay unreduced, below p 2^32: two more products are below 2 p 2^32 < 2^64.
 */
#define COLUMNS 1024 /* columns combined together */

INLINE Lanes with_two(Lanes total, Lanes w0, Lanes x0, Lanes w1, Lanes x1) {
    Lanes both = lanes_wide_add(lanes_multiply(w0, x0), lanes_multiply(w1, x1));
    return lanes_cut(lanes_wide_add(total, both));
}
INLINE Lanes load_lanes(const Residue *from, Index count) {
    Residue rest[LANES] = {0};
    if (count < LANES) copy_words(rest, from, count);
    return lanes_load(count < LANES ? rest : from);
}

#define TOGETHER 4 /* rows combined in one pass over the totals */

/* totals (5, COLUMNS) += the weights of TOGETHER rows times those rows, at the columns of one vector */
INLINE void combine_step(Lanes *totals, const Residue *const *rows, Index j, const Lanes weights[][DEGREE],
                         Index count) {
    Lanes x[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) x[i] = load_lanes(rows[i] + j, count);
    for (int k = 0; k < DEGREE; k++) {
        Lanes total = totals[k];
        for (int i = 0; i < TOGETHER; i += 2)
            total = with_two(total, weights[i][k], x[i], weights[i + 1][k], x[i + 1]);
        totals[k] = total;
    }
}
/* out[k, c] = sum over i of weights[k, i] rows[i, c]; a task is COLUMNS columns. Weights are in
 * Montgomery form, rows canonical; so is ``out``. */
KERNEL(fold_rows)
(Index begin, Index end, const Residue *weights, const Residue *rows, Index count, Index columns, uint64_t *out) {
    Lanes totals[COLUMNS / LANES][DEGREE];
    for (Index task = begin; task < end; task++) {
        Index start = task * COLUMNS, width = least(COLUMNS, columns - start);
        for (int i = 0; i < COLUMNS / LANES; i++)
            for (int k = 0; k < DEGREE; k++) totals[i][k] = lanes_zero();
        for (Index i = 0; i < count; i += TOGETHER) {
            const Residue *from[TOGETHER];
            Lanes w[TOGETHER][DEGREE];
            for (int which = 0; which < TOGETHER; which++) {
                Index row = least(i + which, count - 1); /* behind the last row the weight is 0 */
                from[which] = rows + row * columns + start;
                for (int k = 0; k < DEGREE; k++)
                    w[which][k] = lanes_of(i + which < count ? weights[k * count + row] : 0);
            }
            Index j = 0;
            for (; j + LANES <= width; j += LANES) combine_step(totals[j / LANES], from, j, w, LANES);
            if (j < width) combine_step(totals[j / LANES], from, j, w, width - j);
        }
        for (int k = 0; k < DEGREE; k++)
            for (Index j = 0; j < width; j += LANES) {
                Residue values[LANES];
                lanes_store(values, lanes_reduce(totals[j / LANES][k]));
                for (Index lane = 0; lane < least(LANES, width - j); lane++)
                    out[k * columns + start + j + lane] = values[lane];
            }
    }
}

/* out[k, j] = sum over b of weights[k, b] cells[j, b], cells begin .. end - 1; weights (5, padded) are in
 * Montgomery form, continued by zeros to a multiple of 2 LANES */
KERNEL(fold_batch)
(Index begin, Index end, const Residue *weights, Index padded, const Residue *cells, Index count, Index number,
 uint64_t *out) {
    for (Index j = begin; j < end; j++) {
        const Residue *x = cells + j * count;
        Quintic total = zero();
        for (Index b = 0; b < count; b += 2 * LANES) {
            int whole = b + 2 * LANES <= count;
            Lanes low = load_lanes(x + b, whole ? LANES : least(LANES, count - b));
            Lanes high = whole                ? load_lanes(x + b + LANES, LANES)
                         : count - b > LANES ? load_lanes(x + b + LANES, count - b - LANES)
                                              : lanes_zero();
            for (int k = 0; k < DEGREE; k++) {
                const Residue *w = weights + k * padded + b;
                total.c[k] = with_two(total.c[k], lanes_load(w), low, lanes_load(w + LANES), high);
            }
        }
        Residue sums[DEGREE];
        sum_of_lanes(reduced(total), sums);
        for (int k = 0; k < DEGREE; k++) out[k * number + j] = sums[k];
    }
}

/* out = values * factor / 2^32 */
KERNEL(scale)(Index begin, Index end, const Residue *values, Index factor, Residue *out) {
    Index i = begin;
    for (; i + WIDTH <= end; i += WIDTH)
        words_store(out + i, words_product(words_load(values + i), words_of((Residue)factor)));
    for (; i < end; i++) out[i] = montgomery_product(values[i], (Residue)factor);
}

INLINE void equality_step(Residue *table, Index columns, Index size, Quintic q, Index i, Index count) {
    Quintic low = load(table, columns, i, count), high = product(low, q);
    store(table + size, columns, i, count, high);
    store(table, columns, i, count, difference(low, high));
}
/* eq(point, i) for i = 0 .. 2^length - 1, table (5, 2^length), from point (length, 5); ``one`` is 1 */
KERNEL(equality_table)(const Residue *point, Index length, Index one, Residue *table) {
    Index columns = (Index)1 << length;
    for (int k = 0; k < DEGREE; k++) table[k * columns] = k ? 0 : (Residue)one;
    for (Index bit = 0; bit < length; bit++) {
        Index size = (Index)1 << bit, i = 0;
        Quintic q = repeated(point + DEGREE * bit);
        for (; i + LANES <= size; i += LANES) equality_step(table, columns, size, q, i, LANES);
        if (i < size) equality_step(table, columns, size, q, i, size - i);
    }
}
