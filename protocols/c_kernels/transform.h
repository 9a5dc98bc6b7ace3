/* Number-theoretic transforms of rows (SPEC.md 17.2, 17.7).
 *
 *     a row of N = A B coefficients, as a matrix of A rows and B columns (index i B + j), A = B or 2 B:
 *
 *     1  factors, then transform columns    STRIP of them at a time, copied into a strip (A, STRIP)
 *     2  multiply (k, j) by w_N^(k j)       while the strip is written to ``middle`` (A, B + STRIP)
 *     3  transform rows of ``middle``       STRIP of them at a time, transposed into a strip (B, STRIP)
 *     4  write whole cache lines            values at w_N^0, w_N^1, ...
 *
 * A strip is as wide as a cache line, and rows of ``middle`` are one line longer than B, so that lines
 * of a column do not share a place in the cache. Rows are canonical; factors and twiddles are in
 * Montgomery form, so that products stay canonical. The roots of a strip are canonical, each with its
 * quotient floor(2^32 root / p): a product with a known factor needs no Montgomery form (Shoup).
 */
#define STRIP 16
#define GROUP 4
#define NEAR 512 /* lines of a strip that stay in the first cache */

INLINE Index reversed_bits(Index value, int count) {
    Index out = 0;
    for (int i = 0; i < count; i++) out = 2 * out + (value >> i & 1);
    return out;
}

/* roots[2 i] is the root's power i, roots[2 i + 1] its quotient */
typedef struct {
    Words factor, quotient;
} Root;
INLINE Root root_at(const Residue *roots, Index i) {
    Root root = {words_of(roots[2 * i]), words_of(roots[2 * i + 1])};
    return root;
}
INLINE Words times(Words a, Root root) { return words_times(a, root.factor, root.quotient); }

/* One layer of radix 2, decimation in frequency, on blocks of 2 ``half`` lines. */
INLINE void layer_of_two(Residue *strip, Index size, Index half, const Residue *roots, Index stride) {
    for (Index i = 0; i < half; i++) {
        Root root = root_at(roots, i * stride);
        for (Index block = i; block < size; block += 2 * half) {
            Residue *top = strip + block * STRIP, *bottom = top + half * STRIP;
            for (int j = 0; j < STRIP; j += WIDTH) {
                Words a = words_load(top + j), b = words_load(bottom + j);
                words_store(top + j, words_add(a, b));
                words_store(bottom + j, times(words_lazy_subtract(a, b), root));
            }
        }
    }
}
/* Two layers at once, on blocks of 4 ``quarter`` lines; ``filled`` quarters of a block are not zero. */
INLINE void two_layers(Residue *strip, Index size, Index quarter, const Residue *roots, Index stride, int filled) {
    Index step = quarter * STRIP;
    for (Index i = 0; i < quarter; i++) {
        Root first = root_at(roots, i * stride), second = root_at(roots, (i + quarter) * stride);
        Root both = root_at(roots, 2 * i * stride);
        for (Index block = i; block < size; block += 4 * quarter) {
            Residue *line = strip + block * STRIP;
            for (int j = 0; j < STRIP; j += WIDTH) {
                Words a = words_load(line + j), b = words_of(0), c, d;
                if (filled > 1) b = words_load(line + step + j);
                if (filled > 2) {
                    Words e = words_load(line + 2 * step + j), f = words_load(line + 3 * step + j);
                    c = times(words_lazy_subtract(a, e), first);
                    d = times(words_lazy_subtract(b, f), second);
                    a = words_add(a, e);
                    b = words_add(b, f);
                } else {
                    c = times(a, first);
                    d = times(b, second);
                }
                if (filled > 1) {
                    words_store(line + j, words_add(a, b));
                    words_store(line + step + j, times(words_lazy_subtract(a, b), both));
                    words_store(line + 2 * step + j, words_add(c, d));
                    words_store(line + 3 * step + j, times(words_lazy_subtract(c, d), both));
                } else {
                    words_store(line + step + j, times(a, both));
                    words_store(line + 2 * step + j, c);
                    words_store(line + 3 * step + j, times(c, both));
                }
            }
        }
    }
}
/* Transform the columns of a strip in place; its lines end in bit-reversed order. Lines from ``filled``
 * on are zero, or not yet written. ``roots`` are powers of the root of order 2^longest. */
