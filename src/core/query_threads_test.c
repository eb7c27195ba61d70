/*
 * Indexed lists beside a writer that moves records about in the index, with real threads: whatever a page is read beside, a list
 * shows every record once, in order, as of its snapshot.
 */
#include "core/index.h"
#include "core/list.h"
#include "core/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_fixture.h"

enum { RECORDS = 120, LISTS = 150, MOVES = 6000 };

static struct fixture fixture;
static atomic_bool stop;

static void declare(void) {
    struct arena own;
    arena_init(&own, 4096);
    struct policy *policy = arena_zalloc(&own, 1, sizeof *policy);
    struct index_def *def = arena_zalloc(&own, 1, sizeof *def);
    struct index_def **defs = arena_zalloc(&own, 1, sizeof *defs);
    struct index_field *field = arena_zalloc(&own, 1, sizeof *field);
    field->pointer = VIEW("/n");
    *def = (struct index_def){
        .number = index_number_new(fixture.space), .field_count = 1, .fields = field};
    defs[0] = def;
    atomic_init(&policy->refs, 1);
    policy->type = VIEW("tasks");
    policy->seq = 1;
    policy->overrides = ~0u;
    policy->indexes = defs;
    policy->index_count = 1;
    policy->arena = own;
    /* Nobody writes yet, so this thread may do what is the sequencer's. */
    assert_int_equal(policies_reserve(fixture.space->policies, NULL), STET_OK);
    policies_stage(fixture.space->policies, VIEW("tasks"), policy);
    policies_publish(fixture.space->policies);
}

static void put_n(struct fixture *by, int id, int n) {
    char name[16], data[32];
    snprintf(name, sizeof name, "%03d", id);
    snprintf(data, sizeof data, "{\"n\":%d}", n);
    fixture_put(by, "tasks", name, data);
}

static void *move_about(void *context) {
    struct fixture mine = fixture;
    uint64_t random = 88172645463325252u;
    (void)context;
    if (client_create(fixture.engine, &mine.client, NULL) != STET_OK) return NULL;
    for (int move = 0; move < MOVES && !atomic_load(&stop); move++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        put_n(&mine, (int)(random % RECORDS), (int)(random >> 32 & 1023));
    }
    client_destroy(mine.client);
    return NULL;
}

/* One page into seen. False: the list has to be started again. */
static bool take_page(struct arena *arena, stet_list *list, bool seen[RECORDS], int *last) {
    struct stet_command *command = command_create(fixture.client);
    struct store_reader *reader;
    struct buffer out;
    struct doc doc;
    stet_error err = {0};
    command->kind = COMMAND_LIST;
    command->list = *list;
    command->space = space_ref(fixture.space);
    command->actor = fixture.actor;
    assert_int_equal(query_parse(&command->arena, list, &command->query, NULL), STET_OK);
    buffer_init(&out, arena, 0);
    assert_int_equal(space_reader_take(fixture.space, &reader, NULL), STET_OK);
    stet_status status = read_run(command, reader, &out, &err);
    space_reader_give(fixture.space, reader);
    command_destroy(command);
    if (status == STET_CURSOR_EXPIRED) return false;
    if (status != STET_OK) fail_msg("%s", err.message);
    assert_int_equal(doc_parse(arena, buffer_view(&out), NULL, &doc, NULL), STET_OK);
    doc_node records = doc_pointer(&doc, VIEW("/records"));
    for (doc_node one = doc_first(&doc, records); one != DOC_NONE; one = doc_next(&doc, one)) {
        stet_view id = doc_text(&doc, doc_member(&doc, one, VIEW("id")));
        doc_node data = doc_member(&doc, one, VIEW("data"));
        int number = atoi(id.bytes + 1);
        int n = atoi(doc_text(&doc, doc_member(&doc, data, VIEW("n"))).bytes);
        if (seen[number]) fail_msg("record %d is on the list twice", number);
        if (n < *last) fail_msg("record %d is out of order", number);
        seen[number] = true;
        *last = n;
    }
    doc_node next = doc_pointer(&doc, VIEW("/next"));
    list->after = (stet_view){0};
    if (next != DOC_NONE) assert_int_equal(doc_string(arena, &doc, next, &list->after), STET_OK);
    return true;
}

static void every_list_is_whole(void **state) {
    (void)state;
    struct arena arena;
    pthread_t writer;
    int whole = 0;
    fixture_open_with(&fixture, NULL, NULL, fixture_no_modules);
    arena_init(&arena, 65536);
    declare();
    for (int id = 0; id < RECORDS; id++)
        put_n(&fixture, id, id);
    assert_int_equal(pthread_create(&writer, NULL, move_about, NULL), 0);
    for (int lists = 0; lists < LISTS; lists++) {
        stet_list list = {.type = VIEW("tasks"),
                          .sort = VIEW("n"),
                          .limit = 7,
                          .where = lists % 2 == 0 ? VIEW("n >= 0") : VIEW("")};
        bool seen[RECORDS] = {false};
        int last = -1;
        bool started = false;
        arena_reset(&arena);
        while (!started || list.after.size > 0) {
            started = take_page(&arena, &list, seen, &last);
            if (!started) break;
        }
        for (int id = 0; started && id < RECORDS; id++) {
            if (!seen[id]) fail_msg("record %d is not on the list", id);
        }
        whole += started;
    }
    atomic_store(&stop, true);
    pthread_join(writer, NULL);
    assert_true(whole > 0);
    arena_done(&arena);
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_list_is_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
