/*
 * Every interleaving of two and three writers. Each writer reads the record, submits a write made from what it read, and a batch is
 * decided; the three steps of each are put in every order, with batches of one command and of all that wait. A small sequential
 * model says what must come of every write: which version, or which refusal, and what the conflict document must show.
 */
#include "doc/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_fixture.h"

enum { WRITERS_MAX = 3, STEPS = 3, RUNS_PER_ENGINE = 2000 };
enum step { STEP_READ, STEP_SUBMIT, STEP_DECIDE };
enum kind { KIND_PUT, KIND_PATCH, KIND_DELETE, KIND_CREATE, KIND_TRANSACTION, KINDS };
enum initial { INITIAL_ABSENT, INITIAL_LIVE, INITIAL_DELETED, INITIALS };

static struct fixture fixture;
static stet_client *clients[WRITERS_MAX];
static unsigned long runs;

/* ---- The model --------------------------------------------------------------------------- */

enum { FIELDS = 1 + WRITERS_MAX }; /* "p" of puts, "w0" … of patches; 0: absent. */

struct model {
    stet_version version;
    bool live;
    int fields[FIELDS];
};

struct writer {
    enum kind kind;
    int number;
    stet_version base;       /* What it read of the record; 0: nothing live. */
    stet_version other_base; /* Of the second record of its transaction. */
    struct model read;       /* The record as of its base. */
    struct stet_command *command;
    stet_status expected;
    struct model before, after; /* The record when it was decided. */
    bool decided;
};

static stet_status expect_put(const struct model *model, stet_version base) {
    if (base == 0) return model->live ? STET_PRECONDITION_REQUIRED : STET_OK;
    return model->live && base == model->version ? STET_OK : STET_CONCURRENT_MODIFICATION;
}

static stet_status expect(const struct writer *writer, const struct model *model) {
    stet_status absent = model->version == 0 ? STET_NOT_FOUND : STET_DELETED;
    switch (writer->kind) {
    case KIND_CREATE: return model->live ? STET_ALREADY_EXISTS : STET_OK;
    case KIND_PUT:
    case KIND_TRANSACTION: return expect_put(model, writer->base);
    case KIND_PATCH:
        if (writer->base == 0) return model->live ? STET_PRECONDITION_REQUIRED : absent;
        return expect_put(model, writer->base);
    case KIND_DELETE:
        if (!model->live) return absent;
        return expect_put(model, writer->base);
    case KINDS: break;
    }
    return STET_INTERNAL;
}

/* What the writer makes of the record it read. */
static struct model make(const struct writer *writer) {
    struct model made = {.live = writer->kind != KIND_DELETE};
    if (writer->kind == KIND_PATCH) {
        made = writer->read;
        made.live = true;
        made.fields[1 + writer->number] = 100 + writer->number;
    } else if (made.live) {
        made.fields[0] = 10 + writer->number;
    }
    return made;
}

static void model_decide(struct writer *writer, struct model *record, struct model *other) {
    stet_status other_expected = STET_OK;
    writer->decided = true;
    writer->expected = expect(writer, record);
    writer->before = *record;
    if (writer->kind == KIND_TRANSACTION) other_expected = expect_put(other, writer->other_base);
    if (writer->expected == STET_OK && other_expected == STET_OK) {
        stet_version version = record->version + 1;
        *record = make(writer);
        record->version = version;
        if (writer->kind == KIND_TRANSACTION) {
            other->version++;
            other->live = true;
        }
    } else if (writer->expected == STET_OK) {
        writer->expected = other_expected;
    }
    writer->after = *record;
}

/* ---- Texts ------------------------------------------------------------------------------- */

static const char *const field_names[FIELDS] = {"p", "w0", "w1", "w2"};

static void data_of(const struct model *model, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, "{");
    for (int field = 0; field < FIELDS; field++) {
        if (model->fields[field] == 0) continue;
        used += (size_t)snprintf(out + used, size - used, "%s\"%s\":%d", used > 1 ? "," : "",
                                 field_names[field], model->fields[field]);
    }
    snprintf(out + used, size - used, "}");
}

