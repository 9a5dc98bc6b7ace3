/* Residues modulo p = 2^31 - 2^24 + 1 for all kernels, and how a kernel is declared (SPEC.md 17.2).
 *
 *     residue            uint32_t below p; in Montgomery form (a 2^32 mod p) where a kernel says so
 *     element of K       five residues; arrays of elements lie in planes: coefficient k of element i
 *                        is at k * columns + i
 *     level              plain, avx2 or avx512; every kernel is compiled once for each, from one text
 *     lanes              LANES residues in 64 bits each: one vector (lanes_*.h)
 *
 * Every kernel works on tasks begin .. end - 1 and writes only what belongs to them, so that threads
 * can share one call's arrays. Sizes and memory layout are checked by the callers in Python.
 */
#ifndef ZKWM_ARITHMETIC_H
#define ZKWM_ARITHMETIC_H

#include <stdint.h>

typedef uint32_t Residue;
typedef int64_t Index;

#define P 0x7f000001u
#define P_INVERSE 0x81000001u /* 1 / p modulo 2^32 */
#define P_HIGH ((uint64_t)P << 32)
#define DEGREE 5
#define MONTGOMERY_ONE 0x01fffffeu /* 2^32 mod p */
#define CHUNK 1024 /* columns of a task, as field.kernels.sumcheck.CHUNK */

#define INLINE static inline __attribute__((always_inline))
#define JOIN_(a, b, c) a##b##_##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define KERNEL(name) __attribute__((visibility("default"))) void JOIN(zkwm_, name, LEVEL)

INLINE Index least(Index a, Index b) { return a < b ? a : b; }
INLINE Index chunks_of(Index columns) { return (columns + CHUNK - 1) / CHUNK; }

/* a b / 2^32 modulo p of one pair of residues */
INLINE Residue montgomery_product(Residue a, Residue b) {
    uint64_t total = (uint64_t)a * b;
    uint64_t multiple = (uint64_t)((uint32_t)total * P_INVERSE) * P;
    /* both words agree in the low half; the high ones are below p */
    uint32_t residue = (uint32_t)(total >> 32) - (uint32_t)(multiple >> 32);
    return residue < P ? residue : residue + P;
}

#endif
