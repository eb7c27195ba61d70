/*
 * A simulator of writes that are settled: writers who merge counters, overwrite each other, have writes wait for a person, settle what
 * waits, and rely on a lock, against an engine that is driven by hand, in an order drawn from a seed. Answers get lost and the
 * writes are repeated by key, the clock moves past deadlines and leases, the engine is closed and opened in between.
 *
 * At the end the whole log is read:
 *   - a counter is the number of its acknowledged increments, and none was refused;
 *   - whoever wrote a value that somebody overwrote without having seen it has a notice that names the change;
 *   - every write that was told to wait was kept exactly once, and the conflicts listed as open are those that nothing ended;
 *   - the tokens in a guarded record never fall.
 *
 * Prints its seed; STET_SEED repeats it, STET_SOAK=1 takes more rounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/view.h"
#include "core/client.h"
#include "core/engine.h"
#include "doc/doc.h"
#include "stet_wiring.h"
#include "store/testkit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WRITERS = 6, RECORDS = 2, ATTEMPTS_MAX = 4000, LOG_MAX = 100000, LOG_PAGE = 256 };

enum kind { HITS, NOTES, CLAIMS, GUARDED, KINDS };
static const char *const type_names[KINDS] = {"hits", "notes", "claims", "guarded"};
static const char *const definitions[KINDS] = {
    "{\"on_conflict\":\"merge\",\"fields\":{\"/n\":{\"merge\":\"delta\"}},\"index\":[\"/n\"]}",
    "{\"on_conflict\":\"last_writer_wins\",\"unique\":[\"/v\"]}",
    "{\"on_conflict\":\"ask\",\"ask\":{\"deadline_s\":20,\"fallback\":\"last_writer_wins\"}}",
    "{\"on_conflict\":\"last_writer_wins\"}"};

enum doing { READING, WRITING, WAITING };
enum fate { OPEN, DONE, PARKED, REFUSED };

struct attempt {
    enum kind kind;
    enum fate fate;
    unsigned changes, kept; /* Found in the log. */
};

struct writer {
    stet_client *client;
    stet_actor actor;
    char name[8];
    enum doing doing;
    enum kind kind;
    char id[8], data[96];
    stet_version base;
    uint64_t token; /* Of the lock, as got last. */
    uint64_t fence; /* The one this attempt relies on. */
    unsigned attempt;
    stet_command *command;
    struct attempt attempts[ATTEMPTS_MAX];
};

static struct entropy_seeded random_source;
static struct clock_manual manual_clock;
static const char *data_dir;
static stet_engine *engine;
static stet_space *space;
static struct writer writers[WRITERS];
static const stet_actor boss = {.id = {"boss", 4}, .admin = true};
static struct { unsigned done, merged, parked, refused, lost, resolved, restarts; } tally;

static uint64_t draw(uint64_t below) { return entropy_u64(&random_source.entropy) % below; }

/* ---- Engine ------------------------------------------------------------------------------ */

static void open_engine(void) {
    const struct engine_seams seams = {.manual = true,
                                       .clock = &manual_clock.clock,
                                       .entropy = &random_source.entropy,
                                       .synchronous = "OFF"};
    const stet_options options = {.data_dir = data_dir, .sequencer_threads = 1};
    must(engine_open(&options, &seams, stet_modules, &engine, err));
    for (unsigned i = 0; i < WRITERS; i++)
        must(stet_client_create(engine, &writers[i].client, err));
    must(stet_space_open(writers[0].client, VIEW("main"), &space, err));
}

static void close_engine(void) {
    stet_space_close(space);
    for (unsigned i = 0; i < WRITERS; i++)
        stet_client_destroy(writers[i].client);
    stet_close(engine);
}

/* To its end. Other answers of the same client must not be waiting. */
static const stet_outcome *run(const stet_actor *actor, stet_command *command) {
    must(stet_submit(space, actor, command, NULL, err));
    while (!stet_command_is_done(command)) {
        engine_step(engine);
        stet_client_next(writers[0].client);
    }
    return stet_command_outcome(command);
}

static stet_command *new_command(struct writer *writer) {
    stet_command *command = stet_command_create(writer->client);
    assert_non_null(command);
    return command;
}

