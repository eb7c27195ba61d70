/*
 * Documents: parse, hash, patch, diff and merge on one record of 474 bytes, with json-c's parse beside it in the same run.
 *
 * Each figure is the median of ROUNDS rounds; a round does one thing for at least ROUND_NS. The rounds of all things take
 * turns, so that a slow second of the machine hits all of them.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/view.h"
#include "doc/diff.h"
#include "doc/merge.h"
#include "doc/patch.h"
#include "doc/rules.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 15, RUNS = 100 }; /* Runs between two looks at the clock. */
enum { TEXT_LINES = 200, TEXT_CHANGED = 5 };
#define ROUND_NS INT64_C(20000000)

#define RECORD(status, total, tags, assigned)                                                      \
    "{\"number\":\"INV-2026-00417\",\"customer\":{\"id\":\"c-8812\",\"name\":\"M\xc3\xbcller & "   \
    "S\xc3\xb6hne GmbH\","                                                                         \
    "\"vat\":\"DE811907980\"},\"status\":\"" status                                                \
    "\",\"currency\":\"EUR\",\"issued_on\":\"2026-03-01\","                                        \
    "\"due_on\":\"2026-03-31\",\"paid\":false,\"lines\":[{\"sku\":\"A-100\",\"text\":"             \
    "\"Consulting, March\","                                                                       \
    "\"quantity\":12,\"price\":95.50},{\"sku\":\"B-220\",\"text\":\"Travel\",\"quantity\":1,"      \
    "\"price\":184.20}],"                                                                          \
    "\"total\":" total ",\"tax_rate\":0.19,\"notes\":null,\"tags\":[" tags "],"                    \
    "\"reference\":\"PO-4711 of 18 Feb. 2026\",\"assigned_to\":\"" assigned "\"}"

#define TAGS "\"b2b\",\"net30\""

static const char record[] = RECORD("open", "1330.20", TAGS, "anna.schmidt");
/* Four fields changed, each by one side. */
static const char record_current[] = RECORD("sent", "1330.20", TAGS ",\"eu\"", "anna.schmidt");
static const char record_yours[] = RECORD("open", "1329.90", TAGS, "omar.haddad");
/* The same four changed by both, as the rules below settle it. */
static const char record_all_current[] =
    RECORD("sent", "1340.20", TAGS ",\"eu\"", "anna b. schmidt");
static const char record_all_yours[] = RECORD("paid", "1329.90", "\"net30\",\"vip\"", "anna.meier");
static const char definition[] =
    "{\"fields\":{\"/status\":{\"merge\":\"last_writer_wins\"},\"/"
    "total\":{\"merge\":\"delta\",\"minimum\":0},"
    "\"/tags\":{\"merge\":\"set\"},\"/assigned_to\":{\"merge\":\"first\"},"
    "\"/lines\":{\"merge\":\"by_key\",\"key\":\"sku\"}}}";
static const char definition_text[] = "{\"fields\":{\"/body\":{\"merge\":\"text\"}}}";
static const char patch_merge[] = "{\"status\":\"paid\",\"paid\":true}";
static const char patch_json[] =
    "[{\"op\":\"test\",\"path\":\"/status\",\"value\":\"open\"},"
    "{\"op\":\"replace\",\"path\":\"/lines/1/price\",\"value\":190.00}]";

_Static_assert(sizeof record == 474 + 1, "the record of the design");

