/*
 * Durable commits: what the store alone can do, without JSON, queue or HTTP.
 *
 *   store_bench [DIR] [SECONDS] [RECORDS…]
 *
 * For each number of records (default 10,000 and 1,000,000) and batches of 1, 16, 64 and 256: updates of random records
 * with 500 bytes of data, history and a time-ordered mutation key each, synchronous=FULL, as the sequencer would send them. In the environment: STORE_BENCH_BATCH, only this
 * size of batch; STORE_BENCH_COUNT, so many commits; STORE_BENCH_LOOK_UP, each head is looked up before it is replaced;
 * STORE_BENCH_CACHE_MIB, size of the writer's page cache.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/uuid.h"
#include "base/view.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_MAX = 512, DATA_BYTES = 500, LATENCIES_MAX = 1 << 20 };

struct bench {
    struct store *store;
    struct store_head *heads; /* Of all records, as the engine's cache would hold them. */
    size_t record_count;
    uint64_t random;
    char data[DATA_BYTES];
    bool look_up; /* Each head before its update, as a sequencer must that has forgotten it. */
    int64_t *latencies;
    size_t latency_count;
};

static void fail(const stet_error *err) {
    fprintf(stderr, "store_bench: %s (%s)\n", err->message, err->cause);
    exit(1);
}

static uint64_t next_random(struct bench *bench) {
    bench->random ^= bench->random << 13;
    bench->random ^= bench->random >> 7;
    bench->random ^= bench->random << 17;
    return bench->random;
}

/* Commits one batch of changes to the records given by number. */
static void commit(struct bench *bench, const size_t *numbers, size_t count) {
    static struct store_change changes[BATCH_MAX];
    static struct store_head heads[BATCH_MAX];
    static struct store_key keys[BATCH_MAX];
    static uint64_t hashes[BATCH_MAX];
    static char ids[BATCH_MAX][40];
    static uint8_t results[BATCH_MAX][12];
    const struct store_state *state = store_state(bench->store);
    stet_error err;
    for (size_t i = 0; i < count; i++) {
        struct store_head *head = &bench->heads[numbers[i]];
        int id_size = snprintf(ids[i], sizeof ids[i], "record-%012zu", numbers[i]);
        struct store_head found;
        if (bench->look_up &&
            store_head(store_writer_reader(bench->store), VIEW("task"),
                       view_make(ids[i], (size_t)id_size), &found, &err) != STET_OK)
            fail(&err);
        changes[i] = (struct store_change){.seq = state->seq + 1 + i,
                                           .transaction = state->seq + 1 + i,
                                           .stamp = state->stamp + 1000 + (int64_t)i,
                                           .version = head->version + 1,
                                           .base_version = head->version,
                                           .op = head->version == 0 ? STORE_CREATE : STORE_UPDATE,
                                           .type = VIEW("task"),
                                           .id = view_make(ids[i], (size_t)id_size),
                                           .by = VIEW("user:alice"),
                                           .data = view_make(bench->data, DATA_BYTES)};
        hashes[i] = next_random(bench);
        heads[i] = *head;
        uuid_v7(clock_system(), entropy_system(), keys[i].key);
        memcpy(keys[i].request, &hashes[i], sizeof hashes[i]);
        keys[i].actor = VIEW("user:alice");
        memcpy(results[i], &changes[i].seq, 8);
        keys[i].result = view_make(results[i], sizeof results[i]);
        /* Its head after this change, for a later change of the same record in the batch. */
        if (store_head_advance(head, &changes[i], hashes[i], &err) != STET_OK) fail(&err);
    }
    struct store_batch batch = {.changes = changes,
                                .heads = heads,
                                .hashes = hashes,
                                .change_count = count,
                                .keys = keys,
                                .key_count = count,
                                .stamp = changes[count - 1].stamp};
    if (store_commit(bench->store, &batch, &err) != STET_OK) fail(&err);
    store_maintain(bench->store);
}

static void create_all(struct bench *bench) {
    size_t numbers[BATCH_MAX];
    for (size_t at = 0; at < bench->record_count;) {
        size_t count = 0;
        while (count < BATCH_MAX && at < bench->record_count)
            numbers[count++] = at++;
        commit(bench, numbers, count);
    }
}

