/* Handlers: who reacts to what, once, and from where; secrets; and what a crash leaves. The queue is a stand-in that keeps what it is asked
   for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/function.h"
#include "core/metrics.h"
#include "core/operation.h"
#include "core/policy.h"
#include "core/read.h"
#include "core/staging.h"
#include "core/write_fixture.h"
#include "modules/handlers/definition.h"
#include "modules/handlers/handlers.h"

#include <ftw.h>
#include <unistd.h>

#define TEST(name) static void name(void **state)

/* ---- A queue of sorts -------------------------------------------------------------------- */

static stet_status refuse_lane(stet_view lane, stet_error *err) {
    if (!view_equal(lane, VIEW("closed"))) return STET_OK;
    return error_set(err, STET_TOO_LARGE, "the lane takes nothing");
}

static stet_status fake_spawn(void *state, struct staging *staging,
                              const struct operation_spawn *spawn, stet_error *err) {
    const stet_operation_request *request = &spawn->request;
    struct arena *arena = staging_arena(staging);
    struct store_head head;
    struct store_change row;
    struct doc doc;
    uint64_t depth = 0;
    (void)state;
    stet_status status =
        staging_read(staging, VIEW("stet.operation"), request->id, &head, NULL, err);
    if (status != STET_OK || head.version > 0) return status;
    status = refuse_lane(request->lane, err);
    if (status != STET_OK) return status;
    if (request->parent.size > 0) {
        status = staging_read(staging, VIEW("stet.operation"), request->parent, &head, &row, err);
        if (status != STET_OK) return status;
        assert_true(head.version > 0);
        assert_int_equal(doc_parse(arena, row.data, NULL, &doc, err), STET_OK);
        assert_true(doc_u64(&doc, doc_member(&doc, 0, VIEW("depth")), &depth));
        depth++;
    }
    bool rejected = depth > OPERATION_DEPTH_MAX;
    stet_view data = arena_format(
        arena,
        "{\"status\":\"%s\",\"event\":\"%s\",\"depth\":%llu,\"lane\":\"%.*s\",\"handler\":\"%.*s\","
        "\"cause_seq\":%llu,\"parent\":\"%.*s\",\"agent\":\"%.*s\",\"function\":\"%.*s\","
        "\"by\":\"%.*s\",\"op_type\":\"%.*s\",\"target\":\"%.*s\",\"input\":%.*s}",
        rejected ? "rejected" : "queued", rejected ? "OperationRejected" : "OperationQueued",
        (unsigned long long)depth, VIEW_ARG(request->lane), VIEW_ARG(spawn->handler),
        (unsigned long long)spawn->cause_seq, VIEW_ARG(request->parent), VIEW_ARG(request->agent),
        VIEW_ARG(request->function), VIEW_ARG(spawn->by), VIEW_ARG(request->op_type),
        VIEW_ARG(request->target), VIEW_ARG(request->input));
    assert_non_null(data.bytes);
    return staging_put(staging, VIEW("stet.operation"), request->id, data, VIEW("spawn"), NULL,
                       err);
}

struct system_write {
    stet_view type, id, data;
};

static stet_status fake_decide(void *state, struct staging *staging, struct stet_command *command,
                               const struct module_time *now, stet_error *err) {
    const struct system_write *write = command->module_data;
    (void)state, (void)now;
    return staging_put(staging, write->type, write->id, write->data, (stet_view){0}, NULL, err);
}

static stet_status fake_answer(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    (void)command, (void)err;
    json_object_begin(writer);
    json_object_end(writer);
    return STET_OK;
}

static bool fake_exists(struct staging *staging, stet_view name) {
    (void)staging;
    return view_equal(name, VIEW("there"));
}

static bool fake_may_read(const struct space *space, const stet_actor *actor,
                          const struct store_change *change) {
    (void)space, (void)actor, (void)change;
    return true;
}

static const struct function_runner runner = {.exists = fake_exists};
static const char *const fake_types[] = {"stet.operation", "stet.conflict", "stet.alert", NULL};
static const struct module fake_module = {
    .name = "fake",
    .types = fake_types,
    .decide = fake_decide,
    .spawn = fake_spawn,
    .functions = &runner,
    .may_read = fake_may_read,
};

