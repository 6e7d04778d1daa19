// Threads sleep between runs and spin inside one: a frame has hundreds of barriers, a few
// microseconds apart, and a system call at each would cost more than the work between them.
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SPINS 4096 // about 40 microseconds; then another thread may have this core

struct Pool {
    int threads, running; // of the current run
    pthread_t *workers;
    pthread_mutex_t lock;
    pthread_cond_t started;
    uint64_t run;
    int closing;
    Task task;
    void *job;
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_uint turn; // of the barrier
    _Alignas(64) atomic_int working;
    void *memory[POOL_SLOTS];
    size_t sizes[POOL_SLOTS];
};

typedef struct {
    Pool *pool;
    int index;
} Worker;

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void *work(void *argument) {
    Worker worker = *(Worker *)argument;
    Pool *pool = worker.pool;
    free(argument);
    uint64_t seen = 0;
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        while (pool->run == seen && !pool->closing)
            pthread_cond_wait(&pool->started, &pool->lock);
        seen = pool->run;
        int mine = worker.index < pool->running, closing = pool->closing;
        pthread_mutex_unlock(&pool->lock);
        if (closing)
            return NULL;
        if (mine) {
            pool->task(pool->job, worker.index, pool->running);
            atomic_fetch_sub_explicit(&pool->working, 1, memory_order_release);
        }
    }
}

Pool *pool_new(int threads) {
    Pool *pool = NULL;
    if (threads < 1 || posix_memalign((void **)&pool, 64, sizeof(Pool)))
        return NULL;
    *pool = (Pool){.threads = 1};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->started, NULL);
    pool->workers = calloc((size_t)threads, sizeof(pthread_t));
    for (int i = 1; pool->workers && i < threads; i++) {
        Worker *worker = malloc(sizeof(Worker));
        if (!worker)
            break;
        *worker = (Worker){pool, i};
        if (pthread_create(&pool->workers[i], NULL, work, worker)) {
            free(worker);
            break;
        }
        pool->threads++;
    }
    return pool;
}

void pool_free(Pool *pool) {
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = 1;
    pthread_cond_broadcast(&pool->started);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i < pool->threads; i++)
        pthread_join(pool->workers[i], NULL);
    for (int i = 0; i < POOL_SLOTS; i++)
        free(pool->memory[i]);
    free(pool->workers);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->started);
    free(pool);
}

void pool_run(Pool *pool, int threads, Task task, void *job) {
    if (threads > pool->threads)
        threads = pool->threads;
    if (threads < 1)
        threads = 1;
    atomic_store(&pool->arrived, 0);
    if (threads == 1) {
        pool->running = 1;
        task(job, 0, 1);
        return;
    }
    atomic_store(&pool->working, threads - 1);
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->job = job;
    pool->running = threads;
    pool->run++;
    pthread_cond_broadcast(&pool->started);
    pthread_mutex_unlock(&pool->lock);
    task(job, 0, threads);
    for (int spins = 0; atomic_load_explicit(&pool->working, memory_order_acquire); spins++)
        spins < SPINS ? relax() : (void)sched_yield();
}

void pool_barrier(Pool *pool) {
    if (pool->running == 1)
        return;
    unsigned turn = atomic_load_explicit(&pool->turn, memory_order_acquire);
    if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) + 1 == pool->running) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->turn, turn + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&pool->turn, memory_order_acquire) == turn; spins++)
        spins < SPINS ? relax() : (void)sched_yield();
}

void *pool_memory(Pool *pool, int slot, size_t bytes) {
    if (pool->sizes[slot] < bytes) {
        void *fresh = NULL;
        size_t rounded = (bytes + 4095) & ~(size_t)4095;
        if (posix_memalign(&fresh, 4096, rounded))
            return NULL;
        free(pool->memory[slot]);
        pool->memory[slot] = fresh;
        pool->sizes[slot] = rounded;
    }
    return pool->memory[slot];
}