/* What the committing thread itself used: on a busy machine this repeats, the time that passes does not. */
static double thread_cpu_s(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static void measure(struct bench *bench, size_t batch_size, double seconds) {
    size_t numbers[BATCH_MAX];
    int64_t start = clock_monotonic_ns(clock_system()), now = start;
    double cpu_s = thread_cpu_s();
    bench->latency_count = 0;
    const char *count = getenv("STORE_BENCH_COUNT"); /* The same work each time, for profilers. */
    size_t most = count != NULL ? (size_t)atol(count) : LATENCIES_MAX;
    while (now - start < (int64_t)(seconds * 1e9) && bench->latency_count < most) {
        for (size_t i = 0; i < batch_size; i++)
            numbers[i] = next_random(bench) % bench->record_count;
        int64_t before = now;
        commit(bench, numbers, batch_size);
        now = clock_monotonic_ns(clock_system());
        bench->latencies[bench->latency_count++] = now - before;
    }
    qsort(bench->latencies, bench->latency_count, sizeof *bench->latencies, compare);
    cpu_s = thread_cpu_s() - cpu_s;
    double total_s = (double)(now - start) / 1e9;
    struct store_usage usage;
    store_usage(bench->store, &usage);
    printf("%9zu %6zu %12.1f %10.1f %10.1f %10.1f %12.0f %8" PRIu64 "\n", bench->record_count,
           batch_size, total_s * 1e6 / (double)bench->latency_count,
           cpu_s * 1e6 / (double)bench->latency_count,
           (double)bench->latencies[bench->latency_count / 2] / 1e3,
           (double)bench->latencies[bench->latency_count * 99 / 100] / 1e3,
           (double)(bench->latency_count * batch_size) / total_s, usage.log_bytes >> 20);
    fflush(stdout);
}

static void remove_files(const char *path) {
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
    char name[4096];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void run(const char *dir, size_t record_count, double seconds) {
    static const size_t batch_sizes[] = {1, 16, 64, 256};
    char path[4000];
    stet_error err;
    snprintf(path, sizeof path, "%s/store_bench.%ld", dir, (long)getpid());
    struct bench bench = {.record_count = record_count, .random = 88172645463325252u};
    const char *cache = getenv("STORE_BENCH_CACHE_MIB");
    const struct store_options options = {.driver = "sqlite",
                                          .path = path,
                                          .writer_cache_bytes =
                                              cache != NULL ? (size_t)atol(cache) << 20 : 0};
    bench.heads = calloc(record_count, sizeof *bench.heads);
    bench.latencies = malloc(LATENCIES_MAX * sizeof *bench.latencies);
    if (bench.heads == NULL || bench.latencies == NULL) exit(1);
    memset(bench.data, 'x', sizeof bench.data);
    remove_files(path);
    if (store_open(&options, &bench.store, &err) != STET_OK) fail(&err);
    create_all(&bench);
    bench.look_up = getenv("STORE_BENCH_LOOK_UP") != NULL;
    const char *only = getenv("STORE_BENCH_BATCH");
    for (size_t i = 0; i < sizeof batch_sizes / sizeof batch_sizes[0]; i++) {
        if (only == NULL || (size_t)atol(only) == batch_sizes[i])
            measure(&bench, batch_sizes[i], seconds);
    }
    store_close(bench.store);
    remove_files(path);
    free(bench.heads);
    free(bench.latencies);
}

int main(int argc, char **argv) {
    const char *dir = argc > 1 ? argv[1] : ".";
    double seconds = argc > 2 ? atof(argv[2]) : 5;
    printf(
        "  records  batch      mean µs     cpu µs     p50 µs     p99 µs    changes/s  log MiB\n");
    if (argc <= 3) {
        run(dir, 10000, seconds);
        run(dir, 1000000, seconds);
    }
    for (int i = 3; i < argc; i++)
        run(dir, (size_t)atol(argv[i]), seconds);
    return 0;
}
