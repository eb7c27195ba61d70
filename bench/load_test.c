/*
 * The audits of the load generator: a figure is worth something only if a server that loses a write gets none. The servers here are
 * a few lines in this process, honest or each broken in one way.
 */
#include "load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum fault {
    HONEST,
    LOSES_ONE,       /* Acknowledges an increment it does not make. */
    ADDS_TWICE,      /* Makes one twice. */
    GOES_BACK,       /* Writes what the client read, whoever was there in between. */
    CONFLICTS,       /* Refuses a stale increment instead of merging it. */
    DROPS_THE_OTHER, /* Stores a stale write as it came, without the other's change. */
    SKIPS_A_VERSION,
    STORES_NOTHING, /* Acknowledges updates, with the version they should make. */
    STORES_NO_DATA, /* Only the version moves. */
    STORES_NO_VERSION,
    LOSES_A_LAST_ONE, /* Of one record, the last write is gone in the end. */
    KEEPS_IN_MEMORY,  /* All of the above is right until it is killed. */
};

enum { RECORDS = RECORDS_MIN, FAULT_AT = 500, BODY_BYTES = WORKLOAD_DATA_BYTES + 64 };

struct fake_link {
    struct link link;
    struct reply reply;
    char body[BODY_BYTES];
};

static enum fault fault;
static uint64_t counter_version, counter, operations;
static struct record {
    uint64_t version;
    char data[WORKLOAD_DATA_BYTES], before[WORKLOAD_DATA_BYTES];
} pairs[RECORDS], tasks[RECORDS];

static void fake_start(struct target *target, const struct target_options *options) {
    (void)options;
    target->pid = getpid();
}

static void fake_stop(struct target *target) { (void)target; }

static struct link *fake_open(struct target *target) {
    struct fake_link *link = calloc(1, sizeof *link);
    (void)target;
    if (link == NULL) abort();
    link->link = (struct link){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .timer = -1};
    return &link->link;
}

static void fake_close(struct link *link) {
    close(link->fd);
    free(link);
}

static void add(struct fake_link *link, const struct op *op) {
    bool at_fault = ++operations >= FAULT_AT;
    uint64_t version = counter_version + 1, count = counter + 1;
    if (fault == ADDS_TWICE && operations == FAULT_AT) count++;
    if (fault == GOES_BACK && at_fault)
        count = strtoull(op->data.bytes + strlen("{\"count\":"), NULL, 10);
    if (fault == CONFLICTS && at_fault && op->base != counter_version)
        link->reply.kind = REPLY_CONFLICT;
    if (fault != LOSES_ONE || operations != FAULT_AT) {
        counter_version = version;
        counter = count;
    }
    link->reply.version = version;
    link->reply.body.size = (size_t)snprintf(link->body, sizeof link->body, "{\"count\":%llu}",
                                             (unsigned long long)count);
}

static void read_counter(struct fake_link *link) {
    link->reply.version = counter_version;
    link->reply.body.size = (size_t)snprintf(link->body, sizeof link->body, "{\"count\":%llu}",
                                             (unsigned long long)counter);
}

static size_t record_in(stet_view id) {
    char text[WORKLOAD_ID_BYTES + 1] = "";
    memcpy(text, id.bytes, WORKLOAD_ID_BYTES);
    return strtoul(text + strlen("record-"), NULL, 10);
}

static void write_pair(struct fake_link *link, const struct op *op) {
    size_t record = record_in(op->id);
    uint64_t version = ++pairs[record].version;
    bool stale = op->kind == OP_PUT && op->base + 1 < version;
    if (fault == SKIPS_A_VERSION && ++operations == FAULT_AT) version = ++pairs[record].version;
    workload_pair(record, version, version, link->body);
    if (fault == DROPS_THE_OTHER && stale) memcpy(link->body, op->data.bytes, op->data.size);
    link->reply.version = version;
    link->reply.body.size = WORKLOAD_DATA_BYTES;
    memcpy(pairs[record].data, link->body, WORKLOAD_DATA_BYTES);
}

static void write_task(struct fake_link *link, const struct op *op) {
    struct record *record = &tasks[record_in(op->id)];
    bool updated = op->kind == OP_PUT;
    link->reply.version = op->base + 1;
    if (fault == STORES_NOTHING && updated) return;
    if (op->base != record->version && fault != STORES_NO_VERSION) {
        link->reply.kind = REPLY_CONFLICT;
        return;
    }
    memcpy(record->before, record->data, sizeof record->before);
    if (fault != STORES_NO_VERSION || !updated) record->version++;
    if (fault != STORES_NO_DATA || !updated) memcpy(record->data, op->data.bytes, op->data.size);
}

static void read_record(struct fake_link *link, const struct op *op) {
    struct record *record =
        &(memcmp(op->type.bytes, "pair", 4) == 0 ? pairs : tasks)[record_in(op->id)];
    bool lost = fault == LOSES_A_LAST_ONE && record == &tasks[FAULT_AT];
    link->reply.version = record->version - lost;
    link->reply.body.size = WORKLOAD_DATA_BYTES;
    memcpy(link->body, lost ? record->before : record->data, WORKLOAD_DATA_BYTES);
}

