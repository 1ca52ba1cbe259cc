/* atomic.h: the shim through which every atomic access of weft goes.
 *
 * The order stands in the name: rlx relaxed, acq acquire, rel release, acq_rel, seq sequentially consistent. An access
 * that pairs with another carries the pair's label in a comment, `[ring.publish]`, and scripts/check_pairs sees that no
 * label stands alone. These are macros because they take any integer or pointer type.
 *
 * Atomic fields are plain types: a public struct that C++ also reads cannot hold _Atomic. */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include "base/fine.h"

#include <stdbool.h>
#include <stdint.h>

#define a_load_rlx(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define a_load_acq(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define a_load_seq(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define a_store_rlx(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define a_store_rel(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define a_store_seq(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define a_swap_acq(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define a_swap_acq_rel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define a_add_rlx(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define a_add_acq_rel(p, v) __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define a_add_seq(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define a_sub_rlx(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define a_sub_rel(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELEASE)
#define a_sub_acq_rel(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define a_or_seq(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define a_and_seq(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define a_or_rel(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELEASE)
#define a_fence_acq() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define a_fence_seq() __atomic_thread_fence(__ATOMIC_SEQ_CST)
/** Keep the compiler from moving accesses over this point; the CPU is left free. For pairs with os_membarrier(). */
#define a_fence_compiler() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* Compare and swap. *expected gets the value seen when it fails. What came before it may be old by then: fine.h. */
#define a_cas_acq(p, expected, v) (fine_point(), __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
#define a_cas_rel(p, expected, v) (fine_point(), __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
#define a_cas_acq_rel(p, expected, v) (fine_point(), __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
#define a_cas_seq(p, expected, v) (fine_point(), __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))

#endif