static void transform_strip(Residue *strip, int logarithm, int longest, const Residue *roots, Index filled) {
    Index size = (Index)1 << logarithm, quarter = size / 4, stride = (Index)1 << (longest - logarithm);
    int quarters = 4;
    if (filled <= 2 * quarter) quarters = filled <= quarter ? 1 : 2;
    Index whole = quarters == 4 ? size : quarters * quarter;
    for (Index i = filled * STRIP; i < whole * STRIP; i++) strip[i] = 0;
    if (quarters == 1) two_layers(strip, size, quarter, roots, stride, 1);
    if (quarters == 2) two_layers(strip, size, quarter, roots, stride, 2);
    if (quarters != 4) quarter /= 4, stride *= 4;
    for (; 4 * quarter > NEAR; quarter /= 4, stride *= 4) two_layers(strip, size, quarter, roots, stride, 4);
    /* blocks that fit into the first cache are finished one after the other */
    Index block = quarter ? 4 * quarter : 2;
    for (Index start = 0; start < size; start += block) {
        Residue *line = strip + start * STRIP;
        Index step = stride;
        for (Index q = quarter; q; q /= 4, step *= 4) two_layers(line, block, q, roots, step, 4);
        if (logarithm % 2) layer_of_two(line, block, 1, roots, step);
    }
}

typedef struct {
    int logarithm, rows_log, columns_log;
    Index rows, columns, pitch; /* of the matrix; of ``middle`` */
    const Residue *factors, *roots, *twiddles;
} Transform;

/* the next ``count`` words of a line times their factors, zeros behind them */
INLINE void load_line(Residue *line, const Residue *row, const Residue *factors, Index count) {
    if (count >= STRIP) {
        for (int j = 0; j < STRIP; j += WIDTH)
            words_store(line + j, words_product(words_load(row + j), words_load(factors + j)));
    } else {
        for (Index j = 0; j < STRIP; j++) line[j] = j < count ? montgomery_product(row[j], factors[j]) : 0;
    }
}
/* GROUP strips are read, and written, together: a page is visited once for all of them */
static void transform_row(const Transform *t, const Residue *row, Index length, Residue *strips, Residue *middle,
                          Residue *out) {
    Index group = least(GROUP, t->columns / STRIP), size = t->rows * STRIP;
    for (Index start = 0; start < t->columns; start += group * STRIP) {
        Index filled = length > start ? (length - start + t->columns - 1) / t->columns : 0;
        for (Index i = 0; i < filled; i++)
            for (Index s = 0; s < group; s++) {
                Index at = i * t->columns + start + s * STRIP;
                load_line(strips + s * size + i * STRIP, row + at, t->factors + at, length - at);
            }
        for (Index s = 0; s < group; s++)
            transform_strip(strips + s * size, t->rows_log, t->rows_log, t->roots, filled);
        for (Index i = 0; i < t->rows; i++) {
            Index k = reversed_bits(i, t->rows_log);
            const Residue *twiddle = t->twiddles + k * t->columns + start;
            Residue *to = middle + k * t->pitch + start;
            for (Index s = 0; s < group; s++)
                for (int j = 0; j < STRIP; j += WIDTH)
                    words_store(to + s * STRIP + j, words_product(words_load(strips + s * size + i * STRIP + j),
                                                                  words_load(twiddle + s * STRIP + j)));
        }
    }
    group = least(GROUP, t->rows / STRIP), size = t->columns * STRIP;
    for (Index start = 0; start < t->rows; start += group * STRIP) {
        for (Index s = 0; s < group; s++) {
            Residue *strip = strips + s * size;
            for (Index j = 0; j < t->columns; j += STRIP)
                words_transpose(middle + (start + s * STRIP) * t->pitch + j, t->pitch, strip + j * STRIP);
            transform_strip(strip, t->columns_log, t->rows_log, t->roots, t->columns);
        }
        for (Index i = 0; i < t->columns; i++) {
            Residue *to = out + reversed_bits(i, t->columns_log) * t->rows + start;
            for (Index s = 0; s < group; s++)
                for (int j = 0; j < STRIP; j += WIDTH)
                    words_store(to + s * STRIP + j, words_load(strips + s * size + i * STRIP + j));
        }
    }
}
/* Rows of fewer than 2^8 values: ``roots`` are powers of the root of order N. */
static void transform_short_row(const Transform *t, const Residue *row, Index length, Residue *strip, Residue *out) {
    Index size = (Index)1 << t->logarithm, stride = 1;
    for (Index i = 0; i < size; i++) strip[i] = i < length ? montgomery_product(row[i], t->factors[i]) : 0;
    for (Index half = size / 2; half; half /= 2, stride *= 2)
        for (Index i = 0; i < half; i++) {
            uint64_t factor = t->roots[2 * i * stride];
            for (Index at = i; at < size; at += 2 * half) {
                uint64_t a = strip[at], b = strip[at + half];
                strip[at] = (Residue)((a + b) % P);
                strip[at + half] = (Residue)((a + P - b) * factor % P);
            }
        }
    for (Index i = 0; i < size; i++) out[reversed_bits(i, t->logarithm)] = strip[i];
}
/* rows (.., length) to out (.., N); strips (GROUP A STRIP) and middle (A (B + STRIP)) are this call's own */
KERNEL(transform_rows)
(Index begin, Index end, const Residue *rows, Index length, const Residue *factors, const Residue *roots,
 const Residue *twiddles, Index logarithm, Residue *strips, Residue *middle, Residue *out) {
    Transform t = {.logarithm = (int)logarithm, .factors = factors, .roots = roots, .twiddles = twiddles};
    t.columns_log = t.logarithm / 2;
    t.rows_log = t.logarithm - t.columns_log;
    t.rows = (Index)1 << t.rows_log;
    t.columns = (Index)1 << t.columns_log;
    t.pitch = t.columns + STRIP;
    for (Index r = begin; r < end; r++) {
        if (logarithm < 8)
            transform_short_row(&t, rows + r * length, length, strips, out + (r << logarithm));
        else
            transform_row(&t, rows + r * length, length, strips, middle, out + (r << logarithm));
    }
}

