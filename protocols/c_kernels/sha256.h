/* SHA-256 (FIPS 180-4) of the columns of a matrix, and of the nodes above them (SPEC.md 17.7).
 *
 * WIDTH messages of one length at a time, a lane each: word i of all of them is one vector. Elements of
 * neighboring columns lie behind each other in a row, so a column's elements need no transposition.
 */
static const uint32_t sha_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static const uint32_t sha_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* one block: ``w`` (16), big-endian words, is used up */
static void sha_block(Words *h, Words *w) {
    Words a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], last = h[7];
    for (int t = 0; t < 64; t++) {
        if (t >= 16) {
            Words x = w[(t + 1) % 16], y = w[(t + 14) % 16];
            Words low = words_xor(words_rotate(x, 7), words_rotate(x, 18), words_shift(x, 3));
            Words high = words_xor(words_rotate(y, 17), words_rotate(y, 19), words_shift(y, 10));
            w[t % 16] = words_plus(words_plus(w[t % 16], low), words_plus(w[(t + 9) % 16], high));
        }
        Words sum_e = words_xor(words_rotate(e, 6), words_rotate(e, 11), words_rotate(e, 25));
        Words sum_a = words_xor(words_rotate(a, 2), words_rotate(a, 13), words_rotate(a, 22));
        Words known = words_plus(words_plus(last, words_of(sha_constants[t])), w[t % 16]);
        Words first = words_plus(known, words_plus(sum_e, words_choose(e, f, g)));
        Words second = words_plus(sum_a, words_majority(a, b, c));
        last = g, g = f, f = e, e = words_plus(d, first);
        d = c, c = b, b = a, a = words_plus(first, second);
    }
    h[0] = words_plus(h[0], a), h[1] = words_plus(h[1], b), h[2] = words_plus(h[2], c), h[3] = words_plus(h[3], d);
    h[4] = words_plus(h[4], e), h[5] = words_plus(h[5], f), h[6] = words_plus(h[6], g);
    h[7] = words_plus(h[7], last);
}

/* Messages that are written word by word. */
typedef struct {
    Words h[8], w[16];
    Index words;
} Hasher;
INLINE void hasher_start(Hasher *s) {
    s->words = 0;
    for (int i = 0; i < 8; i++) s->h[i] = words_of(sha_start[i]);
}
INLINE void hasher_word(Hasher *s, Words word) {
    s->w[s->words++ % 16] = word;
    if (s->words % 16 == 0) sha_block(s->h, s->w);
}
/* ``rest`` holds 0 to 3 bytes at its top and then a bit 1: the end of a message of ``bytes`` bytes */
INLINE void hasher_end(Hasher *s, Words rest, uint64_t bytes) {
    hasher_word(s, rest);
    while (s->words % 16 != 14) hasher_word(s, words_of(0));
    hasher_word(s, words_of((uint32_t)(bytes >> 29)));
    hasher_word(s, words_of((uint32_t)(bytes << 3)));
}
INLINE void hasher_store(const Hasher *s, uint8_t *digests, Index count) {
    for (int i = 0; i < 8; i++) {
        uint32_t lanes[WIDTH];
        words_store(lanes, words_swap(s->h[i]));
        for (Index lane = 0; lane < count; lane++)
            for (int k = 0; k < 4; k++) digests[32 * lane + 4 * i + k] = (uint8_t)(lanes[lane] >> 8 * k);
    }
}
INLINE uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* the next WIDTH words, zeros behind ``count`` */
INLINE Words load_words(const uint32_t *from, Index count) {
    uint32_t rest[WIDTH] = {0};
    if (count < WIDTH) copy_words(rest, from, count);
    return words_load(count < WIDTH ? rest : from);
}
INLINE void store_words(uint32_t *to, Words words, Index count) {
    uint32_t rest[WIDTH];
    words_store(count < WIDTH ? rest : to, words);
    if (count < WIDTH) copy_words(to, rest, count);
}
/* The 49 bytes in front of the elements of columns first, first + step, ..., ``count`` of them: 12 words, and one
 * byte that is returned at the top of a word. */