static const struct module *const modules[] = {&handlers_module, &fake_module, NULL};
static char folder[64], image[80];

static int setup(void **state) {
    (void)state;
    world_open_with(modules, NULL);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static void remove_tree(const char *path) { nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

static int setup_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stet-handlers-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(image, sizeof image, "%s-image", folder);
    world_open_with(modules, folder);
    return 0;
}

static int teardown_folder(void **state) {
    world_close(state);
    remove_tree(folder);
    remove_tree(image);
    return 0;
}

/* ---- In a word --------------------------------------------------------------------------- */

static void drain(void) {
    while (client_next(world.fixture.client) != NULL)
        ;
}

static void settle(void) {
    while (engine_step(world.fixture.engine))
        drain();
    drain();
}

static struct answer put_handler(const char *name, const char *definition, stet_base base) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    const stet_handler_write write = {.name = view_of(name),
                                      .deletes = definition == NULL,
                                      .definition = view_of(definition),
                                      .base = base};
    if (handlers_fill_write(command, &write, &err) != STET_OK) fail_msg("%s", err.message);
    struct answer answer = take(submitted(command));
    settle();
    return answer;
}

static struct answer get_handler(const char *name) {
    struct stet_command *command = command_create(world.fixture.client);
    settle();
    assert_int_equal(handlers_fill_get(command, view_of(name), NULL), STET_OK);
    return take(submitted(command));
}

static void put_system(const char *type, const char *id, const char *data) {
    struct stet_command *command = command_create(world.fixture.client);
    struct system_write *write = arena_zalloc(&command->arena, 1, sizeof *write);
    *write = (struct system_write){.type = view_of(type), .id = view_of(id), .data = view_of(data)};
    command->kind = COMMAND_MODULE;
    command->owner = &fake_module;
    command->module_data = write;
    command->answer = fake_answer;
    must(take(submitted(command)));
    settle();
}

static struct answer put_task(const char *id, const char *data) {
    stet_version version = fixture_version(&world.fixture, "task", id);
    struct answer answer = must(try_put(id, version == 0 ? none : at(version), data));
    settle();
    return answer;
}

struct found {
    struct store_change rows[64];
    size_t count;
};

static stet_status find_one(void *context, const struct store_change *change, stet_error *err) {
    struct found *found = context;
    (void)err;
    assert_true(found->count < 64);
    found->rows[found->count++] = *change;
    return STET_OK;
}

static int by_seq(const void *a, const void *b) {
    const struct store_change *left = a, *right = b;
    return left->first < right->first ? -1 : left->first > right->first;
}

/* All operations there are, in the order they were queued. */
static struct found operations(void) {
    struct found found = {.count = 0};
    struct store_reader *reader;
    assert_int_equal(space_reader_take(world.fixture.space, &reader, NULL), STET_OK);
    assert_int_equal(
        read_each_live(reader, &world.arena, VIEW("stet.operation"), find_one, &found, NULL),
        STET_OK);
    space_reader_give(world.fixture.space, reader);
    qsort(found.rows, found.count, sizeof found.rows[0], by_seq);
    return found;
}

static size_t count_operations(void) { return operations().count; }

static const char *operation(size_t index) {
    struct found found = operations();
    assert_true(index < found.count);
    return world_text(found.rows[index].data);
}

/* ---- Definitions ------------------------------------------------------------------------- */

