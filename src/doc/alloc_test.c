/*
 * Every allocation of this folder fails in turn: each call answers STET_NO_MEMORY, touches no output, and works when there is
 * memory again. The link gives the arena's functions to these (--wrap).
 */
#include "doc/doc_testing.h"
#include "doc/rules.h"
#include "doc/write.h"

void *__real_arena_alloc(struct arena *arena, size_t size);
void *__real_arena_zalloc(struct arena *arena, size_t count, size_t size);
char *__real_arena_bytes(struct arena *arena, size_t size);
void *__wrap_arena_alloc(struct arena *arena, size_t size);
void *__wrap_arena_zalloc(struct arena *arena, size_t count, size_t size);
char *__wrap_arena_bytes(struct arena *arena, size_t size);

static long fail_at = -1; /* How many allocations work; -1: all. */
static long allocations;

static bool allowed(void) { return fail_at < 0 || allocations++ < fail_at; }

void *__wrap_arena_alloc(struct arena *arena, size_t size) {
    return allowed() ? __real_arena_alloc(arena, size) : NULL;
}

void *__wrap_arena_zalloc(struct arena *arena, size_t count, size_t size) {
    return allowed() ? __real_arena_zalloc(arena, count, size) : NULL;
}

char *__wrap_arena_bytes(struct arena *arena, size_t size) {
    return allowed() ? __real_arena_bytes(arena, size) : NULL;
}

static struct doc base, current, yours, operations;
static struct arena work;

static stet_status run_parse(stet_error *err) {
    static const char text[] =
        "{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24],\"large\":{"
        "\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0,\"k\":0,"
        "\"l\":0,\"m\":0,\"n\":0,\"o\":0,\"p\":0,\"q\":0,\"r\":0,\"s\":0,\"t\":0,\"u\":0,\"v\":0,"
        "\"w\":0,\"x\":0,\"y\":0,\"z\":0,\"A\":0,\"B\":0,\"C\":0,\"D\":0,\"E\":0,\"F\":0,\"G\":0}}";
    struct doc doc;
    return doc_parse(&work, VIEW(text), NULL, &doc, err);
}

static stet_status run_string(stet_error *err) {
    stet_view text;
    stet_status status = doc_string(&work, &base, doc_pointer(&base, VIEW("/s")), &text);
    if (status == STET_OK) status = doc_key(&work, &base, doc_pointer(&base, VIEW("/\n")), &text);
    if (status != STET_OK && err != NULL) err->status = status;
    return status;
}

static stet_status run_merge_patch(stet_error *err) {
    stet_view out;
    return doc_merge_patch(&work, &base, &yours, &out, err);
}

static stet_status run_json_patch(stet_error *err) {
    stet_view out;
    return doc_json_patch(&work, &base, &operations, &out, err);
}

static stet_status run_diff(stet_error *err) {
    struct doc_difference *differences;
    size_t count;
    return doc_diff(&work, &base, &yours, &differences, &count, err);
}

static stet_status run_merge(stet_error *err) {
    struct doc_merge_result result;
    return doc_merge(&work, &base, &current, &yours, NULL, 0, &result, err);
}

/* One definition, and documents in which each rule has something to settle. */
static struct doc definition, ruled_base, ruled_current, ruled_yours;
static struct doc_rules *rules;

static stet_status run_compile(stet_error *err) {
    struct doc_rules *compiled;
    return rules_compile(&work, &definition, doc_member(&definition, 0, VIEW("fields")),
                         doc_member(&definition, 0, VIEW("units")), &compiled, err);
}

static stet_status run_merge_rules(stet_error *err) {
    struct doc_merge_result result;
    return doc_merge(&work, &ruled_base, &ruled_current, &ruled_yours, rules, 0, &result, err);
}

static stet_status run_write(stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, &work, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    for (int i = 0; i < 100; i++)
        json_text(&writer, VIEW("text\n"));
    json_array_end(&writer);
    stet_status status = json_end(&writer);
    if (status != STET_OK && err != NULL) err->status = status;
    return status;
}

static void sweep(stet_status (*run)(stet_error *err), long allocations_min) {
    long failures = 0;
    for (;; failures++) {
        stet_error err = {0};
        arena_init(&work, 256);
        allocations = 0;
        fail_at = failures;
        stet_status status = run(&err);
        fail_at = -1;
        if (status == STET_OK) {
            arena_done(&work);
            break;
        }
        assert_int_equal(status, STET_NO_MEMORY);
        assert_int_equal(err.status, STET_NO_MEMORY);
        assert_int_equal(run(NULL), STET_OK); /* The arena is still of use. */
        arena_done(&work);
    }
    assert_true(failures >= allocations_min);
    print_message("%ld allocations failed in turn\n", failures);
}

