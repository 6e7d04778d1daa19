// What this processor can do, asked of cpuid itself: `__builtin_cpu_supports` answers from the
// compiler's run-time library, and that of zig says no to everything.
#include "pool.h"

#if defined(__x86_64__)
#include <cpuid.h>

#define SAVED 0xe6u // XCR0: the system keeps the xmm, ymm, opmask and zmm registers of a thread
#define FOUNDATION (bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL)

EXPORT int kernels_supported(void) {
    unsigned eax, ebx, ecx, edx, saved, high;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if ((saved & SAVED) != SAVED || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        return 0;
    if (eax < 1 || (ebx & FOUNDATION) != FOUNDATION || !(ecx & bit_AVX512VNNI))
        return 0;
    __cpuid_count(7, 1, eax, ebx, ecx, edx);
    return (eax & bit_AVX512BF16) != 0;
}
#else
EXPORT int kernels_supported(void) { return 0; }
#endif