static void declare(enum kind kind) {
    stet_command *command = new_command(&writers[0]);
    const stet_type_write type = {.name = view_of(type_names[kind]),
                                  .definition = view_of(definitions[kind])};
    must(stet_command_type_write(command, &type, err));
    const stet_outcome *outcome = run(&boss, command);
    if (outcome->status != STET_OK) fail_msg("%s: %s", type_names[kind], outcome->error.message);
    stet_command_destroy(command);
}

static void create(enum kind kind, unsigned number) {
    char id[8], data[48];
    snprintf(id, sizeof id, "%u", number);
    snprintf(data, sizeof data, "{\"n\":0,\"v\":\"%s-%u\"}", type_names[kind], number);
    stet_mutation one = {.op = STET_OP_PUT,
                         .type = view_of(type_names[kind]),
                         .id = view_of(id),
                         .body = view_of(data)};
    stet_command *command = new_command(&writers[0]);
    must(stet_command_write(command, &(stet_write){.mutations = &one, .mutation_count = 1}, err));
    assert_int_equal(run(&boss, command)->status, STET_OK);
    stet_command_destroy(command);
}

/* ---- Writers ----------------------------------------------------------------------------- */

static int64_t number_in(stet_view body, const char *pointer) {
    struct arena arena;
    struct doc doc;
    arena_init(&arena, 4096);
    must(doc_parse(&arena, body, NULL, &doc, err));
    int64_t value = strtoll(doc_text(&doc, doc_pointer(&doc, view_of(pointer))).bytes, NULL, 10);
    arena_done(&arena);
    return value;
}

/* What it writes is made from what it reads here, however much later that is. */
static void begin(struct writer *writer) {
    writer->kind = (enum kind)draw(KINDS);
    snprintf(writer->id, sizeof writer->id, "%u", (unsigned)draw(RECORDS));
    const stet_read read = {.type = view_of(type_names[writer->kind]), .id = view_of(writer->id)};
    stet_command *command = new_command(writer);
    must(stet_command_read(command, &read, err));
    must(stet_submit(space, &writer->actor, command, NULL, err));
    assert_true(stet_command_is_done(command));
    const stet_outcome *outcome = stet_command_outcome(command);
    assert_int_equal(outcome->status, STET_OK);
    writer->base = outcome->version;
    writer->fence = writer->token == 0 ? 1 : writer->token;
    snprintf(writer->data, sizeof writer->data, "{\"n\":%lld,\"v\":\"%s-%u\"}",
             (long long)(writer->kind == HITS ? number_in(outcome->body, "/data/n") + 1
                                              : (int64_t)writer->fence),
             writer->kind == HITS ? "hits" : writer->name,
             writer->kind == HITS ? (unsigned)strtoul(writer->id, NULL, 10) : writer->attempt);
    stet_command_destroy(command);
    writer->attempts[writer->attempt].kind = writer->kind;
    writer->doing = WRITING;
}

static void send(struct writer *writer) {
    char key[16];
    snprintf(key, sizeof key, "a%u", writer->attempt);
    stet_mutation one = {.op = STET_OP_PUT,
                         .type = view_of(type_names[writer->kind]),
                         .id = view_of(writer->id),
                         .base = {.kind = STET_BASE_VERSION, .value = writer->base},
                         .body = view_of(writer->data)};
    if (writer->kind == GUARDED) {
        one.lock = VIEW("door");
        one.lock_token = writer->fence;
    }
    const stet_write write = {.mutations = &one, .mutation_count = 1, .mutation_key = view_of(key)};
    writer->command = new_command(writer);
    must(stet_command_write(writer->command, &write, err));
    must(stet_submit(space, &writer->actor, writer->command, NULL, err));
    writer->doing = WAITING;
}

static void lose_answer(struct writer *writer) {
    stet_command_destroy(writer->command);
    writer->command = NULL;
    writer->doing = WRITING;
    tally.lost++;
}

static enum fate fate_of(const struct writer *writer, const stet_outcome *outcome) {
    if (outcome->status == STET_OK) {
        assert_true(!outcome->parked || writer->kind == CLAIMS);
        return outcome->parked ? PARKED : DONE;
    }
    bool fair = (writer->kind == GUARDED && outcome->status == STET_LOCK_LOST) ||
                (writer->kind == CLAIMS && outcome->status == STET_TOO_MANY_CONFLICTS);
    if (!fair) fail_msg("%s: %s", type_names[writer->kind], outcome->error.message);
    return REFUSED;
}

