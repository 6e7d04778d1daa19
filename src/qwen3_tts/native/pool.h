// A team of threads that share the rows of a matrix, frame after frame.
#pragma once
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

typedef struct Pool Pool;
typedef void (*Task)(void *job, int thread, int threads);

// Threads beside the caller's are started once and sleep between calls. NULL: out of memory.
EXPORT Pool *pool_new(int threads);
EXPORT void pool_free(Pool *pool);

// Run `task` on `threads` threads of the pool, the caller's among them, and wait for all. One call
// at a time: a pool belongs to one thread.
void pool_run(Pool *pool, int threads, Task task, void *job);

// Inside a task: wait for the others of this run.
void pool_barrier(Pool *pool);

// Memory of one thread of the pool, 64-byte aligned and kept from call to call; NULL: out of
// memory. `slot` 0 is shared by whoever asks for it; a larger size loses what was there.
#define POOL_SLOTS 8
void *pool_memory(Pool *pool, int slot, size_t bytes);

// The share of thread `thread` of `count` pieces.
static inline void share(int count, int thread, int threads, int *start, int *end) {
    *start = (int)((int64_t)count * thread / threads);
    *end = (int)((int64_t)count * (thread + 1) / threads);
}
