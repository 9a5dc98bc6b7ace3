/* The fraction tree: layers, round polynomials, folds (SPEC.md 17.5).
 *
 * The layout and every kernel's meaning are those of zkwm_protocols.argument.logup_gkr, which has the
 * same loops for Numba. A row of an array has ``width`` columns in memory; up to 15 behind its nodes are 0.
 */

/* zeros behind a row's columns, as far as loads of two or four columns reach */
INLINE void clear_behind(Residue *a, Index width, Index start) {
    Index stop = least(width, (start + 15) / 16 * 16);
    for (int k = 0; k < DEGREE; k++)
        for (Index i = start; i < stop; i++) a[k * width + i] = 0;
}

INLINE void parents_step(const Residue *n, const Residue *d, Index width, Residue *parent_n, Residue *parent_d,
                         Index out_width, Index i, Index count) {
    Node low, high;
    load_pairs(n, width, i, count, &low.n, &high.n);
    load_pairs(d, width, i, count, &low.d, &high.d);
    Node parent = parents(low, high);
    store(parent_n, out_width, i, count, parent.n);
    store(parent_d, out_width, i, count, parent.d);
}
/* a task is CHUNK parents of a row */
KERNEL(make_parents)
(Index begin, Index end, const Residue *n, const Residue *d, Index width, Index columns, Residue *parent_n,
 Residue *parent_d, Index out_width) {
    Index pairs = (columns + 1) / 2, chunks = chunks_of(pairs);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, i = task % chunks * CHUNK, stop = least(i + CHUNK, pairs);
        const Residue *row_n = n + row * DEGREE * width, *row_d = d + row * DEGREE * width;
        Residue *out_n = parent_n + row * DEGREE * out_width, *out_d = parent_d + row * DEGREE * out_width;
        for (; i + LANES <= stop; i += LANES) parents_step(row_n, row_d, width, out_n, out_d, out_width, i, LANES);
        if (i < stop) parents_step(row_n, row_d, width, out_n, out_d, out_width, i, stop - i);
        if (stop == pairs) {
            clear_behind(out_n, out_width, pairs);
            clear_behind(out_d, out_width, pairs);
        }
    }
}
/* the lookups' nodes of a depth; a task is CHUNK of them in a row */
KERNEL(gather_nodes)
(Index begin, Index end, Index depth, const Residue *table, Index table_rows, const int32_t *rows, Index lookups,
 Residue *n, Residue *d, Index width) {
    Index nodes = (lookups + ((Index)1 << depth) - 1) >> depth, chunks = chunks_of(nodes);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, i = task % chunks * CHUNK, stop = least(i + CHUNK, nodes);
        Residue *out_n = n + row * DEGREE * width, *out_d = d + row * DEGREE * width;
        Leaves leaves = {table, table_rows, rows + row * lookups, lookups};
        for (; i < stop; i += LANES) {
            Node node;
            leaf_nodes(&node, &leaves, depth, i, 1, least(LANES, stop - i));
            store(out_n, width, i, least(LANES, stop - i), node.n);
            store(out_d, width, i, least(LANES, stop - i), node.d);
        }
        if (stop == nodes) {
            clear_behind(out_n, width, nodes);
            clear_behind(out_d, width, nodes);
        }
    }
}

/* The weights of a round's pairs: low[pair of the chunk] high[chunk] rows[row]. */
typedef struct {
    const Residue *low;
    Index low_columns;
    const Residue *high;
    Index high_columns;
    const Residue *rows;
    Index row_columns;
} Weights;

/* The sums of a task: h(0) and h(inf), unreduced, below p 2^32. */
typedef struct {
    Quintic zero, infinity;
} RoundSums;

