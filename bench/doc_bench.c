/*
 * Documents: parse, hash, patch, diff and merge on one record of 474 bytes, with json-c's parse beside it in the same run.
 *
 * Each figure is the median of ROUNDS rounds; a round does one thing for at least ROUND_NS. The rounds of all things take
 * turns, so that a slow second of the machine hits all of them.
 */
#include "base/clock.h"
#include "base/view.h"
#include "doc/diff.h"
#include "doc/merge.h"
#include "doc/patch.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 15 };
#define ROUND_NS INT64_C(20000000)

#define RECORD(status, total, assigned)                                                            \
    "{\"number\":\"INV-2026-00417\",\"customer\":{\"id\":\"c-8812\",\"name\":\"M\xc3\xbcller & "   \
    "S\xc3\xb6hne GmbH\","                                                                         \
    "\"vat\":\"DE811907980\"},\"status\":\"" status                                                \
    "\",\"currency\":\"EUR\",\"issued_on\":\"2026-03-01\","                                        \
    "\"due_on\":\"2026-03-31\",\"paid\":false,\"lines\":[{\"sku\":\"A-100\",\"text\":"             \
    "\"Consulting, March\","                                                                       \
    "\"quantity\":12,\"price\":95.50},{\"sku\":\"B-220\",\"text\":\"Travel\",\"quantity\":1,"      \
    "\"price\":184.20}],"                                                                          \
    "\"total\":" total ",\"tax_rate\":0.19,\"notes\":null,\"tags\":[\"b2b\",\"net30\"],"           \
    "\"reference\":\"PO-4711 of 18 Feb. 2026\",\"assigned_to\":\"" assigned "\"}"

static const char record[] = RECORD("open", "1330.20", "anna.schmidt");
static const char record_current[] = RECORD("sent", "1330.20", "anna.schmidt");
static const char record_yours[] = RECORD("open", "1329.90", "omar.haddad");
static const char patch_merge[] = "{\"status\":\"paid\",\"paid\":true}";
static const char patch_json[] =
    "[{\"op\":\"test\",\"path\":\"/status\",\"value\":\"open\"},"
    "{\"op\":\"replace\",\"path\":\"/lines/1/price\",\"value\":190.00}]";

_Static_assert(sizeof record == 474 + 1, "the record of the design");

struct fixture {
    struct arena kept; /* The parsed documents. */
    struct arena arena;
    struct doc base, current, yours, merge, json;
    struct json_tokener *tokener;
    uint64_t sink; /* Results end here, so that nothing is optimised away. */
};

static void must(stet_status status) {
    if (status == STET_OK) return;
    fprintf(stderr, "doc_bench: status %d\n", (int)status);
    exit(1);
}

static void run_parse(struct fixture *fixture) {
    struct doc doc;
    must(doc_parse(&fixture->arena, VIEW(record), NULL, &doc, NULL));
    fixture->sink += doc.count;
}

static void run_json_c(struct fixture *fixture) {
    json_tokener_reset(fixture->tokener);
    struct json_object *object =
        json_tokener_parse_ex(fixture->tokener, record, (int)sizeof record - 1);
    if (object == NULL) must(STET_INTERNAL);
    fixture->sink += (uint64_t)json_object_object_length(object);
    json_object_put(object);
}

static void run_hash(struct fixture *fixture) { fixture->sink += doc_hash(&fixture->base, 0); }

static void run_equal(struct fixture *fixture) {
    fixture->sink += doc_equal(&fixture->base, 0, &fixture->base, 0);
}

static void run_merge_patch(struct fixture *fixture) {
    stet_view out;
    must(doc_merge_patch(&fixture->arena, &fixture->base, &fixture->merge, &out, NULL));
    fixture->sink += out.size;
}

static void run_json_patch(struct fixture *fixture) {
    stet_view out;
    must(doc_json_patch(&fixture->arena, &fixture->base, &fixture->json, &out, NULL));
    fixture->sink += out.size;
}

static void run_diff(struct fixture *fixture) {
    struct doc_difference *differences;
    size_t count;
    must(doc_diff(&fixture->arena, &fixture->base, &fixture->yours, &differences, &count, NULL));
    fixture->sink += count;
}

static void run_merge(struct fixture *fixture) {
    struct doc_merge_result result;
    must(doc_merge(&fixture->arena, &fixture->base, &fixture->current, &fixture->yours, NULL, 0,
                   &result, NULL));
    fixture->sink += result.merged.size;
}

static const struct {
    const char *name;
    void (*run)(struct fixture *fixture);
} things[] = {
    {"parse", run_parse},
    {"json-c parse", run_json_c},
    {"hash", run_hash},
    {"equal", run_equal},
    {"merge patch (2 fields)", run_merge_patch},
    {"json patch (test, replace)", run_json_patch},
    {"diff (2 differ)", run_diff},
    {"merge (1 against 2)", run_merge},
};
enum { THINGS = sizeof things / sizeof things[0], PARSE = 0, JSON_C = 1 };

/* Nanoseconds for one run. The arena is reset after each, as a request does. */
static double round_ns(struct fixture *fixture, void (*run)(struct fixture *)) {
    const struct clock *clock = clock_system();
    int64_t begin = clock_monotonic_ns(clock);
    int64_t spent;
    uint64_t runs = 0;
    do {
        for (int i = 0; i < 1000; i++) {
            run(fixture);
            arena_reset(&fixture->arena);
        }
        runs += 1000;
        spent = clock_monotonic_ns(clock) - begin;
    } while (spent < ROUND_NS);
    return (double)spent / (double)runs;
}

static int compare(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

int main(void) {
    struct fixture fixture = {.tokener = json_tokener_new()};
    if (fixture.tokener == NULL) must(STET_NO_MEMORY);
    arena_init(&fixture.kept, 16384);
    arena_init(&fixture.arena, 65536);
    must(doc_parse(&fixture.kept, VIEW(record), NULL, &fixture.base, NULL));
    must(doc_parse(&fixture.kept, VIEW(record_current), NULL, &fixture.current, NULL));
    must(doc_parse(&fixture.kept, VIEW(record_yours), NULL, &fixture.yours, NULL));
    must(doc_parse(&fixture.kept, VIEW(patch_merge), NULL, &fixture.merge, NULL));
    must(doc_parse(&fixture.kept, VIEW(patch_json), NULL, &fixture.json, NULL));

    double rounds[THINGS][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < THINGS; i++)
            rounds[i][round] = round_ns(&fixture, things[i].run);
    }
    printf("documents: a record of %zu bytes, %u values; median of %d rounds (fastest, slowest)\n",
           sizeof record - 1, fixture.base.count, ROUNDS);
    for (int i = 0; i < THINGS; i++) {
        qsort(rounds[i], ROUNDS, sizeof rounds[i][0], compare);
        printf("  %-28s %8.3f us  (%.3f, %.3f)\n", things[i].name, rounds[i][ROUNDS / 2] / 1000,
               rounds[i][0] / 1000, rounds[i][ROUNDS - 1] / 1000);
    }
    printf("  json-c parse / parse: %.1f\n",
           rounds[JSON_C][ROUNDS / 2] / rounds[PARSE][ROUNDS / 2]);
    json_tokener_free(fixture.tokener);
    arena_done(&fixture.kept);
    arena_done(&fixture.arena);
    return fixture.sink == 0;
}