static void hear(struct writer *writer) {
    const stet_outcome *outcome = stet_command_outcome(writer->command);
    enum fate fate = fate_of(writer, outcome);
    writer->attempts[writer->attempt].fate = fate;
    tally.done += fate == DONE;
    tally.parked += fate == PARKED;
    tally.refused += fate == REFUSED;
    tally.merged += outcome->merged;
    stet_command_destroy(writer->command);
    writer->command = NULL;
    writer->attempt++;
    assert_true(writer->attempt < ATTEMPTS_MAX);
    writer->doing = READING;
}

static void act(struct writer *writer) {
    switch (writer->doing) {
    case READING: begin(writer); break;
    case WRITING: send(writer); break;
    case WAITING:
        if (stet_client_next(writer->client) == NULL) break;
        if (draw(6) == 0) {
            lose_answer(writer);
        } else {
            hear(writer);
        }
        break;
    }
}

/* Everybody's answer is there, or lost: the clients' queues are empty. */
static void settle_down(bool lose) {
    for (unsigned i = 0; i < WRITERS; i++) {
        struct writer *writer = &writers[i];
        while (writer->doing == WAITING) {
            engine_step(engine);
            if (!lose) {
                act(writer);
            } else if (stet_client_next(writer->client) != NULL) {
                lose_answer(writer);
            }
        }
    }
}

static void take_lock(struct writer *writer) {
    settle_down(false);
    const stet_lock_request request = {.name = VIEW("door"), .ttl_s = 3};
    stet_command *command = stet_command_create(writers[0].client);
    must(stet_command_lock_acquire(command, &request, err));
    const stet_outcome *outcome = run(&writer->actor, command);
    assert_true(outcome->status == STET_OK || outcome->status == STET_LOCKED);
    if (outcome->status == STET_OK) writer->token = outcome->version;
    stet_command_destroy(command);
}

/* The id of the conflict whose deadline is next, and how many wait. */
static bool first_open(char *id, size_t size, int64_t *open) {
    struct arena arena;
    struct doc doc;
    stet_view text;
    stet_command *command = new_command(&writers[0]);
    must(stet_command_conflict_list(command, &(stet_conflict_list){.limit = 1}, err));
    const stet_outcome *outcome = run(&boss, command);
    assert_int_equal(outcome->status, STET_OK);
    arena_init(&arena, 4096);
    must(doc_parse(&arena, outcome->body, NULL, &doc, err));
    *open = number_in(outcome->body, "/open");
    doc_node node = doc_pointer(&doc, VIEW("/conflicts/0/id"));
    bool found = node != DOC_NONE && doc_string(&arena, &doc, node, &text) == STET_OK;
    if (found) snprintf(id, size, "%.*s", VIEW_ARG(text));
    arena_done(&arena);
    stet_command_destroy(command);
    return found;
}

static void resolve_one(struct writer *writer) {
    char id[64];
    int64_t open;
    settle_down(false);
    if (!first_open(id, sizeof id, &open)) return;
    stet_command *command = new_command(&writers[0]);
    const stet_conflict_resolution resolution = {.id = view_of(id), .choice = STET_CHOICE_CURRENT};
    must(stet_command_conflict_resolve(command, &resolution, err));
    const stet_outcome *outcome = run(&writer->actor, command);
    assert_true(outcome->status == STET_OK || outcome->status == STET_ALREADY_RESOLVED);
    tally.resolved += outcome->status == STET_OK;
    stet_command_destroy(command);
}

static void restart(void) {
    settle_down(true);
    close_engine();
    open_engine();
    tally.restarts++;
}

/* ---- Audit ------------------------------------------------------------------------------- */

struct line {
    uint64_t seq;
    stet_view type, id, by, key, data, merge;
    uint64_t version;
};

static struct {
    struct arena arena;
    struct line lines[LOG_MAX];
    size_t count;
} journal;

static void read_log(void) {
    struct store_reader *reader = store_writer_reader(((struct space *)space)->store);
    struct store_change rows[LOG_PAGE];
    size_t count = LOG_PAGE;
    uint64_t after = 0;
    arena_init(&journal.arena, 1 << 20);
    journal.count = 0;
    while (count > 0) {
        must(store_since(reader, &journal.arena, after, LOG_PAGE, 1 << 20, rows, &count, err));
        for (size_t i = 0; i < count; i++) {
            assert_true(journal.count < LOG_MAX);
            journal.lines[journal.count++] = (struct line){.seq = rows[i].seq,
                                                           .type = rows[i].type,
                                                           .id = rows[i].id,
                                                           .by = rows[i].by,
                                                           .key = rows[i].key,
                                                           .data = rows[i].data,
                                                           .merge = rows[i].merge,
                                                           .version = rows[i].version};
            after = rows[i].seq;
        }
    }
}

