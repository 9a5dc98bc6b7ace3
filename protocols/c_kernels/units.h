/* The leaf level of the fraction tree where numerators are 1: sums and folds of e0 and e1 (SPEC.md 17.5).
 *
 * As zkwm_protocols.argument.logup_gkr.unit_kernels, which says what e is.
 */
typedef struct {
    Index leaves; /* whether e is table[rows] */
    const Residue *table;
    Index table_rows;
    const int32_t *rows;
    Index lookups;
    const Residue *e;
    Index width, columns;
} UnitNodes;

/* e0, e1 of low and e0, e1 of high nodes of pairs */
INLINE void load_units(const UnitNodes *nodes, Index row, Index i, Index count, Quintic *x) {
    if (nodes->leaves) {
        Leaves leaves = {nodes->table, nodes->table_rows, nodes->rows + row * nodes->lookups, nodes->lookups};
        for (int child = 0; child < 4; child++) x[child] = gathered(&leaves, 4 * i + child, 4, count);
        return;
    }
    const Residue *e = nodes->e + row * 2 * DEGREE * nodes->width;
    load_pairs(e, nodes->width, i, count, &x[0], &x[2]);
    load_pairs(e + DEGREE * nodes->width, nodes->width, i, count, &x[1], &x[3]);
}
INLINE void unit_step(RoundSums *sums, const UnitNodes *nodes, const Weights *weights, Index row, Index start, Index i,
                      Index count) {
    Quintic x[4], weight = load(weights->low, weights->low_columns, i - start, count);
    load_units(nodes, row, i, count, x);
    sums->zero = wide_sum(sums->zero, wide_product(product(x[0], x[1]), weight));
    Quintic steps = product(difference(x[2], x[0]), difference(x[3], x[1]));
    sums->infinity = wide_sum(sums->infinity, wide_product(steps, weight));
}
INLINE void sum_units_chunk(const UnitNodes *nodes, const Weights *weights, Index row, Index chunk, Index stop,
                            Residue *out) {
    RoundSums total = {zero(), zero()};
    Index start = chunk * CHUNK, i = start;
    for (; i + LANES <= stop; i += LANES) unit_step(&total, nodes, weights, row, start, i, LANES);
    if (i < stop) unit_step(&total, nodes, weights, row, start, i, stop - i);
    store_sums(&total, weights, row, chunk, out);
}
#define UNITS                                                                                                  \
    Index leaves, const Residue *table, Index table_rows, const int32_t *rows, Index lookups, const Residue *e, \
        Index width, Index columns
#define UNITS_GIVEN {leaves, table, table_rows, rows, lookups, e, width, columns}

/* a round; a task is CHUNK pairs of a row */
KERNEL(sum_units)(Index begin, Index end, UNITS, WEIGHTS, Residue *sums) {
    const UnitNodes nodes = UNITS_GIVEN;
    const Weights weights = WEIGHTS_GIVEN;
    Index pairs = columns / 2, chunks = chunks_of(pairs);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, chunk = task % chunks;
        sum_units_chunk(&nodes, &weights, row, chunk, least(CHUNK * (chunk + 1), pairs), sums + 2 * DEGREE * task);
    }
}
INLINE void fold_units_step(const UnitNodes *nodes, Quintic r, Residue *out, Index out_width, Index row, Index i,
                            Index count) {
    Quintic x[4];
    load_units(nodes, row, i, count, x);
    store(out, out_width, i, count, between(x[0], x[2], r));
    store(out + DEGREE * out_width, out_width, i, count, between(x[1], x[3], r));
}
/* bind a bit of e0 and e1, and sum the next round if it has weights; a task is 2 CHUNK columns of what is bound;
 * ``out`` may be ``e``, as in fold_bound */
KERNEL(fold_units)
(Index begin, Index end, UNITS, const Residue *r, WEIGHTS, Residue *out, Index out_width, Residue *sums) {
    const UnitNodes nodes = UNITS_GIVEN;
    const Weights weights = WEIGHTS_GIVEN;
    Index folded = columns / 2, chunks = (folded + 2 * CHUNK - 1) / (2 * CHUNK);
    const UnitNodes bound = {0, table, table_rows, rows, lookups, out, out_width, folded};
    Quintic at = repeated(r);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, chunk = task % chunks;
        Index i = 2 * CHUNK * chunk, stop = least(i + 2 * CHUNK, folded);
        Residue *to = out + row * 2 * DEGREE * out_width;
        for (; i + LANES <= stop; i += LANES) fold_units_step(&nodes, at, to, out_width, row, i, LANES);
        if (i < stop) fold_units_step(&nodes, at, to, out_width, row, i, stop - i);
        if (low_columns) sum_units_chunk(&bound, &weights, row, chunk, stop / 2, sums + 2 * DEGREE * task);
    }
}
/* e0 and e1 as n0 = 1, n1 + lambda d1, d0, d1; a task is a row */
KERNEL(units_as_bound)
(Index begin, Index end, const Residue *e, Index width, Index columns, const Residue *shift, const Residue *challenge,
 Residue *out, Index out_width) {
    Quintic lambda = repeated(challenge), away = repeated(shift), one = zero();
    Index array = DEGREE * out_width;
    one.c[0] = lanes_of(MONTGOMERY_ONE);
    for (Index row = begin; row < end; row++) {
        const Residue *from = e + row * 2 * DEGREE * width;
        Residue *to = out + row * 4 * array;
        for (Index i = 0; i < columns; i += LANES) {
            Index count = least(LANES, columns - i);
            Quintic d1 = difference(load(from + DEGREE * width, width, i, count), away);
            store(to, out_width, i, count, one);
            store(to + array, out_width, i, count, sum(one, product(lambda, d1)));
            store(to + 2 * array, out_width, i, count, difference(load(from, width, i, count), away));
            store(to + 3 * array, out_width, i, count, d1);
        }
    }
}
