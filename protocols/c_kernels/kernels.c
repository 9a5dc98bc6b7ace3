/* All kernels at one level: compiled with -DLEVEL_AVX512, -DLEVEL_AVX2 or -DLEVEL_PLAIN. */
#include "arithmetic.h"

#if defined(LEVEL_AVX512)
#define LEVEL avx512
#include "lanes_avx512.h"
#elif defined(LEVEL_AVX2)
#define LEVEL avx2
#include "lanes_avx2.h"
#else
#define LEVEL plain
#include "lanes_plain.h"
#endif

#include "quintic.h"
#include "blake2s.h"
#include "sha256.h"
#include "sumcheck.h"
#include "sums.h"
#include "transform.h"
#include "leaves.h"
#include "tree.h"
#include "units.h"