static bool is_of(const struct line *line, const char *type) {
    return view_equal(line->type, view_of(type));
}

static struct attempt *attempt_of(stet_view by, stet_view key) {
    char text[32];
    unsigned writer, attempt;
    snprintf(text, sizeof text, "%.*s %.*s", VIEW_ARG(by), VIEW_ARG(key));
    if (sscanf(text, "c%u a%u", &writer, &attempt) != 2) return NULL;
    assert_true(writer < WRITERS && attempt < ATTEMPTS_MAX);
    return &writers[writer].attempts[attempt];
}

static stet_view text_in(const struct line *line, const char *name) {
    struct doc doc;
    stet_view text = {0};
    must(doc_parse(&journal.arena, line->data, NULL, &doc, err));
    doc_node node = doc_member(&doc, 0, view_of(name));
    if (node == DOC_NONE) return text;
    if (doc_kind(&doc, node) != DOC_STRING) return doc_text(&doc, node);
    assert_int_equal(doc_string(&journal.arena, &doc, node, &text), STET_OK);
    return text;
}

/* The version of a record before this one. */
static const struct line *line_before(const struct line *line) {
    for (const struct line *before = line; before-- > journal.lines;)
        if (view_equal(before->id, line->id) && view_equal(before->type, line->type)) return before;
    return NULL;
}

static bool has_notice(const struct line *overwriting, stet_view person) {
    char seq[24];
    snprintf(seq, sizeof seq, "%llu", (unsigned long long)overwriting->seq);
    /* In the same transaction: right behind it. */
    const struct line *end = journal.lines + journal.count;
    for (const struct line *line = overwriting + 1; line < end && line < overwriting + 16; line++)
        if (is_of(line, "stet.conflict") && view_equal(text_in(line, "change_seq"), view_of(seq)) &&
            view_equal(text_in(line, "by"), person))
            return true;
    return false;
}

/* Each has one value, and every write gives it another: what stood there before is what was lost. */
static void audit_overwritten(void) {
    for (size_t i = 0; i < journal.count; i++) {
        const struct line *line = &journal.lines[i];
        bool overwrites = view_starts(line->merge, VIEW("{\"strategy\":\"last_writer_wins\""));
        if (!overwrites || is_of(line, "stet.conflict")) continue;
        const struct line *before = line_before(line);
        assert_non_null(before);
        if (view_equal(before->by, line->by) || has_notice(line, before->by)) continue;
        fail_msg("%.*s lost version %llu of %.*s/%.*s to seq %llu and was not told",
                 VIEW_ARG(before->by), (unsigned long long)before->version, VIEW_ARG(line->type),
                 VIEW_ARG(line->id), (unsigned long long)line->seq);
    }
}

/* The last version of each conflict's record says whether it waits. */
static int64_t count_open(void) {
    int64_t open = 0;
    for (size_t i = 0; i < journal.count; i++) {
        const struct line *line = &journal.lines[i];
        if (!is_of(line, "stet.conflict")) continue;
        bool last = true;
        for (size_t j = i + 1; j < journal.count && last; j++)
            last = !(is_of(&journal.lines[j], "stet.conflict") &&
                     view_equal(journal.lines[j].id, line->id));
        open += last && view_equal(text_in(line, "state"), VIEW("open"));
    }
    return open;
}