/* the two sums of a task, weighted with what is the same for the whole task */
INLINE void store_sums(const RoundSums *sums, const Weights *weights, Index row, Index chunk, Residue *out) {
    Residue of_row[DEGREE], of_chunk[DEGREE], weight[DEGREE], total[DEGREE];
    for (int k = 0; k < DEGREE; k++) {
        of_row[k] = weights->rows[k * weights->row_columns + row];
        of_chunk[k] = weights->high[k * weights->high_columns + chunk];
    }
    single_product(of_row, of_chunk, weight);
    sum_of_lanes(reduced(sums->zero), total);
    single_product(total, weight, out);
    sum_of_lanes(reduced(sums->infinity), total);
    single_product(total, weight, out + DEGREE);
}
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
INLINE void bound_step(RoundSums *sums, const Residue *bound, Index width, Quintic challenge, const Weights *weights,
                       Index start, Index i, Index count) {
    Quintic x[4], y[4];
    for (int which = 0; which < 4; which++)
        load_pairs(bound + which * DEGREE * width, width, i, count, &x[which], &y[which]);
    add_pairs(sums, x, y, challenge, load(weights->low, weights->low_columns, i - start, count));
}
/* a round over the pairs of a chunk up to ``stop``, of one row's four bound arrays */
INLINE void sum_bound_chunk(const Residue *bound, Index width, Quintic challenge, const Weights *weights, Index row,
                            Index chunk, Index stop, Residue *out) {
    RoundSums total = {zero(), zero()};
    Index start = chunk * CHUNK, i = start;
    for (; i + LANES <= stop; i += LANES) bound_step(&total, bound, width, challenge, weights, start, i, LANES);
    if (i < stop) bound_step(&total, bound, width, challenge, weights, start, i, stop - i);
    store_sums(&total, weights, row, chunk, out);
}

/* The children of a level's parents: stored (depth below 0), or made of leaves. */
typedef struct {
    Index depth;
    const Residue *table;
    Index table_rows;
    const int32_t *rows;
    Index lookups;
    const Residue *n, *d;
    Index width, columns;
} Children;

/* children 4i .. 4i + 3 */
INLINE void load_children(const Children *children, Index row, Index i, Index count, Node *node) {
    if (children->depth >= 0) {
        Leaves leaves = {children->table, children->table_rows, children->rows + row * children->lookups,
                         children->lookups};
        for (int child = 0; child < 4; child++)
            leaf_nodes(&node[child], &leaves, children->depth, 4 * i + child, 4, count);
        return;
    }
    Quintic n[4], d[4];
    load_fours(children->n + row * DEGREE * children->width, children->width, i, count, n);
    load_fours(children->d + row * DEGREE * children->width, children->width, i, count, d);
    for (int child = 0; child < 4; child++) {
        node[child].n = n[child];
        node[child].d = d[child];
    }
}
INLINE void first_step(RoundSums *sums, const Children *children, Quintic challenge, const Weights *weights, Index row,
                       Index start, Index i, Index count) {
    Node node[4];
    load_children(children, row, i, count, node);
    Quintic x[4] = {node[0].n, sum(node[1].n, product(challenge, node[1].d)), node[0].d, node[1].d};
    Quintic y[4] = {node[2].n, sum(node[3].n, product(challenge, node[3].d)), node[2].d, node[3].d};
    add_pairs(sums, x, y, challenge, load(weights->low, weights->low_columns, i - start, count));
}
#define CHILDREN                                                                                            \
    Index depth, const Residue *table, Index table_rows, const int32_t *rows, Index lookups, const Residue *n, \
        const Residue *d, Index width, Index columns
#define CHILDREN_GIVEN {depth, table, table_rows, rows, lookups, n, d, width, columns}
#define WEIGHTS                                                                                            \
    const Residue *low, Index low_columns, const Residue *high, Index high_columns, const Residue *row_weights, \
        Index row_columns
#define WEIGHTS_GIVEN {low, low_columns, high, high_columns, row_weights, row_columns}

/* the first round of a level; a task is CHUNK pairs of parents of a row */
KERNEL(sum_children)(Index begin, Index end, CHILDREN, const Residue *challenge, WEIGHTS, Residue *sums) {
    const Children children = CHILDREN_GIVEN;
    const Weights weights = WEIGHTS_GIVEN;
    Index pairs = (columns + 3) / 4, chunks = chunks_of(pairs);
    Quintic lambda = repeated(challenge);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, chunk = task % chunks;
        Index start = chunk * CHUNK, i = start, stop = least(start + CHUNK, pairs);
        RoundSums total = {zero(), zero()};
        for (; i + LANES <= stop; i += LANES) first_step(&total, &children, lambda, &weights, row, start, i, LANES);
        if (i < stop) first_step(&total, &children, lambda, &weights, row, start, i, stop - i);
        store_sums(&total, &weights, row, chunk, sums + 2 * DEGREE * task);
    }
}