static void parsing_survives(void **state) {
    (void)state;
    sweep(run_parse, 4);
}

static void decoding_survives(void **state) {
    (void)state;
    sweep(run_string, 2);
}

static void patching_survives(void **state) {
    (void)state;
    sweep(run_merge_patch, 1);
    sweep(run_json_patch, 8);
}

static void comparing_survives(void **state) {
    (void)state;
    sweep(run_diff, 12);
}

static void merging_survives(void **state) {
    (void)state;
    sweep(run_merge, 12);
}

static void merging_by_rules_survives(void **state) {
    (void)state;
    sweep(run_compile, 20);
    sweep(run_merge_rules, 30);
}

static void writing_survives(void **state) {
    (void)state;
    sweep(run_write, 2);
}

static int setup_docs(void **state) {
    setup_arena(state);
    base = must_parse("{\"s\":\"\\u0041\",\"\\n\":1,\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":"
                      "6,\"g\":7,\"h\":8,\"o\":{\"p\":[1]}}");
    current =
        must_parse("{\"s\":\"\\u0042\",\"\\n\":1,\"a\":10,\"b\":2,\"o\":{\"p\":[1],\"q\":2}}");
    yours = must_parse("{\"s\":\"x\",\"\\n\":2,\"a\":2,\"b\":3,\"c\":4,\"d\":5,\"e\":6,\"f\":7,"
                       "\"g\":8,\"h\":9,\"o\":{\"p\":[2]},\"n\":0}");
    operations = must_parse("[{\"op\":\"add\",\"path\":\"/o/p/"
                            "0\",\"value\":7},{\"op\":\"add\",\"path\":\"/o/x~1y\",\"value\":{}},"
                            "{\"op\":\"test\",\"path\":\"/"
                            "\\n\",\"value\":1},{\"op\":\"copy\",\"from\":\"/o\",\"path\":\"/o2\"},"
                            "{\"op\":\"add\",\"path\":\"/o2/p/"
                            "-\",\"value\":7},{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/z\"}]");
    definition = must_parse(
        "{\"fields\":{\"/n\":{\"merge\":\"delta\",\"minimum\":0},\"/set\":{\"merge\":\"set\"},"
        "\"/log\":{\"merge\":\"append\"},\"/text\":{\"merge\":\"text\"},\"/l\":{\"merge\":"
        "\"by_key\",\"key\":\"k/~\",\"fields\":{\"/n\":{\"merge\":\"max\"}}},\"/*/x\":{\"merge\":"
        "\"first\"}},\"units\":[[\"/start\",\"/e~1nd\"]]}");
    assert_int_equal(rules_compile(&test_arena, &definition,
                                   doc_member(&definition, 0, VIEW("fields")),
                                   doc_member(&definition, 0, VIEW("units")), &rules, NULL),
                     STET_OK);
    ruled_base =
        must_parse("{\"n\":1,\"set\":[1],\"log\":[],\"text\":\"a b\\nc\",\"l\":[{\"k/~\":1,"
                   "\"n\":1}],\"start\":1,\"e/nd\":1}");
    ruled_current = must_parse("{\"n\":2,\"set\":[1,2],\"log\":[1],\"text\":\"x b\\nc\",\"l\":[{"
                               "\"k/~\":1,\"n\":2},{\"k/~\":3}],\"start\":2,\"e/nd\":1}");
    ruled_yours =
        must_parse("{\"n\":3,\"set\":[1,3],\"log\":[2],\"text\":\"a y\\nd\",\"l\":[{\"k/~\":"
                   "2},{\"k/~\":1,\"n\":3}],\"start\":1,\"e/nd\":3}");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parsing_survives, setup_docs, teardown_arena),
        cmocka_unit_test_setup_teardown(decoding_survives, setup_docs, teardown_arena),
        cmocka_unit_test_setup_teardown(patching_survives, setup_docs, teardown_arena),
        cmocka_unit_test_setup_teardown(comparing_survives, setup_docs, teardown_arena),
        cmocka_unit_test_setup_teardown(merging_survives, setup_docs, teardown_arena),
        cmocka_unit_test_setup_teardown(merging_by_rules_survives, setup_docs, teardown_arena),
        cmocka_unit_test_setup_teardown(writing_survives, setup_docs, teardown_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