INLINE Words column_start(Hasher *s, const uint8_t *prefix, const uint8_t *nonces, Index first, Index step,
                          Index count) {
    uint32_t head[13][WIDTH] = {{0}};
    for (Index lane = 0; lane < count; lane++) {
        uint8_t bytes[52] = {0};
        uint32_t index = (uint32_t)(first + step * lane);
        for (int i = 0; i < 13; i++) bytes[i] = prefix[i];
        for (int i = 0; i < 4; i++) bytes[13 + i] = (uint8_t)(index >> (24 - 8 * i));
        for (int i = 0; i < 32; i++) bytes[17 + i] = nonces[32 * lane + i];
        for (int i = 0; i < 13; i++) head[i][lane] = big_endian(bytes + 4 * i);
    }
    hasher_start(s);
    for (int i = 0; i < 12; i++) hasher_word(s, words_load(head[i]));
    return words_load(head[12]);
}
/* ``rows`` elements behind the byte ``before``; the last one's last byte is returned likewise */
INLINE Words column_rows(Hasher *s, Words before, const uint32_t *from, Index rows, Index pitch, Index count) {
    for (Index row = 0; row < rows; row++, from += pitch) {
        Words element = words_swap(load_words(from, count));
        hasher_word(s, words_plus(before, words_shift(element, 8)));
        before = words_shift_left(element, 24);
    }
    return before;
}
INLINE void column_end(Hasher *s, Words before, Index rows, uint8_t *digests, Index count) {
    hasher_end(s, words_plus(before, words_of(0x800000)), 49 + 4 * (uint64_t)rows);
    hasher_store(s, digests, count);
}

/* Digests of columns first + begin .. first + end - 1 into digests (.., 32), from its start: of prefix,
 * index in 4 bytes, nonce of 32 bytes, and the column's elements in 4 bytes each, least significant first.
 * ``columns`` (rows, pitch) and ``nonces`` (.., 32) begin at column ``first``; the prefix has 13 bytes. */
KERNEL(hash_columns)
(Index begin, Index end, Index first, const uint8_t *prefix, const uint8_t *nonces, const uint32_t *columns,
 Index rows, Index pitch, uint8_t *digests) {
    for (Index start = begin; start < end; start += WIDTH) {
        Index count = least(WIDTH, end - start);
        Hasher s;
        Words before = column_start(&s, prefix, nonces + 32 * start, first + start, 1, count);
        before = column_rows(&s, before, columns + start, rows, pitch, count);
        column_end(&s, before, rows, digests + 32 * start, count);
    }
}
/* The same digests of columns first, first + step, .., ``width`` of them, that come in strips of rows: ``rows`` of them behind ``done`` others,
 * of ``total``. A strip ends where a block of the hash does, but for the last: ``done`` is 0, or 4 more than a
 * multiple of 16. ``states`` (9, width) holds a column's hash value and its last byte in between. */
KERNEL(hash_strip)
(Index begin, Index end, const uint8_t *prefix, const uint8_t *nonces, const uint32_t *columns, Index rows,
 Index width, Index first, Index step, Index done, Index total, uint32_t *states, uint8_t *digests) {
    for (Index start = begin; start < end; start += WIDTH) {
        Index count = least(WIDTH, end - start);
        Hasher s;
        Words before;
        if (done) {
            for (int i = 0; i < 8; i++) s.h[i] = load_words(states + i * width + start, count);
            before = load_words(states + 8 * width + start, count);
            s.words = 0;
        } else {
            before = column_start(&s, prefix, nonces + 32 * start, first + step * start, step, count);
        }
        before = column_rows(&s, before, columns + start, rows, width, count);
        if (done + rows == total) {
            column_end(&s, before, total, digests + 32 * start, count);
        } else {
            for (int i = 0; i < 8; i++) store_words(states + i * width + start, s.h[i], count);
            store_words(states + 8 * width + start, before, count);
        }
    }
}
/* Digests of nodes begin .. end - 1: of prefix (12 bytes, the level last), index in 4 bytes, and two
 * digests of ``below`` (.., 32). */
KERNEL(hash_nodes)(Index begin, Index end, const uint8_t *prefix, const uint8_t *below, uint8_t *digests) {
    for (Index start = begin; start < end; start += WIDTH) {
        Index count = least(WIDTH, end - start);
        uint32_t body[17][WIDTH] = {{0}};
        Hasher s;
        for (Index lane = 0; lane < count; lane++) {
            body[0][lane] = (uint32_t)(start + lane);
            for (int i = 0; i < 16; i++) body[1 + i][lane] = big_endian(below + 64 * (start + lane) + 4 * i);
        }
        hasher_start(&s);
        for (int i = 0; i < 3; i++) hasher_word(&s, words_of(big_endian(prefix + 4 * i)));
        for (int i = 0; i < 17; i++) hasher_word(&s, words_load(body[i]));
        hasher_end(&s, words_of(0x80000000), 80);
        hasher_store(&s, digests + 32 * start, count);
    }
}