/* n0, n1 + lambda d1, d0, d1 of pairs of parents, their lowest index bit bound to r */
INLINE void children_step(const Children *children, Quintic challenge, Quintic r, Residue *out, Index out_width,
                          Index row, Index i, Index count) {
    Node node[4];
    Index array = DEGREE * out_width;
    load_children(children, row, i, count, node);
    Quintic d1 = between(node[1].d, node[3].d, r), n1 = between(node[1].n, node[3].n, r);
    store(out, out_width, i, count, between(node[0].n, node[2].n, r));
    store(out + array, out_width, i, count, sum(n1, product(challenge, d1)));
    store(out + 2 * array, out_width, i, count, between(node[0].d, node[2].d, r));
    store(out + 3 * array, out_width, i, count, d1);
}
/* the first fold of a level, and the sums of the next round if it has weights; a task is 2 CHUNK columns of
 * what is bound, which stay in the cache between the two */
KERNEL(fold_children)
(Index begin, Index end, CHILDREN, const Residue *challenge, const Residue *r, WEIGHTS, Residue *out, Index out_width,
 Residue *sums) {
    const Children children = CHILDREN_GIVEN;
    const Weights weights = WEIGHTS_GIVEN;
    Index folded = (columns + 3) / 4, chunks = (folded + 2 * CHUNK - 1) / (2 * CHUNK);
    Quintic lambda = repeated(challenge), bound = repeated(r);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, chunk = task % chunks;
        Index i = 2 * CHUNK * chunk, stop = least(i + 2 * CHUNK, folded);
        Residue *row_out = out + row * 4 * DEGREE * out_width;
        for (; i + LANES <= stop; i += LANES)
            children_step(&children, lambda, bound, row_out, out_width, row, i, LANES);
        if (i < stop) children_step(&children, lambda, bound, row_out, out_width, row, i, stop - i);
        if (stop == folded)
            for (int which = 0; which < 4; which++)
                clear_behind(row_out + which * DEGREE * out_width, out_width, folded);
        if (low_columns)
            sum_bound_chunk(row_out, out_width, lambda, &weights, row, chunk, (stop + 1) / 2, sums + 2 * DEGREE * task);
    }
}
/* a round over bound arrays; a task is CHUNK pairs of a row */
KERNEL(sum_bound)
(Index begin, Index end, const Residue *bound, Index width, Index columns, const Residue *challenge, WEIGHTS,
 Residue *sums) {
    const Weights weights = WEIGHTS_GIVEN;
    Index pairs = (columns + 1) / 2, chunks = chunks_of(pairs);
    Quintic lambda = repeated(challenge);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, chunk = task % chunks;
        sum_bound_chunk(bound + row * 4 * DEGREE * width, width, lambda, &weights, row, chunk,
                        least(CHUNK * (chunk + 1), pairs), sums + 2 * DEGREE * task);
    }
}
INLINE void fold_row_step(const Residue *from, Index width, Quintic r, Residue *to, Index out_width, Index i,
                          Index count) {
    Quintic low, high;
    load_pairs(from, width, i, count, &low, &high);
    store(to, out_width, i, count, between(low, high, r));
}
INLINE void fold_row(const Residue *from, Index width, Quintic r, Residue *to, Index out_width, Index i, Index stop) {
    for (; i + LANES <= stop; i += LANES) fold_row_step(from, width, r, to, out_width, i, LANES);
    if (i < stop) fold_row_step(from, width, r, to, out_width, i, stop - i);
}
/* bind a bit of bound arrays, and sum the next round if it has weights; tasks as in fold_children; ``out`` may be
 * ``bound`` where the tasks of a row are worked on in order: what is written has been read */
KERNEL(fold_bound)
(Index begin, Index end, const Residue *bound, Index width, Index columns, const Residue *challenge, const Residue *r,
 WEIGHTS, Residue *out, Index out_width, Residue *sums) {
    const Weights weights = WEIGHTS_GIVEN;
    Index folded = (columns + 1) / 2, chunks = (folded + 2 * CHUNK - 1) / (2 * CHUNK);
    Quintic lambda = repeated(challenge), at = repeated(r);
    for (Index task = begin; task < end; task++) {
        Index row = task / chunks, chunk = task % chunks;
        Index stop = least(2 * CHUNK * (chunk + 1), folded);
        Residue *row_out = out + row * 4 * DEGREE * out_width;
        for (int which = 0; which < 4; which++) {
            const Residue *from = bound + (4 * row + which) * DEGREE * width;
            fold_row(from, width, at, row_out + which * DEGREE * out_width, out_width, 2 * CHUNK * chunk, stop);
            if (stop == folded) clear_behind(row_out + which * DEGREE * out_width, out_width, folded);
        }
        if (low_columns)
            sum_bound_chunk(row_out, out_width, lambda, &weights, row, chunk, (stop + 1) / 2, sums + 2 * DEGREE * task);
    }
}
