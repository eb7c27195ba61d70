/*
 * The queue as a data structure (modules/operations/queue.h): nanoseconds per call, with so many waiting.
 *
 *   queue_bench [N …]     1000 10000 100000 1000000
 *
 * The lane is 8 wide, an eighth of its entries are for each of 4 agents and the rest for anyone; classes, actors and turns are mixed. Calls
 * are measured in a lane that is kept at N: what is taken out is put in again behind the others. One thread; no disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "measure.h"
#include "modules/operations/queue.h"

enum { CALLS = 200000, AGENTS = 4, ACTORS = 100 };
#define NS_PER_S INT64_C(1000000000)

static const char *const agents[AGENTS] = {"planner", "mailer", "indexer", "billing"};
static char actors[ACTORS][16];
static uint64_t turn;

static uint64_t next_random(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void must(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "queue_bench: %s\n", what);
    exit(1);
}

static struct queue_place some_place(const struct queue *queue, bool fair) {
    static const stet_class classes[4] = {STET_CLASS_LOW, STET_CLASS_NORMAL, STET_CLASS_NORMAL,
                                          STET_CLASS_HIGH};
    uint64_t draw = next_random();
    turn++;
    struct queue_place place = {
        .lane = VIEW("lane"),
        .class_ = classes[draw % 4],
        .for_ = draw / 4 % 2 == 0 ? QUEUE_FOR_ANYONE : QUEUE_FOR_AGENT,
        .agent = view_of(agents[draw / 8 % AGENTS]),
        .actor = view_of(actors[draw / 64 % ACTORS]),
        .turn = turn,
        .since = (int64_t)turn,
    };
    if (fair) place.tag = queue_tag(queue, place.lane, place.class_, place.actor);
    return place;
}

static void insert(struct queue *queue, struct queue_entry *entry, bool fair) {
    struct queue_place place = some_place(queue, fair);
    must(queue_reserve(queue, &place, NULL) == STET_OK, "no memory");
    queue_insert(queue, entry, &place, 0);
}

static struct queue_taker some_agent(void) {
    return (struct queue_taker){.as = QUEUE_FOR_AGENT,
                                .agent = view_of(agents[next_random() % AGENTS])};
}

/* Per call, since the moment given. */
static double each(int64_t from, size_t calls) { return (double)(now_ns() - from) / (double)calls; }

static void measure(size_t count, bool fair) {
    struct queue *queue = NULL;
    struct queue_lane *lane = NULL;
    struct queue_entry *entries = calloc(count, sizeof *entries);
    must(entries != NULL && queue_create(1, &queue, NULL) == STET_OK, "no memory");
    must(queue_lane_make(queue, VIEW("lane"), &lane, NULL) == STET_OK, "no memory");
    queue_lane_set(queue, lane,
                   &(struct queue_lane_settings){.width = 8, .age_s = 300, .fair = fair});
    queue_tick(queue, 1, NULL, NULL);

    int64_t from = now_ns();
    for (size_t i = 0; i < count; i++)
        insert(queue, &entries[i], fair);
    double inserts = each(from, count);
    size_t bytes = queue_bytes(queue);

    size_t sum = 0;
    from = now_ns();
    for (size_t i = 0; i < CALLS; i++)
        sum += queue_ahead(queue, &entries[next_random() % count]);
    double ranks = each(from, CALLS);
    must(sum > 0, "nobody is ahead of anybody");

    struct queue_entry *entry = NULL;
    from = now_ns();
    for (size_t i = 0; i < CALLS; i++) {
        struct queue_taker taker = some_agent();
        must(queue_next(queue, lane, &taker, &entry) == QUEUE_TAKE, "nobody is next");
    }
    double nexts = each(from, CALLS);

    /* The whole life: taken, done, and a new one behind the others. */
    from = now_ns();
    for (size_t i = 0; i < CALLS; i++) {
        struct queue_taker taker = some_agent();
        must(queue_next(queue, lane, &taker, &entry) == QUEUE_TAKE, "nobody is next");
        queue_start(queue, entry, NULL);
        queue_remove(queue, entry);
        insert(queue, entry, fair);
    }
    double cycles = each(from, CALLS);

    from = now_ns();
    for (size_t i = 0; i < CALLS; i++) {
        entry = &entries[next_random() % count];
        queue_remove(queue, entry);
        insert(queue, entry, fair);
    }
    double cancels = each(from, CALLS);

    /* All that is left of low and normal is lifted, twice if it may. */
    size_t lifted = 0;
    for (unsigned class_ = STET_CLASS_LOW; class_ <= STET_CLASS_NORMAL; class_++)
        lifted += lane->ready[class_];
    from = now_ns();
    queue_tick(queue, 301 * NS_PER_S, NULL, NULL);
    double lifts = each(from, lifted);

    printf("%9zu %5s %8.0f %8.0f %8.0f %8.0f %14.0f %8.0f %8.0f\n", count, fair ? "fair" : "",
           inserts, ranks, nexts, cycles, cancels, lifts, (double)bytes / (double)count);
    queue_destroy(queue);
    free(entries);
}

int main(int argc, char **argv) {
    static const size_t counts[] = {1000, 10000, 100000, 1000000};
    for (unsigned i = 0; i < ACTORS; i++)
        snprintf(actors[i], sizeof actors[i], "actor %u", i);
    printf("ns per call, with so many waiting; and bytes of each\n");
    printf("%9s %5s %8s %8s %8s %8s %14s %8s %8s\n", "waiting", "lane", "insert", "ahead", "next",
           "cycle", "cancel+insert", "lift", "bytes");
    for (int fair = 0; fair < 2; fair++)
        for (int i = 1; i < argc || (argc < 2 && i <= 4); i++)
            measure(argc < 2 ? counts[i - 1] : strtoul(argv[i], NULL, 10), fair == 1);
    return 0;
}