struct fixture {
    struct arena kept; /* The parsed documents. */
    struct arena arena;
    struct doc base, current, yours, merge, json;
    struct doc all_current, all_yours;
    struct doc_rules *rules;
    struct doc text_base, text_current, text_yours;
    struct doc_rules *text_rules;
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

static void merge(struct fixture *fixture, const struct doc *base, const struct doc *current,
                  const struct doc *yours, const struct doc_rules *rules) {
    struct doc_merge_result result;
    must(doc_merge(&fixture->arena, base, current, yours, rules, 0, &result, NULL));
    if (!result.clean) must(STET_INTERNAL);
    fixture->sink += result.merged.size;
}

static void run_merge(struct fixture *fixture) {
    merge(fixture, &fixture->base, &fixture->current, &fixture->yours, NULL);
}

static void run_merge_rules(struct fixture *fixture) {
    merge(fixture, &fixture->base, &fixture->all_current, &fixture->all_yours, fixture->rules);
}

static void run_merge_text(struct fixture *fixture) {
    merge(fixture, &fixture->text_base, &fixture->text_current, &fixture->text_yours,
          fixture->text_rules);
}

static const struct {
    const char *name;
    void (*run)(struct fixture *fixture);
} things[] = {
    {"parse", run_parse},
    {"json-c parse", run_json_c},
    {"hash", run_hash},
    {"equal (spelled alike)", run_equal},
    {"merge patch (2 fields)", run_merge_patch},
    {"json patch (test, replace)", run_json_patch},
    {"diff (2 differ)", run_diff},
    {"merge (2 against 2 fields)", run_merge},
    {"merge (4 fields by rules)", run_merge_rules},
    {"merge (10 KB of text)", run_merge_text},
};
enum { THINGS = sizeof things / sizeof things[0], PARSE = 0, JSON_C = 1 };

/* Processor time, so that neighbours on the machine disturb less. */
static int64_t cpu_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * CLOCK_NS_PER_S + time.tv_nsec;
}

/* Nanoseconds for one run. The arena is reset after each, as a request does. */
static double round_ns(struct fixture *fixture, void (*run)(struct fixture *)) {
    int64_t begin = cpu_ns();
    int64_t spent;
    uint64_t runs = 0;
    do {
        for (int i = 0; i < RUNS; i++) {
            run(fixture);
            arena_reset(&fixture->arena);
        }
        runs += RUNS;
        spent = cpu_ns() - begin;
    } while (spent < ROUND_NS);
    return (double)spent / (double)runs;
}

static int compare(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static struct doc must_parse(struct arena *arena, stet_view text) {
    struct doc doc;
    must(doc_parse(arena, text, NULL, &doc, NULL));
    return doc;
}

/* Lines of 50 bytes, of which TEXT_CHANGED, evenly spread from line `first` on, are other ones. */
static struct doc make_text(struct arena *arena, int first) {
    struct buffer text;
    buffer_init(&text, arena, 0);
    buffer_append_text(&text, "{\"body\":\"");
    for (int line = 0; line < TEXT_LINES; line++) {
        bool changed = first >= 0 && line % (TEXT_LINES / TEXT_CHANGED) == first;
        buffer_append_format(&text, "Line %3d of the minutes of the meeting in %s.\\n", line,
                             changed ? "Kiel" : "Bonn");
    }
    buffer_append_text(&text, "\"}");
    must(buffer_status(&text));
    return must_parse(arena, buffer_view(&text));
}

static struct doc_rules *must_compile(struct arena *arena, stet_view text) {
    struct doc_rules *rules;
    struct doc doc = must_parse(arena, text);
    must(rules_compile(arena, &doc, doc_member(&doc, 0, VIEW("fields")), DOC_NONE, &rules, NULL));
    return rules;
}

int main(void) {
    struct fixture fixture = {.tokener = json_tokener_new()};
    if (fixture.tokener == NULL) must(STET_NO_MEMORY);
    arena_init(&fixture.kept, 16384);
    arena_init(&fixture.arena, 65536);
    fixture.base = must_parse(&fixture.kept, VIEW(record));
    fixture.current = must_parse(&fixture.kept, VIEW(record_current));
    fixture.yours = must_parse(&fixture.kept, VIEW(record_yours));
    fixture.merge = must_parse(&fixture.kept, VIEW(patch_merge));
    fixture.json = must_parse(&fixture.kept, VIEW(patch_json));
    fixture.all_current = must_parse(&fixture.kept, VIEW(record_all_current));
    fixture.all_yours = must_parse(&fixture.kept, VIEW(record_all_yours));
    fixture.rules = must_compile(&fixture.kept, VIEW(definition));
    fixture.text_base = make_text(&fixture.kept, -1);
    fixture.text_current = make_text(&fixture.kept, 3);
    fixture.text_yours = make_text(&fixture.kept, 20);
    fixture.text_rules = must_compile(&fixture.kept, VIEW(definition_text));

    double rounds[THINGS][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < THINGS; i++)
            rounds[i][round] = round_ns(&fixture, things[i].run);
    }
    printf("documents: a record of %zu bytes, %u values; processor time, median of %d rounds "
           "(fastest, slowest)\n",
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