/* Values of rows at some places only, into out (.., count): at w_N^c for c of ``places``, N = A B.
 *
 *     index i B + j:   value(c) = sum over j of w_N^(c j) y_k(j),   k = c mod A, y_k(j) value k of column j
 *
 * Columns are transformed as above, in strips (A, STRIP), with A about as large as ``count``. lines (count) are the
 * lines of a strip, 4 or more, that hold y_k; powers (B / STRIP, count, STRIP) are w_N^(c j). Strips (GROUP A STRIP) and sums
 * (count STRIP) are this call's own. */
KERNEL(transform_at)
(Index begin, Index end, const Residue *rows, Index length, const Residue *factors, const Residue *roots,
 Index rows_log, Index columns, const Index *lines, Index count, const Residue *powers, Residue *strips,
 Residue *sums, Residue *out) {
    Index size = STRIP << rows_log;
    for (Index r = begin; r < end; r++) {
        const Residue *row = rows + r * length;
        for (Index i = 0; i < count * STRIP; i++) sums[i] = 0;
        for (Index start = 0; start < columns; start += GROUP * STRIP) {
            if (start >= length) break; /* zeros from here on */
            Index filled = (length - start + columns - 1) / columns;
            for (Index i = 0; i < filled; i++)
                for (Index s = 0; s < GROUP; s++) {
                    Index at = i * columns + start + s * STRIP;
                    load_line(strips + s * size + i * STRIP, row + at, factors + at, length - at);
                }
            for (Index s = 0; s < GROUP; s++) {
                const Residue *strip = strips + s * size, *power = powers + (start + s * STRIP) * count;
                transform_strip(strips + s * size, (int)rows_log, (int)rows_log, roots, filled);
                for (Index k = 0; k < count; k++)
                    for (Index j = k * STRIP; j < (k + 1) * STRIP; j += WIDTH) {
                        Words y = words_load(strip + lines[k] * STRIP + j - k * STRIP);
                        words_store(sums + j, words_add(words_load(sums + j), words_product(y, words_load(power + j))));
                    }
            }
        }
        for (Index k = 0; k < count; k++) {
            uint64_t total = 0;
            for (Index j = 0; j < STRIP; j++) total += sums[k * STRIP + j];
            out[r * count + k] = (Residue)(total % P);
        }
    }
}

/* start, start base, start base^2, ... into out, all in Montgomery form: doubled again and again */
INLINE void powers(Residue base, Residue start, Residue *out, Index count) {
    Residue step = base;
    Index done = 1;
    if (count) out[0] = start;
    for (; done < count; done *= 2, step = montgomery_product(step, step)) {
        Index more = least(done, count - done), i = 0;
        for (; i + WIDTH <= more; i += WIDTH)
            words_store(out + done + i, words_product(words_load(out + i), words_of(step)));
        for (; i < more; i++) out[done + i] = montgomery_product(out[i], step);
    }
}
KERNEL(fill_powers)(Index base, Index start, Residue *out, Index count) {
    powers((Residue)base, (Residue)start, out, count);
}
/* out[k, j] = root^(k j), out (rows, columns): rows begin .. end - 1; ``one`` is 1 */
KERNEL(fill_twiddles)(Index begin, Index end, const Residue *row_roots, Residue *out, Index columns, Index one) {
    for (Index k = begin; k < end; k++) powers(row_roots[k], (Residue)one, out + k * columns, columns);
}
