/* What this processor and its system can run, asked once when the library is loaded from Python. */
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>

#define YMM_STATE 0x6u  /* the system saves xmm and ymm registers */
#define ZMM_STATE 0xe6u /* and opmask and zmm registers */
#define AVX2 (1u << 5)
/* F, DQ, BW, VL of AVX-512 */
#define AVX512 (1u << 16 | 1u << 17 | 1u << 30 | 1u << 31)

static uint32_t saved_state(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#endif

/* 0: plain, 1: avx2, 2: avx512; a level includes those below it */
__attribute__((visibility("default"))) int32_t zkwm_processor_level(void) {
#if defined(__x86_64__)
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    uint32_t state = saved_state();
    if ((state & YMM_STATE) != YMM_STATE || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & AVX2)) return 0;
    return (state & ZMM_STATE) == ZMM_STATE && (b & AVX512) == AVX512 ? 2 : 1;
#else
    return 0;
#endif
}

/* Counts changes of any kernel's arguments or meaning: as field.kernels.native.VERSION. */
__attribute__((visibility("default"))) int32_t zkwm_kernels_version(void) { return 5; }