static bool says(const struct doc *doc, const char *pointer, const char *expected) {
    struct arena arena;
    struct doc other;
    doc_node node = doc_pointer(doc, view_of(pointer));
    bool equal = false;
    arena_init(&arena, 1024);
    if (node != DOC_NONE && doc_parse(&arena, view_of(expected), NULL, &other, NULL) == STET_OK)
        equal = doc_equal(doc, node, &other, 0);
    arena_done(&arena);
    return equal;
}

static bool says_number(const struct doc *doc, const char *pointer, uint64_t expected) {
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)expected);
    return says(doc, pointer, text);
}

/* ---- One schedule ------------------------------------------------------------------------ */

struct schedule {
    struct writer writers[WRITERS_MAX];
    int count;
    uint8_t order[WRITERS_MAX * STEPS]; /* Whose next step it is. */
    size_t batch_max;
    enum initial initial;
    char id[24], other_id[24];
    struct model record, other;
    struct writer *queue[WRITERS_MAX];
    int queue_first, queue_count;
};

static void describe(const struct schedule *schedule) {
    static const char *const kinds[KINDS] = {"put", "patch", "delete", "create", "transaction"};
    print_error("initial %d, batches of %zu, writers", schedule->initial, schedule->batch_max);
    for (int index = 0; index < schedule->count; index++)
        print_error(" %s", kinds[schedule->writers[index].kind]);
    print_error(", steps ");
    for (int index = 0; index < schedule->count * STEPS; index++)
        print_error("%d", schedule->order[index]);
    print_error("\n");
}

#define CHECK(schedule, condition)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            describe(schedule);                                                                    \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

static struct change *head_of(stet_client *client, const char *id) {
    struct change *head = NULL;
    stet_status status =
        client_head(client, fixture.space, VIEW("tasks"), view_of(id), &head, NULL);
    assert_true(status == STET_OK || status == STET_NOT_FOUND);
    return head;
}

static stet_version live_version(stet_client *client, const char *id) {
    struct change *head = head_of(client, id);
    stet_version version = head == NULL || change_is_delete(head) ? 0 : head->row.version;
    change_unref(head);
    return version;
}

static void step_read(struct schedule *schedule, struct writer *writer) {
    stet_client *client = clients[writer->number];
    writer->base = live_version(client, schedule->id);
    writer->other_base = live_version(client, schedule->other_id);
    writer->read = schedule->record;
    CHECK(schedule, writer->base == (schedule->record.live ? schedule->record.version : 0));
}

static stet_mutation mutation_of(const char *id, stet_op op, stet_version base, const char *body) {
    return (stet_mutation){
        .op = op,
        .type = VIEW("tasks"),
        .id = view_of(id),
        .base = {.kind = base == 0 || op == STET_OP_CREATE ? STET_BASE_NONE : STET_BASE_VERSION,
                 .value = base},
        .body = op == STET_OP_DELETE ? (stet_view){0} : view_of(body)};
}

static void step_submit(struct schedule *schedule, struct writer *writer) {
    static const stet_op ops[KINDS] = {STET_OP_PUT, STET_OP_PATCH, STET_OP_DELETE, STET_OP_CREATE,
                                       STET_OP_PUT};
    char body[64];
    stet_mutation mutations[2];
    size_t count = writer->kind == KIND_TRANSACTION ? 2 : 1;
    if (writer->kind == KIND_PATCH)
        snprintf(body, sizeof body, "{\"w%d\":%d}", writer->number, 100 + writer->number);
    else
        snprintf(body, sizeof body, "{\"p\":%d}", 10 + writer->number);
    mutations[0] = mutation_of(schedule->id, ops[writer->kind], writer->base, body);
    mutations[1] = mutation_of(schedule->other_id, STET_OP_PUT, writer->other_base, body);
    writer->command = command_create(clients[writer->number]);
    const stet_write write = {
        .mutations = mutations, .mutation_count = count, .transaction = count > 1};
    assert_int_equal(command_fill_write(writer->command, &write, NULL), STET_OK);
    assert_int_equal(command_submit(fixture.space, &fixture.actor, writer->command, NULL, NULL),
                     STET_OK);
    CHECK(schedule, !writer->command->done);
    schedule->queue[schedule->queue_first + schedule->queue_count++] = writer;
}

