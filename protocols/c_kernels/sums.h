/* Linear combinations of many rows with weights in K (SPEC.md 17.6, 17.7), and conversions.
 *
 * Sums of products stay unreduced, below p 2^32: two more products are below 2 p 2^32 < 2^64.
 */
#define COLUMNS 256 /* columns combined together */

INLINE Lanes with_two(Lanes total, Lanes w0, Lanes x0, Lanes w1, Lanes x1) {
    Lanes both = lanes_wide_add(lanes_multiply(w0, x0), lanes_multiply(w1, x1));
    return lanes_cut(lanes_wide_add(total, both));
}
INLINE Lanes load_lanes(const Residue *from, Index count) {
    Residue rest[LANES] = {0};
    if (count < LANES) copy_words(rest, from, count);
    return lanes_load(count < LANES ? rest : from);
}

/* totals (5, COLUMNS) += the weights of rows i and i + 1 times those rows */
INLINE void combine_step(Lanes *totals, const Residue *x0, const Residue *x1, const Lanes *w0, const Lanes *w1,
                         Index count) {
    Lanes low = load_lanes(x0, count), high = load_lanes(x1, count);
    for (int k = 0; k < DEGREE; k++) {
        Lanes *total = totals + k * (COLUMNS / LANES);
        *total = with_two(*total, w0[k], low, w1[k], high);
    }
}
/* out[k, c] = sum over i of weights[k, i] rows[i, c]; a task is COLUMNS columns. Weights are in
 * Montgomery form, rows canonical; so is ``out``. */
KERNEL(fold_rows)
(Index begin, Index end, const Residue *weights, const Residue *rows, Index count, Index columns, uint64_t *out) {
    Lanes totals[DEGREE * (COLUMNS / LANES)];
    for (Index task = begin; task < end; task++) {
        Index start = task * COLUMNS, width = least(COLUMNS, columns - start);
        for (int i = 0; i < DEGREE * (COLUMNS / LANES); i++) totals[i] = lanes_zero();
        for (Index i = 0; i < count; i += 2) {
            const Residue *x0 = rows + i * columns + start, *x1 = i + 1 < count ? x0 + columns : x0;
            Lanes w0[DEGREE], w1[DEGREE];
            for (int k = 0; k < DEGREE; k++) {
                w0[k] = lanes_of(weights[k * count + i]);
                w1[k] = lanes_of(i + 1 < count ? weights[k * count + i + 1] : 0);
            }
            Index j = 0;
            for (; j + LANES <= width; j += LANES) combine_step(totals + j / LANES, x0 + j, x1 + j, w0, w1, LANES);
            if (j < width) combine_step(totals + j / LANES, x0 + j, x1 + j, w0, w1, width - j);
        }
        for (int k = 0; k < DEGREE; k++)
            for (Index j = 0; j < width; j += LANES) {
                Residue values[LANES];
                lanes_store(values, lanes_reduce(totals[k * (COLUMNS / LANES) + j / LANES]));
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
