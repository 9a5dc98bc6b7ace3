/* The cells of the leaf gadget: BLAKE2s-256 with every step written down (SPEC.md 17.3, item 2).
 *
 * Layout and order are those of zkwm_protocols.argument.relation.blake2s_lookups. WIDTH triggers are
 * hashed together: a cell of all of them is one vector, and lies in one piece in ``cells`` (J, n). Their
 * lookups are collected first, since a trigger's row of ``rows`` (n, M) is far from the next one's.
 */
#define TURN 16 /* triggers of a task, as in blake2s_native */
#define MIXES 80
#define MIX_CELLS 40
#define MIX_LOOKUPS 17
#define FOLDED (MIXES * MIX_CELLS)
#define NEXT_CHAINING (FOLDED + 32)
#define BLOCK_CELLS (NEXT_CHAINING + 32)
#define BLOCK_LOOKUPS (MIXES * MIX_LOOKUPS + 64)

/* SIGMA and the state words of G, RFC 7693, sections 2.7 and 3.2 */
static const uint8_t schedule[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};
static const uint8_t mixed[8][4] = {{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
                                    {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14}};

/* Where ``count`` triggers' cells and lookups go: a cell's values ``pitch`` behind those of the last. */
typedef struct {
    uint32_t *cells;
    Index pitch;
    int count;
    Residue *lookups; /* (BLOCK_LOOKUPS, WIDTH) */
    Words xor_row, xor12_row, xor7_row, carries_row;
} Writer;

INLINE void write_cell(const Writer *w, int cell, Words value) {
    uint32_t *to = w->cells + cell * w->pitch;
    Residue rest[WIDTH];
    words_store(w->count < WIDTH ? rest : to, value);
    if (w->count < WIDTH) copy_words(to, rest, w->count);
}
INLINE void write_lookup(const Writer *w, int lookup, Words row) { words_store(w->lookups + lookup * WIDTH, row); }
#define BYTE(x, k) words_and(words_shift(x, 8 * (k)), words_of(0xff))

INLINE void write_bytes(const Writer *w, int cell, Words word) {
    write_cell(w, cell, BYTE(word, 0));
    write_cell(w, cell + 1, BYTE(word, 1));
    write_cell(w, cell + 2, BYTE(word, 2));
    write_cell(w, cell + 3, BYTE(word, 3));
}
INLINE Words pair_row(Words first_row, Words a, Words b) {
    return words_plus(first_row, words_plus(words_shift_left(a, 8), b));
}
INLINE void write_pairs(const Writer *w, int lookup, Words first_row, Words a, Words b) {
    write_lookup(w, lookup, pair_row(first_row, BYTE(a, 0), BYTE(b, 0)));
    write_lookup(w, lookup + 1, pair_row(first_row, BYTE(a, 1), BYTE(b, 1)));
    write_lookup(w, lookup + 2, pair_row(first_row, BYTE(a, 2), BYTE(b, 2)));
    write_lookup(w, lookup + 3, pair_row(first_row, BYTE(a, 3), BYTE(b, 3)));
}
INLINE Words scaled(Words a, int factor) { /* factor 2, 3, 4 or 9 */
    if (factor == 2) return words_plus(a, a);
    if (factor == 3) return words_plus(a, words_plus(a, a));
    Words four = words_shift_left(a, 2);
    return factor == 4 ? four : words_plus(a, words_plus(four, four));
}
/* the carries of a + b + x as two digits: the low half's, then the high half's */
INLINE Words carry_pair(Words a, Words b, Words x, int base) {
    Words mask = words_of(0xffff);
    Words low = words_plus(words_plus(words_and(a, mask), words_and(b, mask)), words_and(x, mask));
    low = words_shift(low, 16);
    Words high = words_plus(words_plus(words_shift(a, 16), words_shift(b, 16)), words_plus(words_shift(x, 16), low));
    return words_plus(scaled(low, base), words_shift(high, 16));
}
/* one half of G; ``rotation`` of d is 16, then 8, that of b 12, then 7; b's bytes are cut at bit ``cut`` */
#define HALF_MIX(w, cell, lookup, a, b, c, d, x, carries, xor_b, rotation, b_rotation, cut)                   \
    do {                                                                                                      \
        carries = words_plus(scaled(carries, 9), carry_pair(a, b, x, 3));                                     \
        a = words_plus(words_plus(a, b), x);                                                                  \
        write_bytes(w, cell, a);                                                                              \
        write_pairs(w, lookup, (w)->xor_row, d, a);                                                           \
        d = words_xor(d, a, words_of(0));                                                                     \
        write_bytes(w, (cell) + 4, d);                                                                        \
        d = words_rotate(d, rotation);                                                                        \
        carries = words_plus(scaled(carries, 4), carry_pair(c, d, words_of(0), 2));                           \
        c = words_plus(c, d);                                                                                 \
        write_bytes(w, (cell) + 8, c);                                                                        \
        write_pairs(w, (lookup) + 4, xor_b, b, c);                                                            \
        b = words_xor(b, c, words_of(0));                                                                     \
        for (int k = 0; k < 4; k++) {                                                                         \
            Words byte = BYTE(b, k);                                                                          \
            write_cell(w, (cell) + 12 + k, words_and(byte, words_of((1 << (cut)) - 1)));                      \
            write_cell(w, (cell) + 16 + k, words_shift(byte, cut));                                           \
        }                                                                                                     \
        b = words_rotate(b, b_rotation);                                                                      \
    } while (0)

/* a block: ``state`` (16) and ``message`` (16) are used up, ``chaining`` (8) is replaced */
static void fill_block(const Writer *w, Words *state, const Words *message, Words *chaining, int last) {
    for (int i = 0; i < MIXES; i++) {
        const uint8_t *at = mixed[i % 8], *words = schedule[i / 8] + 2 * (i % 8);
        Words a = state[at[0]], b = state[at[1]], c = state[at[2]], d = state[at[3]], carries = words_of(0);
        int cell = i * MIX_CELLS, lookup = i * MIX_LOOKUPS;
        HALF_MIX(w, cell, lookup, a, b, c, d, message[words[0]], carries, w->xor12_row, 16, 12, 4);
        HALF_MIX(w, cell + 20, lookup + 8, a, b, c, d, message[words[1]], carries, w->xor7_row, 8, 7, 7);
        write_lookup(w, lookup + 16, words_plus(w->carries_row, carries));
        state[at[0]] = a, state[at[1]] = b, state[at[2]] = c, state[at[3]] = d;
    }
    for (int i = 0; i < 8; i++) {
        Words folded = words_xor(state[i], state[i + 8], words_of(0));
        Words new = words_xor(chaining[i], folded, words_of(0));
        write_bytes(w, FOLDED + 4 * i, folded);
        if (!last) write_bytes(w, NEXT_CHAINING + 4 * i, new);
        write_pairs(w, MIXES * MIX_LOOKUPS + 4 * i, w->xor_row, state[i], state[i + 8]);
        write_pairs(w, MIXES * MIX_LOOKUPS + 32 + 4 * i, w->xor_row, chaining[i], folded);
        chaining[i] = new;
    }
}
/* word ``i`` of each trigger's row: a column of (count, pitch) */
INLINE Words load_column(const uint32_t *from, Index pitch, int count, Index i) {
    uint32_t column[WIDTH] = {0};
    for (int t = 0; t < count; t++) column[t] = from[t * pitch + i];
    return words_load(column);
}

/* Turns begin .. end - 1 of TURN triggers. messages (n, 16 blocks), upper (blocks, 8), chaining (n, 8), which
 * ends as the digests; cells (.., n) from the gadget's first on; rows (n, row_pitch) from ``first_lookup``;
 * first_rows: of the tables xor, xor12, xor7, carries. */
KERNEL(fill_blocks)
(Index begin, Index end, Index triggers, Index blocks, const uint32_t *messages, const uint32_t *upper,
 uint32_t *chaining, uint32_t *cells, int32_t *rows, Index row_pitch, Index first_lookup, const uint32_t *first_rows,
 uint32_t *scratch) {
    Writer w = {.pitch = triggers, .lookups = scratch};
    w.xor_row = words_of(first_rows[0]), w.xor12_row = words_of(first_rows[1]);
    w.xor7_row = words_of(first_rows[2]), w.carries_row = words_of(first_rows[3]);
    for (Index turn = begin; turn < end; turn++)
        for (Index block = 0; block < blocks; block++)
            for (Index first = turn * TURN; first < least((turn + 1) * TURN, triggers); first += WIDTH) {
                Words state[16], message[16], chain[8];
                w.count = (int)least(WIDTH, triggers - first);
                w.cells = cells + block * BLOCK_CELLS * triggers + first;
                for (int i = 0; i < 16; i++)
                    message[i] = load_column(messages + first * 16 * blocks, 16 * blocks, w.count, 16 * block + i);
                for (int i = 0; i < 8; i++) {
                    state[i] = chain[i] = load_column(chaining + 8 * first, 8, w.count, i);
                    state[8 + i] = words_of(upper[8 * block + i]);
                }
                fill_block(&w, state, message, chain, block == blocks - 1);
                for (int i = 0; i < 8; i++) {
                    uint32_t column[WIDTH];
                    words_store(column, chain[i]);
                    for (int t = 0; t < w.count; t++) chaining[8 * (first + t) + i] = column[t];
                }
                for (int t = 0; t < w.count; t++) {
                    int32_t *to = rows + (first + t) * row_pitch + first_lookup + block * BLOCK_LOOKUPS;
                    for (int i = 0; i < BLOCK_LOOKUPS; i++) to[i] = (int32_t)w.lookups[i * WIDTH + t];
                }
            }
}
