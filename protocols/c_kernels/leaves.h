/* Nodes of the fraction tree made of lookups: gathered from a table, and their parents (SPEC.md 17.5).
 *
 *     depth    0            1                                 2, 3
 *     node i   leaf i       parent of leaves 2i and 2i + 1    parent of nodes 2i, 2i + 1 of the depth below
 *
 * Leaf u of a trigger is 1 / (1 + table[row[u]]), or 0 / 1 behind its last lookup. A table row has eight
 * words, an element in the first five. Callers have checked all row numbers; one outside would be read
 * as 0, never memory outside of the table.
 */
typedef struct {
    const Residue *table;
    Index table_rows;
    const int32_t *row; /* of one trigger */
    Index lookups;
} Leaves;

typedef struct {
    Quintic n, d;
} Node;

static const Residue NO_ENTRY[8];

/* the elements of LANES table rows, each to its lane */
#if LANES == 8
INLINE Quintic lanes_of_entries(const Residue *const *entry) {
    __m512i both[4]; /* entries i and i + 4: words of 64 bits, two coefficients each */
    for (int i = 0; i < 4; i++) {
        __m512i low = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)entry[i]));
        both[i] = _mm512_inserti64x4(low, _mm256_loadu_si256((const __m256i *)entry[i + 4]), 1);
    }
    const __m512i front = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    const __m512i back = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    __m512i even01 = _mm512_unpacklo_epi64(both[0], both[1]), even23 = _mm512_unpacklo_epi64(both[2], both[3]);
    __m512i odd01 = _mm512_unpackhi_epi64(both[0], both[1]), odd23 = _mm512_unpackhi_epi64(both[2], both[3]);
    __m512i first = _mm512_permutex2var_epi64(even01, front, even23);
    __m512i second = _mm512_permutex2var_epi64(odd01, front, odd23);
    __m512i third = _mm512_permutex2var_epi64(even01, back, even23);
    const __m512i word = _mm512_set1_epi64(0xffffffff);
    Quintic x = {{_mm512_and_si512(first, word), _mm512_srli_epi64(first, 32), _mm512_and_si512(second, word),
                  _mm512_srli_epi64(second, 32), _mm512_and_si512(third, word)}};
    return x;
}
#elif LANES == 4
INLINE Quintic lanes_of_entries(const Residue *const *entry) {
    __m256i x[4];
    for (int i = 0; i < 4; i++) x[i] = _mm256_loadu_si256((const __m256i *)entry[i]);
    __m256i even01 = _mm256_unpacklo_epi64(x[0], x[1]), even23 = _mm256_unpacklo_epi64(x[2], x[3]);
    __m256i odd01 = _mm256_unpackhi_epi64(x[0], x[1]), odd23 = _mm256_unpackhi_epi64(x[2], x[3]);
    __m256i first = _mm256_permute2x128_si256(even01, even23, 0x20);
    __m256i second = _mm256_permute2x128_si256(odd01, odd23, 0x20);
    __m256i third = _mm256_permute2x128_si256(even01, even23, 0x31);
    const __m256i word = _mm256_set1_epi64x(0xffffffff);
    Quintic r = {{_mm256_and_si256(first, word), _mm256_srli_epi64(first, 32), _mm256_and_si256(second, word),
                  _mm256_srli_epi64(second, 32), _mm256_and_si256(third, word)}};
    return r;
}
#else
INLINE Quintic lanes_of_entries(const Residue *const *entry) {
    Quintic x;
    for (int k = 0; k < DEGREE; k++) x.c[k] = entry[0][k];
    return x;
}
#endif

/* how many of the lanes first + step i, i < count, are below ``lookups`` */
INLINE Index lanes_below(Index lookups, Index first, Index step, Index count) {
    if (first + step * (count - 1) < lookups) return count;
    return first < lookups ? (lookups - first + step - 1) / step : 0;
}
/* d of the leaves first + step i of ``whole`` lanes, 0 in the others */
INLINE Quintic gathered(const Leaves *leaves, Index first, Index step, Index whole) {
    const Residue *entry[LANES];
    for (int i = 0; i < LANES; i++) {
        entry[i] = NO_ENTRY;
        if (i < whole) {
            uint32_t at = (uint32_t)leaves->row[first + step * i];
            entry[i] = leaves->table + 8 * (at < (uint32_t)leaves->table_rows ? at : 0);
        }
    }
    return lanes_of_entries(entry);
}
INLINE Quintic leaf_lanes(const Leaves *leaves, Index first, Index step, Index count) {
    Index whole = lanes_below(leaves->lookups, first, step, count);
    /* the usual case with a constant, so that its loop has no branch */
    return whole == LANES ? gathered(leaves, first, step, LANES) : gathered(leaves, first, step, whole);
}
/* ``value`` in the coefficient of 1 of the first ``whole`` lanes, else 0 */
INLINE Quintic constant_lanes(Residue value, Index whole) {
    Residue lanes[LANES];
    for (int i = 0; i < LANES; i++) lanes[i] = i < whole ? value : 0;
    Quintic x = zero();
    x.c[0] = lanes_load(lanes);
    return x;
}
/* n = n0 (1 + d1) + n1 (1 + d0) of leaves: 2 + d0 + d1, or 1 of a last single one; d = d0 + d1 + d0 d1 */
INLINE Node leaf_parents(const Leaves *leaves, Index first, Index step, Index count) {
    Quintic d0 = leaf_lanes(leaves, first, step, count);
    Index both = lanes_below(leaves->lookups, first + 1, step, count);
    Node parent;
    if (both == LANES) {
        Quintic d1 = gathered(leaves, first + 1, step, LANES), total = sum(d0, d1);
        parent.d = sum(total, product(d0, d1));
        total.c[0] = lanes_add(total.c[0], lanes_of(2 * MONTGOMERY_ONE));
        parent.n = total;
        return parent;
    }
    Quintic d1 = gathered(leaves, first + 1, step, both);
    Index single = lanes_below(leaves->lookups, first, step, count);
    parent.d = sum(sum(d0, d1), product(d0, d1));
    parent.n = sum(gathered(leaves, first, step, both), d1);
    parent.n = sum(parent.n, sum(constant_lanes(MONTGOMERY_ONE, both), constant_lanes(MONTGOMERY_ONE, single)));
    return parent;
}
INLINE Node parents(Node low, Node high) {
    Node parent;
    parent.n = sum(sum(low.n, high.n), sum_of_products(low.n, high.d, high.n, low.d));
    parent.d = sum(sum(low.d, high.d), product(low.d, high.d));
    return parent;
}
INLINE Node leaf_grandparents(const Leaves *leaves, Index first, Index step, Index count) {
    Node low = leaf_parents(leaves, first, step, count);
    return parents(low, leaf_parents(leaves, first + 2, step, count));
}
/* the nodes first + step i of a depth from 0 to 3 */
static __attribute__((noinline)) void leaf_nodes(Node *node, const Leaves *leaves, Index depth, Index first,
                                                 Index step, Index count) {
    if (depth == 0) {
        node->d = leaf_lanes(leaves, first, step, count);
        node->n = constant_lanes(MONTGOMERY_ONE, lanes_below(leaves->lookups, first, step, count));
    } else if (depth == 1) {
        *node = leaf_parents(leaves, 2 * first, 2 * step, count);
    } else if (depth == 2) {
        *node = leaf_grandparents(leaves, 4 * first, 4 * step, count);
    } else {
        Node low = leaf_grandparents(leaves, 8 * first, 8 * step, count);
        *node = parents(low, leaf_grandparents(leaves, 8 * first + 4, 8 * step, count));
    }
}