static void step_decide(struct schedule *schedule) {
    size_t decided = 0;
    engine_step_batch(fixture.engine, fixture.space, schedule->batch_max);
    while (schedule->queue_count > 0 && decided++ < schedule->batch_max) {
        struct writer *writer = schedule->queue[schedule->queue_first++];
        schedule->queue_count--;
        model_decide(writer, &schedule->record, &schedule->other);
        CHECK(schedule, client_next(clients[writer->number]) == writer->command);
    }
}

static void check_conflict(const struct schedule *schedule, const struct writer *writer,
                           const struct doc *doc) {
    char current[128], yours[128];
    struct model made = make(writer);
    data_of(&writer->before, current, sizeof current);
    data_of(&made, yours, sizeof yours);
    if (writer->kind == KIND_TRANSACTION) {
        CHECK(schedule, doc_pointer(doc, VIEW("/conflicts/0")) != DOC_NONE);
        return;
    }
    CHECK(schedule, says_number(doc, "/expected_version", writer->base));
    CHECK(schedule, says_number(doc, "/current_version", writer->before.version));
    if (writer->before.live) CHECK(schedule, says(doc, "/current", current));
    if (writer->kind != KIND_DELETE) CHECK(schedule, says(doc, "/yours", yours));
}

static void check_outcome(const struct schedule *schedule, struct writer *writer) {
    struct arena arena;
    struct doc doc;
    const stet_outcome *outcome = &writer->command->outcome;
    command_render(writer->command);
    CHECK(schedule, writer->decided);
    CHECK(schedule, outcome->status == writer->expected);
    arena_init(&arena, 4096);
    CHECK(schedule, doc_parse(&arena, outcome->body, NULL, &doc, NULL) == STET_OK);
    if (outcome->status == STET_CONCURRENT_MODIFICATION) check_conflict(schedule, writer, &doc);
    if (outcome->status == STET_OK && writer->kind != KIND_TRANSACTION) {
        CHECK(schedule, outcome->version == writer->after.version);
        CHECK(schedule, says_number(&doc, "/version", writer->after.version));
    }
    arena_done(&arena);
}

/* Exactly the versions that were acknowledged, each with the data its writer made. */
static void check_history(const struct schedule *schedule) {
    struct store_change changes[16];
    struct store_reader *reader = store_writer_reader(fixture.space->store);
    struct store_head head;
    struct arena arena;
    size_t count = 0;
    arena_init(&arena, 4096);
    assert_int_equal(store_head(reader, VIEW("tasks"), view_of(schedule->id), &head, NULL),
                     STET_OK);
    CHECK(schedule, head.version == schedule->record.version);
    CHECK(schedule, head.version == 0 || head.deleted == !schedule->record.live);
    assert_int_equal(store_history(reader, &arena, &head, 0, 16, true, changes, &count, NULL),
                     STET_OK);
    CHECK(schedule, count == head.version);
    for (size_t index = 0; index < count; index++)
        CHECK(schedule, changes[index].version == head.version - index);
    for (int index = 0; index < schedule->count; index++) {
        const struct writer *writer = &schedule->writers[index];
        char data[128];
        struct doc doc;
        if (writer->expected != STET_OK || !writer->after.live) continue;
        const struct store_change *change = &changes[head.version - writer->after.version];
        data_of(&writer->after, data, sizeof data);
        CHECK(schedule, doc_parse(&arena, change->data, NULL, &doc, NULL) == STET_OK);
        CHECK(schedule, says(&doc, "", data));
    }
    arena_done(&arena);
}

static void prepare_record(struct schedule *schedule) {
    snprintf(schedule->id, sizeof schedule->id, "r%lu", runs);
    snprintf(schedule->other_id, sizeof schedule->other_id, "q%lu", runs);
    schedule->record = (struct model){0};
    schedule->other = (struct model){0};
    if (schedule->initial == INITIAL_ABSENT) return;
    fixture_put(&fixture, "tasks", schedule->id, "{\"p\":1}");
    schedule->record = (struct model){.version = 1, .live = true, .fields = {1}};
    if (schedule->initial == INITIAL_LIVE) return;
    fixture_put(&fixture, "tasks", schedule->id, NULL);
    schedule->record = (struct model){.version = 2};
}