static void audit_log(void) {
    int64_t token = 0, hits[RECORDS] = {0}, expected = 0;
    for (size_t i = 0; i < journal.count; i++) {
        const struct line *line = &journal.lines[i];
        struct attempt *attempt = attempt_of(line->by, line->key);
        if (is_of(line, "stet.conflict")) {
            if (view_equal(text_in(line, "event"), VIEW("opened"))) {
                attempt = attempt_of(text_in(line, "by"), text_in(line, "writer_mutation_id"));
                assert_non_null(attempt);
                attempt->kept++;
            }
            continue;
        }
        if (attempt != NULL) attempt->changes++;
        if (is_of(line, "hits")) hits[line->id.bytes[0] - '0'] = number_in(line->data, "/n");
        if (is_of(line, "guarded") && attempt != NULL) {
            int64_t now = number_in(line->data, "/n");
            assert_true(now >= token);
            token = now;
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        for (unsigned a = 0; a < writers[i].attempt; a++) {
            const struct attempt *attempt = &writers[i].attempts[a];
            assert_int_equal(attempt->changes, attempt->fate == DONE);
            assert_int_equal(attempt->kept, attempt->fate == PARKED);
            expected += attempt->kind == HITS;
        }
    }
    for (unsigned i = 0; i < RECORDS; i++)
        expected -= hits[i];
    assert_int_equal(expected, 0);
}

static void audit(void) {
    char id[64];
    int64_t open;
    uint64_t findings;
    first_open(id, sizeof id, &open);
    read_log();
    audit_log();
    audit_overwritten();
    assert_int_equal(open, count_open());
    struct store_reader *reader = store_writer_reader(((struct space *)space)->store);
    must(store_check(reader, NULL, NULL, &findings, err));
    assert_int_equal(findings, 0);
    arena_done(&journal.arena);
}

/* ---- Rounds ------------------------------------------------------------------------------ */

static void simulate(const char *dir, uint64_t seed, unsigned steps) {
    data_dir = dir;
    entropy_seeded_init(&random_source, seed);
    clock_manual_init(&manual_clock, INT64_C(1700000000) * CLOCK_NS_PER_S);
    memset(writers, 0, sizeof writers);
    memset(&tally, 0, sizeof tally);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < WRITERS; i++) {
        snprintf(writers[i].name, sizeof writers[i].name, "c%u", i);
        writers[i].actor = (stet_actor){.id = view_of(writers[i].name)};
    }
    open_engine();
    for (unsigned kind = 0; kind < KINDS; kind++) {
        declare((enum kind)kind);
        for (unsigned i = 0; i < RECORDS; i++)
            create((enum kind)kind, i);
    }
    for (unsigned step = 0; step < steps; step++) {
        uint64_t what = draw(1000);
        if (what < 150) {
            engine_step(engine);
        } else if (what < 280) {
            engine_step_batch(engine, (struct space *)space, 1 + draw(3));
        } else if (what < 300) {
            clock_manual_advance(&manual_clock, (int64_t)draw(4 * CLOCK_NS_PER_S));
        } else if (what < 310) {
            take_lock(&writers[draw(WRITERS)]);
        } else if (what < 315) {
            resolve_one(&writers[draw(WRITERS)]);
        } else if (what < 322 && dir != NULL) {
            restart();
        } else {
            act(&writers[draw(WRITERS)]);
        }
    }
    for (unsigned i = 0; i < WRITERS; i++)
        while (writers[i].doing != READING) {
            act(&writers[i]);
            engine_step(engine);
        }
    audit();
    close_engine();
    print_message("%u steps: %u writes done, %u of them merged, %u parked, %u refused, %u answers "
                  "lost, %u conflicts resolved, %u restarts\n",
                  steps, tally.done, tally.merged, tally.parked, tally.refused, tally.lost,
                  tally.resolved, tally.restarts);
    assert_true(tally.done > 0 && tally.merged > 0 && tally.parked > 0 && tally.resolved > 0);
}

static uint64_t seed_of_run(void) {
    const char *seed = getenv("STET_SEED");
    return seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
}

static void what_is_settled_in_memory_is_accounted_for(void **state) {
    (void)state;
    unsigned rounds = getenv("STET_SOAK") != NULL ? 100 : 3;
    for (unsigned round = 0; round < rounds; round++)
        simulate(NULL, seed_of_run() + round, 5000);
}

static void what_is_settled_across_restarts_is_accounted_for(void **state) {
    (void)state;
    char folder[64];
    unsigned rounds = getenv("STET_SOAK") != NULL ? 50 : 2;
    for (unsigned round = 0; round < rounds; round++) {
        kit_folder(folder);
        simulate(folder, seed_of_run() + round, 5000);
        assert_true(tally.restarts > 0);
        kit_remove(folder);
    }
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_settled_in_memory_is_accounted_for),
        cmocka_unit_test(what_is_settled_across_restarts_is_accounted_for),
    };
    return cmocka_run_group_tests_name("settling", tests, NULL, NULL);
}