TEST(a_bad_definition_is_refused_with_its_place) {
    (void)state;
    static const struct {
        const char *text, *field;
    } bad[] = {
        {"{\"function\":\"there\"}", "/on"},
        {"{\"on\":[],\"function\":\"there\"}", "/on"},
        {"{\"on\":[\"create\",\"made\"],\"function\":\"there\"}", "/on/1"},
        {"{\"on\":[\"create\",\"create\"],\"function\":\"there\"}", "/on/1"},
        {"{\"on\":[\"create\"]}", ""},
        {"{\"on\":[\"create\"],\"function\":\"there\",\"agent\":\"a\"}", "/agent"},
        {"{\"on\":[\"create\"],\"function\":\"elsewhere\"}", "/function"},
        {"{\"on\":[\"create\"],\"agent\":\"webhook:\"}", "/agent"},
        {"{\"on\":[\"create\"],\"agent\":\"a\",\"where\":\"n >\"}", "/where"},
        {"{\"on\":[\"create\"],\"agent\":\"a\",\"type\":\"stet.operation\"}", "/type"},
        {"{\"on\":[\"create\"],\"agent\":\"a\",\"type\":\"stet.token\"}", "/type"},
        {"{\"on\":[\"create\"],\"agent\":\"a\",\"class\":\"grand\"}", "/class"},
        {"{\"on\":[\"create\"],\"agent\":\"a\",\"lane\":\"webhook-x\"}", "/lane"},
        {"{\"on\":[\"create\"],\"agent\":\"a\",\"max_retries\":1000}", "/max_retries"},
        {"{\"on\":[\"create\"],\"agent\":\"a\",\"paused\":1}", "/paused"},
        {"{\"on\":[\"create\"],\"agent\":\"a\",\"from\":\"then\"}", "/from"},
        {"{\"on\":[\"create\"],\"agent\":\"a\",\"wher\":\"n = 1\"}", "/wher"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"ftp://x/\"}}", "/webhook/url"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/ y\"}}", "/webhook/url"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"http:///x\"}}", "/webhook/url"},
        {"{\"on\":[\"create\"],\"webhook\":{}}", "/webhook/url"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/\",\"secret\":5}}",
         "/webhook/secret"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/\",\"secret\":null}}",
         "/webhook/secret"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/\",\"headers\":{\"A b\":\"\"}}}",
         "/webhook/headers/A b"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/\",\"headers\":{\"Host\":\"y\"}}}",
         "/webhook/headers/Host"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/\",\"headers\":"
         "{\"X\":\"a\\r\\nY: b\"}}}",
         "/webhook/headers/X"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/\"},\"timeout_s\":61}",
         "/timeout_s"},
        {"{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/\"},\"lane\":\"mine\"}", "/lane"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct answer answer = put_handler("h", bad[i].text, none);
        if (answer.status != STET_INVALID_HANDLER)
            fail_msg("%s: %s %s", bad[i].text, status_code(answer.status), answer.message);
        assert_string_equal(answer.field, bad[i].field);
        /* What is wrong with an expression is said in its own words. */
        const char *subject = bad[i].field[0] == '\0' ? "the handler" : bad[i].field;
        if (strcmp(subject, "/where") != 0 &&
            strncmp(answer.message, subject, strlen(subject)) != 0)
            fail_msg("%s: %s", bad[i].text, answer.message);
    }
    check_status(put_handler("a b", "{\"on\":[\"create\"],\"agent\":\"a\"}", none),
                 STET_INVALID_HANDLER);
}

TEST(only_an_administrator_writes_them) {
    (void)state;
    world.fixture.actor.admin = false;
    check_status(put_handler("h", "{\"on\":[\"create\"],\"agent\":\"a\"}", none), STET_FORBIDDEN);
}

TEST(secrets_are_kept_and_never_shown) {
    (void)state;
    static const char *const first =
        "{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/\",\"secret\":\"s3cret\","
        "\"headers\":{\"X-Key\":\"k3y\"}}}";
    static const char *const again =
        "{\"on\":[\"create\",\"delete\"],\"webhook\":{\"url\":\"http://y/\",\"secret\":null,"
        "\"headers\":{\"X-Key\":null,\"X-More\":\"m0re\"}}}";
    struct answer put = must(put_handler("h", first, none));
    assert_null(strstr(put.body, "s3cret"));
    assert_null(strstr(put.body, "k3y"));
    check_json(put.body, "/webhook/secret", "null");
    check_json(put.body, "/webhook/headers/X-Key", "null");
    put = must(put_handler("h", again, at(put.version)));
    assert_null(strstr(get_handler("h").body, "s3cret"));
    struct change *head;
    struct handler *handler;
    assert_int_equal(client_head(world.fixture.client, world.fixture.space, VIEW("stet.handler"),
                                 VIEW("h"), &head, NULL),
                     STET_OK);
    assert_int_equal(handler_compile(VIEW("h"), head->row.data, &handler, NULL), STET_OK);
    change_unref(head);
    assert_true(view_equal(handler->secret, VIEW("s3cret")));
    assert_int_equal(handler->header_count, 2);
    assert_true(view_equal(handler->headers[0].value, VIEW("k3y")));
    assert_true(view_equal(handler->headers[1].value, VIEW("m0re")));
    handler_unref(handler);
    struct answer stale = put_handler("h", again, at(put.version - 1));
    check_status(stale, STET_OK); /* Equal to what is there. */
    stale = put_handler("h", first, at(put.version - 1));
    check_status(stale, STET_CONCURRENT_MODIFICATION);
    assert_null(strstr(stale.body, "s3cret"));
    put = must(put_handler("h", "{\"on\":[\"create\"],\"webhook\":{\"url\":\"http://x/\"}}",
                           at(put.version)));
    check_no_json(put.body, "/webhook/secret");
}

/* ---- Reacting ---------------------------------------------------------------------------- */

TEST(a_change_is_reacted_to_with_what_it_was) {
    (void)state;
    must(put_handler("h", "{\"on\":[\"update\"],\"agent\":\"a\",\"lane\":\"l\"}", none));
    put_task("1", "{\"n\":1}");
    assert_int_equal(count_operations(), 0);
    struct answer second = put_task("1", "{\"n\":2}");
    assert_int_equal(count_operations(), 1);
    const char *body = operation(0);
    char seq[32];
    snprintf(seq, sizeof seq, "%llu", (unsigned long long)second.seq);
    check_json(body, "/handler", "\"h\"");
    check_json(body, "/agent", "\"a\"");
    check_json(body, "/lane", "\"l\"");
    check_json(body, "/by", "\"ann\"");
    check_json(body, "/target", "\"task/1\"");
    check_json(body, "/op_type", "\"update\"");
    check_json(body, "/cause_seq", seq);
    check_json(body, "/input/event", "\"update\"");
    check_json(body, "/input/change/seq", seq);
    check_json(body, "/input/change/address", "\"task/1\"");
    check_json(body, "/input/change/version", "2");
    check_json(body, "/input/change/before", "1");
    check_json(body, "/input/change/by", "\"ann\"");
    check_json(body, "/input/change/data", "{\"n\":2}");
    struct answer shown = get_handler("h");
    check_json(shown.body, "/reactions", "1");
    check_json(shown.body, "/lag", "0");
}

TEST(type_and_where_choose) {
    (void)state;
    must(put_handler("big",
                     "{\"on\":[\"create\"],\"agent\":\"a\",\"type\":\"task\",\"where\":\"n > 5\"}",
                     none));
    must(put_handler("other", "{\"on\":[\"create\"],\"agent\":\"a\",\"type\":\"deal\"}", none));
    must(put_handler("gone", "{\"on\":[\"delete\"],\"agent\":\"a\",\"where\":\"n = 1\"}", none));
    put_task("1", "{\"n\":1}");
    put_task("2", "{\"n\":6}");
    must_delete("1", at(1));
    must_delete("2", at(1));
    settle();
    assert_int_equal(count_operations(), 2);
    check_json(operation(0), "/handler", "\"big\"");
    check_json(operation(1), "/handler", "\"gone\"");
    check_json(operation(1), "/input/change/data", "{\"n\":1}");
}

TEST(large_data_are_named_and_not_copied) {
    (void)state;
    char *data = malloc(HANDLER_INLINE_BYTES_MAX + 64);
    must(put_handler("h", "{\"on\":[\"create\"],\"agent\":\"a\"}", none));
    int size = snprintf(data, 16, "{\"n\":\"");
    memset(data + size, 'x', HANDLER_INLINE_BYTES_MAX);
    strcpy(data + size + HANDLER_INLINE_BYTES_MAX, "\"}");
    put_task("a b", data);
    free(data);
    check_json(operation(0), "/input/change/data_at", "\"task/a%20b@1\"");
    check_no_json(operation(0), "/input/change/data");
}

TEST(what_was_before_counts_only_when_asked_for) {
    (void)state;
    put_task("1", "{}");
    put_task("2", "{}");
    must(put_handler("now", "{\"on\":[\"create\"],\"agent\":\"a\"}", none));
    assert_int_equal(count_operations(), 0);
    must(put_handler("all", "{\"on\":[\"create\"],\"agent\":\"a\",\"from\":\"beginning\"}", none));
    assert_int_equal(count_operations(), 2);
    put_task("3", "{}");
    assert_int_equal(count_operations(), 4);
}

TEST(one_that_is_paused_goes_on_where_it_was) {
    (void)state;
    static const char *const running = "{\"on\":[\"create\"],\"agent\":\"a\"}";
    static const char *const paused = "{\"on\":[\"create\"],\"agent\":\"a\",\"paused\":true}";
    stet_version version = must(put_handler("h", running, none)).version;
    put_task("1", "{}");
    version = must(put_handler("h", paused, at(version))).version;
    put_task("2", "{}");
    put_task("3", "{}");
    assert_int_equal(count_operations(), 1);
    check_json(get_handler("h").body, "/reactions", "1");
    assert_null(strstr(get_handler("h").body, "\"lag\":0"));
    must(put_handler("h", running, at(version)));
    assert_int_equal(count_operations(), 3);
}

TEST(a_new_one_of_the_same_name_begins_anew) {
    (void)state;
    static const char *const definition = "{\"on\":[\"create\"],\"agent\":\"a\"}";
    stet_version version = must(put_handler("h", definition, none)).version;
    put_task("1", "{}");
    must(put_handler("h", NULL, at(version)));
    put_task("2", "{}");
    check_status(get_handler("h"), STET_NOT_FOUND);
    must(put_handler("h", definition, none));
    put_task("3", "{}");
    assert_int_equal(count_operations(), 2);
    check_json(get_handler("h").body, "/reactions", "1");
}

TEST(conflicts_alerts_and_operations_have_events) {
    (void)state;
    must(put_handler("c", "{\"on\":[\"conflict\"],\"agent\":\"a\",\"type\":\"task\"}", none));
    must(put_handler("d", "{\"on\":[\"conflict\"],\"agent\":\"a\",\"type\":\"deal\"}", none));
    must(put_handler("l", "{\"on\":[\"alert\"],\"agent\":\"a\",\"where\":\"state = 'firing'\"}",
                     none));
    must(put_handler("o", "{\"on\":[\"OperationFailed\"],\"agent\":\"a\"}", none));
    put_system("stet.conflict", "1", "{\"event\":\"opened\",\"address\":\"task/1\",\"_x\":1}");
    put_system("stet.conflict", "1", "{\"event\":\"resolved\",\"address\":\"task/1\"}");
    put_system("stet.alert", "1", "{\"state\":\"firing\"}");
    put_system("stet.alert", "1", "{\"state\":\"resolved\"}");
    put_system("stet.operation", "o1", "{\"event\":\"OperationStarted\",\"depth\":0}");
    put_system("stet.operation", "o1", "{\"event\":\"OperationFailed\",\"depth\":0}");
    assert_int_equal(count_operations(), 4); /* The one put, too. */
    check_json(operation(0), "/handler", "\"c\"");
    check_no_json(operation(0), "/input/change/data/_x");
    check_json(operation(1), "/handler", "\"l\"");
    check_json(operation(3), "/handler", "\"o\"");
    check_json(operation(3), "/parent", "\"o1\"");
    check_json(operation(3), "/input/event", "\"OperationFailed\"");
}

TEST(what_handlers_asked_for_is_seen_when_asked_for) {
    (void)state;
    must(put_handler("plain", "{\"on\":[\"OperationFailed\"],\"agent\":\"a\"}", none));
    put_system("stet.operation", "x",
               "{\"event\":\"OperationFailed\",\"depth\":0,\"handler\":\"plain\","
               "\"error\":\"it broke\"}");
    assert_int_equal(count_operations(), 1);
    struct answer shown = get_handler("plain");
    check_json(shown.body, "/failed", "1");
    check_json(shown.body, "/last_error", "\"it broke\"");
    must(put_handler("asks", "{\"on\":[\"OperationFailed\"],\"agent\":\"a\",\"handlers\":true}",
                     none));
    put_system("stet.operation", "y",
               "{\"event\":\"OperationFailed\",\"depth\":0,\"handler\":\"plain\"}");
    assert_int_equal(count_operations(), 3);
}

/* Two handlers that answer each other's operations, and everything that is queued is rejected or fails at once. */
TEST(a_cycle_ends_at_the_bound_and_says_so) {
    (void)state;
    must(put_handler("a",
                     "{\"on\":[\"OperationQueued\",\"OperationRejected\"],\"agent\":\"a\","
                     "\"handlers\":true}",
                     none));
    put_system("stet.operation", "first", "{\"event\":\"OperationQueued\",\"depth\":0}");
    struct found found = operations();
    assert_int_equal(found.count, OPERATION_DEPTH_MAX + 2);
    check_json(operation(found.count - 1), "/status", "\"rejected\"");
    check_json(operation(found.count - 2), "/status", "\"queued\"");
}

/* A write on behalf of an operation. */
static void put_for(const char *id, stet_view operation) {
    stet_mutation one = mutation(STET_OP_CREATE, id, none, "{}");
    struct stet_command *command = command_create(world.fixture.client);
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    command->made.operation = arena_copy(&command->arena, operation);
    must(take(submitted(command)));
    settle();
}

/* What is done for one task makes the next. */
TEST(a_circle_of_handlers_and_changes_ends_at_the_bound) {
    (void)state;
    must(put_handler("h", "{\"on\":[\"create\"],\"agent\":\"a\"}", none));
    put_task("start", "{}");
    for (size_t i = 0; i <= OPERATION_DEPTH_MAX; i++) {
        char id[16];
        struct found found = operations();
        assert_int_equal(found.count, i + 1);
        const struct store_change *last = &found.rows[i];
        check_json(world_text(last->data), "/status", "\"queued\"");
        snprintf(id, sizeof id, "%zu", i);
        put_for(id, last->id);
    }
    check_json(operation(OPERATION_DEPTH_MAX + 1), "/status", "\"rejected\"");
}

TEST(one_that_cannot_be_queued_does_not_hold_up_others) {
    (void)state;
    must(put_handler("bad", "{\"on\":[\"create\"],\"agent\":\"a\",\"lane\":\"closed\"}", none));
    must(put_handler("good", "{\"on\":[\"create\"],\"agent\":\"a\"}", none));
    put_task("1", "{}");
    assert_int_equal(count_operations(), 1);
    check_json(operation(0), "/handler", "\"good\"");
    put_task("2", "{}");
    assert_int_equal(count_operations(), 2);
    struct answer shown = get_handler("bad");
    check_json(shown.body, "/last_error", "\"the lane takes nothing\"");
    check_json(shown.body, "/reactions", "0");
    must(put_handler("bad", "{\"on\":[\"create\"],\"agent\":\"a\"}", at(shown.version)));
    assert_int_equal(count_operations(), 4);
}

TEST(many_changes_at_once_are_all_reacted_to_in_order) {
    (void)state;
    must(put_handler("h", "{\"on\":[\"create\"],\"agent\":\"a\",\"where\":\"n > 740\"}", none));
    for (int t = 0; t < 4; t++) {
        stet_mutation many[200];
        char ids[200][16], data[200][16];
        for (int i = 0; i < 200; i++) {
            snprintf(ids[i], sizeof ids[i], "%d", t * 200 + i);
            snprintf(data[i], sizeof data[i], "{\"n\":%d}", t * 200 + i);
            many[i] = mutation(STET_OP_CREATE, ids[i], none, data[i]);
        }
        must(transact(many, 200, NULL));
    }
    settle();
    struct found found = operations();
    assert_int_equal(found.count, 59);
    for (size_t i = 0; i < found.count; i++) {
        char target[32];
        snprintf(target, sizeof target, "\"task/%zu\"", i + 741);
        check_json(world_text(found.rows[i].data), "/target", target);
    }
}

/* ---- What is no longer kept -------------------------------------------------------------- */

static void keep_versions(uint32_t versions) {
    struct policies *policies = world.fixture.space->policies;
    struct arena arena;
    arena_init(&arena, 1024);
    struct policy *policy = arena_zalloc(&arena, 1, sizeof *policy);
    atomic_init(&policy->refs, 1);
    policy->type = VIEW("task");
    policy->version = policy->seq = 1;
    policy->on_conflict = STET_STRATEGY_REJECT;
    policy->retain_versions = versions;
    policy->arena = arena;
    assert_int_equal(policies_reserve(policies, NULL), STET_OK);
    policies_stage(policies, policy->type, policy);
    policies_publish(policies);
}

TEST(a_change_whose_data_are_gone_is_counted_as_missed) {
    (void)state;
    keep_versions(1);
    for (int i = 0; i < 3; i++) {
        char data[16];
        snprintf(data, sizeof data, "{\"n\":%d}", i);
        put_task("1", data);
    }
    /* In memory they are still known. */
    fixture_close(&world.fixture);
    world_reopen();
    must(put_handler("w",
                     "{\"on\":[\"create\",\"update\"],\"agent\":\"a\",\"where\":\"n >= 0\","
                     "\"from\":\"beginning\"}",
                     none));
    assert_int_equal(count_operations(), 1);
    check_json(get_handler("w").body, "/missed", "2");
    must(put_handler(
        "all", "{\"on\":[\"create\",\"update\"],\"agent\":\"a\",\"from\":\"beginning\"}", none));
    assert_int_equal(count_operations(), 4);
    check_json(operation(1), "/input/change/pruned", "true");
    check_json(get_handler("all").body, "/missed", "0");
}

/* ---- Crashes ----------------------------------------------------------------------------- */

static void copy_image(void) {
    char command[256];
    remove_tree(image);
    snprintf(command, sizeof command, "cp -r %s %s && rm -f %s/stet.lock", folder, image, image);
    assert_int_equal(system(command), 0);
}

/* Opens what a crash at this moment would have left, lets it come to rest, and looks. */
static void check_image(size_t tasks) {
    struct world before = world;
    world.data_dir = image;
    world_reopen();
    settle();
    struct found found = operations();
    size_t of[2] = {0};
    for (size_t i = 0; i < found.count; i++) {
        const char *body = world_text(found.rows[i].data);
        of[strcmp(json_at(body, "/handler"), "\"one\"") == 0]++;
        for (size_t j = 0; j < i; j++) {
            const char *other = world_text(found.rows[j].data);
            assert_false(strcmp(json_at(body, "/handler"), json_at(other, "/handler")) == 0 &&
                         strcmp(json_at(body, "/cause_seq"), json_at(other, "/cause_seq")) == 0);
        }
    }
    assert_int_equal(of[0], tasks);
    assert_int_equal(of[1], tasks);
    fixture_close(&world.fixture);
    struct arena arena = world.arena;
    world = before;
    world.arena = arena;
}

TEST(a_reaction_is_queued_once_whenever_the_server_dies) {
    (void)state;
    must(put_handler("one", "{\"on\":[\"create\"],\"agent\":\"a\"}", none));
    must(put_handler("two", "{\"on\":[\"create\"],\"agent\":\"a\",\"type\":\"task\"}", none));
    struct sequencer *sequencer = world.fixture.space->sequencer;
    for (size_t tasks = 1; tasks <= 2; tasks++) {
        char id[8];
        snprintf(id, sizeof id, "%zu", tasks);
        stet_mutation one = mutation(STET_OP_CREATE, id, none, "{}");
        must(apply_one(one));
        /* Every step of the sequencer and the workers, one by one. */
        bool any = true;
        while (any) {
            copy_image();
            check_image(tasks);
            any = sequencer_step(sequencer, 1);
            any = workers_step(&world.fixture.engine->workers) || any;
            drain();
        }
    }
}

TEST(a_restart_keeps_what_is_shown) {
    (void)state;
    must(put_handler("h", "{\"on\":[\"create\"],\"agent\":\"a\"}", none));
    put_task("1", "{}");
    put_system("stet.operation", "x",
               "{\"event\":\"OperationFailed\",\"depth\":0,\"handler\":\"h\","
               "\"error\":\"it broke\"}");
    struct answer before = get_handler("h");
    fixture_close(&world.fixture);
    world_reopen();
    struct answer after = get_handler("h");
    check_json(after.body, "/reactions", "1");
    check_json(after.body, "/failed", "1");
    check_json(after.body, "/last_error", json_at(before.body, "/last_error"));
    check_json(after.body, "/lag", "0");
    put_task("2", "{}");
    assert_int_equal(count_operations(), 3);
}

TEST(a_space_where_nothing_happens_is_left_alone) {
    (void)state;
    must(put_handler("h", "{\"on\":[\"create\"],\"agent\":\"a\"}", none));
    put_task("1", "{}");
    settle();
    assert_int_equal(atomic_load(&world.fixture.space->due_at), MODULE_NEVER);
    uint64_t seq = seq_now();
    for (int i = 0; i < 3; i++) {
        clock_manual_advance(&world.clock, 60 * CLOCK_NS_PER_S);
        settle();
    }
    assert_int_equal(seq_now(), seq);
}

static void find_lag(void *context, const char *name, const char *help, stet_metric_kind kind,
                     const char *suffix, const char *labels, double value) {
    double *lag = context;
    (void)help, (void)kind, (void)suffix;
    if (strcmp(name, "stet_handler_lag") != 0) return;
    assert_string_equal(labels, "space=\"main\",handler=\"h\"");
    *lag = value;
}

TEST(metrics_tell_how_far_it_has_come) {
    double lag = -1;
    (void)state;
    stet_version version =
        must(put_handler("h", "{\"on\":[\"create\"],\"agent\":\"a\"}", none)).version;
    put_task("1", "{}");
    settle();
    metrics_visit(world.fixture.engine, find_lag, &lag);
    assert_true(lag == 0);
    must(put_handler("h", "{\"on\":[\"create\"],\"agent\":\"a\",\"paused\":true}", at(version)));
    put_task("2", "{}");
    metrics_visit(world.fixture.engine, find_lag, &lag);
    assert_true(lag >= 1);
}

int main(void) {
#define WORLD(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
#define FOLDER(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)
    const struct CMUnitTest tests[] = {
        WORLD(a_bad_definition_is_refused_with_its_place),
        WORLD(only_an_administrator_writes_them),
        WORLD(secrets_are_kept_and_never_shown),
        WORLD(a_change_is_reacted_to_with_what_it_was),
        WORLD(type_and_where_choose),
        WORLD(large_data_are_named_and_not_copied),
        WORLD(what_was_before_counts_only_when_asked_for),
        WORLD(one_that_is_paused_goes_on_where_it_was),
        WORLD(a_new_one_of_the_same_name_begins_anew),
        WORLD(conflicts_alerts_and_operations_have_events),
        WORLD(what_handlers_asked_for_is_seen_when_asked_for),
        WORLD(a_cycle_ends_at_the_bound_and_says_so),
        WORLD(a_circle_of_handlers_and_changes_ends_at_the_bound),
        WORLD(one_that_cannot_be_queued_does_not_hold_up_others),
        WORLD(many_changes_at_once_are_all_reacted_to_in_order),
        FOLDER(a_change_whose_data_are_gone_is_counted_as_missed),
        FOLDER(a_reaction_is_queued_once_whenever_the_server_dies),
        FOLDER(a_restart_keeps_what_is_shown),
        WORLD(metrics_tell_how_far_it_has_come),
        WORLD(a_space_where_nothing_happens_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