static void open_engine(void) {
    fixture_open(&fixture);
    for (int index = 0; index < WRITERS_MAX; index++)
        assert_int_equal(client_create(fixture.engine, &clients[index], NULL), STET_OK);
}

static void close_engine(void) {
    for (int index = 0; index < WRITERS_MAX; index++)
        client_destroy(clients[index]);
    fixture_close(&fixture);
}

static void run(struct schedule *schedule) {
    int taken[WRITERS_MAX] = {0};
    if (runs > 0 && runs % RUNS_PER_ENGINE == 0) {
        close_engine();
        open_engine();
    }
    runs++;
    schedule->queue_first = 0;
    schedule->queue_count = 0;
    prepare_record(schedule);
    for (int index = 0; index < schedule->count; index++)
        schedule->writers[index] =
            (struct writer){.kind = schedule->writers[index].kind, .number = index};
    for (int index = 0; index < schedule->count * STEPS; index++) {
        struct writer *writer = &schedule->writers[schedule->order[index]];
        switch ((enum step)taken[writer->number]++) {
        case STEP_READ: step_read(schedule, writer); break;
        case STEP_SUBMIT: step_submit(schedule, writer); break;
        case STEP_DECIDE: step_decide(schedule); break;
        }
    }
    for (int index = 0; index < schedule->count; index++)
        check_outcome(schedule, &schedule->writers[index]);
    check_history(schedule);
    for (int index = 0; index < schedule->count; index++)
        command_destroy(schedule->writers[index].command);
}

/* ---- All schedules ----------------------------------------------------------------------- */

static void every_order(struct schedule *schedule, int *left, int at) {
    if (at == schedule->count * STEPS) {
        run(schedule);
        return;
    }
    for (int writer = 0; writer < schedule->count; writer++) {
        if (left[writer] == 0) continue;
        left[writer]--;
        schedule->order[at] = (uint8_t)writer;
        every_order(schedule, left, at + 1);
        left[writer]++;
    }
}

static void every_batch(struct schedule *schedule) {
    static const size_t batches[] = {1, 512};
    for (size_t index = 0; index < 2; index++) {
        int left[WRITERS_MAX] = {STEPS, STEPS, STEPS};
        schedule->batch_max = batches[index];
        every_order(schedule, left, 0);
    }
}

static void two_writers(void **state) {
    (void)state;
    struct schedule schedule = {.count = 2};
    runs = 0;
    open_engine();
    for (int initial = 0; initial < INITIALS; initial++) {
        for (int pair = 0; pair < KINDS * KINDS; pair++) {
            schedule.initial = (enum initial)initial;
            schedule.writers[0].kind = (enum kind)(pair % KINDS);
            schedule.writers[1].kind = (enum kind)(pair / KINDS);
            every_batch(&schedule);
        }
    }
    close_engine();
    print_message("%lu schedules\n", runs);
}

static void three_writers(void **state) {
    (void)state;
    const char *sanitizer = getenv("STET_SANITIZER");
    bool all = sanitizer == NULL || sanitizer[0] == '\0';
    struct schedule schedule = {.count = 3, .initial = INITIAL_LIVE};
    runs = 0;
    open_engine();
    /* Writers differ by nothing but their kinds, and every order of their steps is run: sorted kinds are enough. Under a
       sanitizer, which is slow, those of three different kinds are. */
    for (int first = 0; first < KINDS; first++) {
        for (int second = all ? first : first + 1; second < KINDS; second++) {
            for (int third = all ? second : second + 1; third < KINDS; third++) {
                schedule.writers[0].kind = (enum kind)first;
                schedule.writers[1].kind = (enum kind)second;
                schedule.writers[2].kind = (enum kind)third;
                every_batch(&schedule);
            }
        }
    }
    close_engine();
    print_message("%lu schedules\n", runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_writers),
        cmocka_unit_test(three_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