static void fake_crash(struct target *target) {
    (void)target;
    if (fault == KEEPS_IN_MEMORY) memcpy(tasks[0].data, tasks[0].before, sizeof tasks[0].data);
}

static void fake_send(struct target *target, struct link *base, const struct op *op) {
    struct fake_link *link = (struct fake_link *)base;
    uint64_t one = 1;
    (void)target;
    link->reply = (struct reply){.kind = REPLY_OK, .body = {link->body, 0}};
    if (op->kind == OP_ADD) {
        add(link, op);
    } else if (memcmp(op->id.bytes, "record-", 7) != 0) {
        read_counter(link);
    } else if (op->kind == OP_GET) {
        read_record(link, op);
    } else if (memcmp(op->type.bytes, "pair", 4) == 0) {
        write_pair(link, op);
    } else {
        write_task(link, op);
    }
    if (write(base->fd, &one, sizeof one) != sizeof one) abort();
}

static bool fake_receive(struct target *target, struct link *base, const struct op *op,
                         struct reply *reply) {
    struct fake_link *link = (struct fake_link *)base;
    uint64_t waiting;
    (void)target;
    (void)op;
    if (read(base->fd, &waiting, sizeof waiting) != sizeof waiting) return false;
    *reply = link->reply;
    return true;
}

static struct target fake = {
    .name = "fake",
    .start = fake_start,
    .stop = fake_stop,
    .crash = fake_crash,
    .open = fake_open,
    .close = fake_close,
    .send = fake_send,
    .receive = fake_receive,
};

/* Whether the generator got through to its figures; in a process of its own, since it ends it when not. */
static bool passes_in(enum fault chosen, enum mode mode, bool crash) {
    struct settings settings = {.targets = {&fake},
                                .target_count = 1,
                                .modes = {mode},
                                .mode_count = 1,
                                .connections = {8},
                                .connection_count = 1,
                                .records = RECORDS,
                                .spaces = 1,
                                .crash = crash,
                                .seconds = 0.05,
                                .warm_seconds = 0.01,
                                .rounds = 2};
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL) abort();
        fault = chosen;
        load_run(&settings);
        exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 0, 1);
    return WEXITSTATUS(status) == 0;
}

static bool passes(enum fault chosen, enum mode mode) { return passes_in(chosen, mode, false); }

static void an_honest_counter_passes(void **state) {
    (void)state;
    assert_true(passes(HONEST, MODE_ADD));
}

static void a_lost_increment_is_noticed(void **state) {
    (void)state;
    assert_false(passes(LOSES_ONE, MODE_ADD));
    assert_false(passes(GOES_BACK, MODE_ADD));
}

static void an_increment_made_twice_is_noticed(void **state) {
    (void)state;
    assert_false(passes(ADDS_TWICE, MODE_ADD));
}

static void a_conflict_is_no_increment(void **state) {
    (void)state;
    assert_false(passes(CONFLICTS, MODE_ADD));
}

static void an_honest_merge_passes(void **state) {
    (void)state;
    assert_true(passes(HONEST, MODE_FRESH));
    assert_true(passes(HONEST, MODE_STALE));
    assert_true(passes(HONEST, MODE_STALE_PATCH));
}

static void a_change_that_was_merged_away_is_noticed(void **state) {
    (void)state;
    assert_false(passes(DROPS_THE_OTHER, MODE_STALE));
    assert_false(passes(SKIPS_A_VERSION, MODE_STALE));
}

static void an_honest_store_passes(void **state) {
    (void)state;
    assert_true(passes(HONEST, MODE_UPDATE));
    assert_true(passes_in(HONEST, MODE_UPDATE, true));
}

static void an_update_that_was_not_stored_is_noticed(void **state) {
    (void)state;
    assert_false(passes(STORES_NOTHING, MODE_UPDATE));
    assert_false(passes(STORES_NO_DATA, MODE_UPDATE));
    assert_false(passes(STORES_NO_VERSION, MODE_UPDATE));
}

static void one_lost_last_write_is_noticed(void **state) {
    (void)state;
    assert_false(passes(LOSES_A_LAST_ONE, MODE_UPDATE));
}

static void what_was_only_in_memory_is_noticed(void **state) {
    (void)state;
    assert_true(passes(KEEPS_IN_MEMORY, MODE_UPDATE));
    assert_false(passes_in(KEEPS_IN_MEMORY, MODE_UPDATE, true));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_counter_passes),
        cmocka_unit_test(a_lost_increment_is_noticed),
        cmocka_unit_test(an_increment_made_twice_is_noticed),
        cmocka_unit_test(a_conflict_is_no_increment),
        cmocka_unit_test(an_honest_merge_passes),
        cmocka_unit_test(a_change_that_was_merged_away_is_noticed),
        cmocka_unit_test(an_honest_store_passes),
        cmocka_unit_test(an_update_that_was_not_stored_is_noticed),
        cmocka_unit_test(one_lost_last_write_is_noticed),
        cmocka_unit_test(what_was_only_in_memory_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
