#include "bench.h"

#include "base/arena.h"
#include "base/view.h"
#include "core/client.h"
#include "doc/doc.h"
#include "stet_wiring.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char vfs_name[] = "stet-fault";
static const stet_actor actor = {.id = {.bytes = "ann", .size = 3}, .admin = true};

/*
 * Every answer passes here (--wrap). The answers of a batch that committed something must find nothing in the log behind its last
 * sync. A batch that failed may have left rubbish there; the next commit writes over it.
 */
void __real_client_complete(stet_client *client, struct stet_command *first,
                            struct stet_command *last);
void __wrap_client_complete(stet_client *client, struct stet_command *first,
                            struct stet_command *last);
static struct bench *watched;

void __wrap_client_complete(stet_client *client, struct stet_command *first,
                            struct stet_command *last) {
    bool committed = false;
    for (const struct stet_command *command = first; command != NULL; command = command->next)
        committed = committed || command->staged_any;
    if (watched != NULL && committed) {
        watched->answers_watched++;
        if (fault_unsynced(watched->disk, "main.db-wal") > 0) watched->answered_unsynced = true;
    }
    __real_client_complete(client, first, last);
}

uint64_t bench_seed(void) {
    const char *seed = getenv("STET_SEED");
    return seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
}

static uint64_t draw(struct bench *bench, uint64_t below) {
    struct entropy_seeded seeded = {.state = 0};
    entropy_seeded_init(&seeded, bench->random++);
    return entropy_u64(&seeded.entropy) % below;
}

void bench_init(struct bench *bench, const char *folder, const char *synchronous, uint64_t seed) {
    *bench = (struct bench){.folder = folder, .synchronous = synchronous, .random = seed};
    bench->disk = fault_disk_create(vfs_name);
    if (bench->disk == NULL || sodium_init() < 0) abort();
    clock_manual_init(&bench->clock, INT64_C(1700000000) * CLOCK_NS_PER_S);
    entropy_seeded_init(&bench->entropy, seed);
    watched = bench;
}

void bench_done(struct bench *bench) {
    watched = NULL;
    fault_disk_destroy(bench->disk);
}

stet_status bench_open(struct bench *bench) {
    const struct engine_seams seams = {
        .clock = &bench->clock.clock,
        .entropy = &bench->entropy.entropy,
        .vfs = vfs_name,
        .synchronous = bench->synchronous,
        .wal_restart_bytes = 60000,
        .late_heads_max = 8,
        .manual = true,
    };
    const stet_options options = {.data_dir = bench->folder, .sequencer_threads = 1};
    stet_error err;
    bench->engine = NULL;
    bench->client = NULL;
    bench->space = NULL;
    stet_status status = engine_open(&options, &seams, stet_modules, &bench->engine, &err);
    if (status == STET_OK) status = stet_client_create(bench->engine, &bench->client, &err);
    if (status == STET_OK)
        status = stet_space_open(bench->client, VIEW("main"), &bench->space, &err);
    if (status != STET_OK) bench_close(bench);
    return status;
}

void bench_close(struct bench *bench) {
    if (bench->space != NULL) stet_space_close(bench->space);
    stet_client_destroy(bench->client);
    stet_close(bench->engine);
    bench->engine = NULL;
    bench->client = NULL;
    bench->space = NULL;
}

/* ---- Writing ----------------------------------------------------------------------------- */

struct shot {
    stet_command *command;
    unsigned write;
    unsigned record; /* Of the first mutation. */
};

static void record_id(unsigned record, char id[8]) { snprintf(id, 8, "r%u", record); }

/* The head's version; *deleted says whether that is a tombstone. 0: none, or it cannot be read. */
static stet_version head_of(struct bench *bench, unsigned record, bool *deleted) {
    char id[8];
    struct change *head = NULL;
    stet_version version = 0;
    record_id(record, id);
    *deleted = false;
    if (client_head(bench->client, (struct space *)bench->space, VIEW("task"), view_of(id), &head,
                    NULL) == STET_OK) {
        version = head->row.version;
        *deleted = change_is_delete(head);
        change_unref(head);
    }
    return version;
}

/* Submits write number `write` again or for the first time. */
static struct shot shoot(struct bench *bench, unsigned write, stet_mutation *mutations,
                         size_t count, unsigned record) {
    struct shot shot = {.write = write, .record = record};
    char key[24];
    stet_error err;
    snprintf(key, sizeof key, "w%u", write);
    shot.command = stet_command_create(bench->client);
    const stet_write asked = {.mutations = mutations,
                              .mutation_count = count,
                              .transaction = count > 1,
                              .mutation_key = view_of(key)};
    if (shot.command == NULL || stet_command_write(shot.command, &asked, &err) != STET_OK) abort();
    if (stet_submit(bench->space, &actor, shot.command, NULL, &err) != STET_OK) abort();
    return shot;
}

static bool is_refusal(stet_status status) {
    return status == STET_CONCURRENT_MODIFICATION || status == STET_NOT_FOUND ||
           status == STET_DELETED || status == STET_ALREADY_EXISTS ||
           status == STET_PRECONDITION_REQUIRED;
}

static void note_claim(struct bench *bench, const struct shot *shot, stet_view body) {
    struct arena arena;
    struct doc doc;
    uint64_t version;
    arena_init(&arena, 4096);
    if (doc_parse(&arena, body, NULL, &doc, NULL) == STET_OK) {
        doc_node node = doc_member(&doc, 0, VIEW("current_version"));
        if (node != DOC_NONE && doc_u64(&doc, node, &version) &&
            bench->claim_count < BENCH_CLAIMS_MAX) {
            bench->claims[bench->claim_count].record = shot->record;
            bench->claims[bench->claim_count++].version = version;
        }
    }
    arena_done(&arena);
}

/* Takes the answer in. False: the storage failed. */
static bool hear(struct bench *bench, const struct shot *shot) {
    const stet_outcome *outcome = stet_command_outcome(shot->command);
    stet_status status = outcome->status;
    bool stored = true;
    enum told *told = &bench->told[shot->write];
    if (status == STET_OK) {
        *told = TOLD_DONE;
    } else if (is_refusal(status)) {
        *told = TOLD_REFUSED;
        note_claim(bench, shot, outcome->body);
    } else {
        stored = false;
        bench->last_failure = status;
        snprintf(bench->last_message, sizeof bench->last_message, "%s", outcome->error.message);
        /* A failure before the commit says that nothing happened; a repeated write may have happened before. */
        bool open = status == STET_COMMIT_UNKNOWN || bench->power_gone || *told != TOLD_NOTHING;
        if (!open) *told = TOLD_REFUSED;
    }
    stet_command_destroy(shot->command);
    return stored;
}

static void finish(struct bench *bench) {
    engine_step(bench->engine);
    while (stet_client_next(bench->client) != NULL) {}
}

struct plan {
    stet_mutation mutations[3];
    char ids[3][8];
    char data[3][700];
    size_t count;
    unsigned record;
};

/* A put or a deletion from the head that `back` versions ago was the newest. */
static void plan_one(struct bench *bench, struct plan *plan, unsigned write, unsigned record,
                     unsigned back, bool may_delete) {
    size_t i = plan->count++;
    bool deleted;
    stet_version head = head_of(bench, record, &deleted);
    if (i == 0) plan->record = record;
    record_id(record, plan->ids[i]);
    snprintf(plan->data[i], sizeof plan->data[i], "{\"w\":%u,\"part\":%zu,\"fill\":\"%0*d\"}",
             write, i, (int)draw(bench, 600) + 1, 7);
    plan->mutations[i] = (stet_mutation){.op = STET_OP_PUT,
                                         .type = VIEW("task"),
                                         .id = view_of(plan->ids[i]),
                                         .body = view_of(plan->data[i])};
    if (head > back)
        plan->mutations[i].base = (stet_base){.kind = STET_BASE_VERSION, .value = head - back};
    if (may_delete && head > back && !deleted && draw(bench, 4) == 0) {
        plan->mutations[i].op = STET_OP_DELETE;
        plan->mutations[i].body = (stet_view){0};
    }
}

static unsigned new_write(struct bench *bench, unsigned parts) {
    if (bench->writes == BENCH_WRITES_MAX) abort();
    bench->parts[bench->writes] = parts;
    return bench->writes++;
}

bool bench_step(struct bench *bench) {
    struct plan plans[4] = {0};
    struct shot shots[6];
    size_t count = 0;
    unsigned first = (unsigned)draw(bench, BENCH_RECORDS);
    clock_manual_advance(&bench->clock, CLOCK_NS_PER_MS);

    unsigned write = new_write(bench, 1);
    plan_one(bench, &plans[0], write, first, 0, true);
    shots[count++] = shoot(bench, write, plans[0].mutations, 1, first);

    unsigned parts = 2 + (unsigned)draw(bench, 2);
    write = new_write(bench, parts);
    for (unsigned i = 0; i < parts; i++)
        plan_one(bench, &plans[1], write, (first + 1 + i) % BENCH_RECORDS, 0, true);
    shots[count++] = shoot(bench, write, plans[1].mutations, parts, plans[1].record);
    if (draw(bench, 2) == 0)
        shots[count++] = shoot(bench, write, plans[1].mutations, parts, plans[1].record);

    /* From a base that the first write of this very batch makes stale. */
    write = new_write(bench, 1);
    plan_one(bench, &plans[2], write, first, draw(bench, 2) == 0, false);
    shots[count++] = shoot(bench, write, plans[2].mutations, 1, first);

    finish(bench);
    bench->power_gone = bench->cuts_power && fault_happened(bench->disk);
    bool stored = true;
    for (size_t i = 0; i < count; i++)
        stored = hear(bench, &shots[i]) && stored;
    return stored;
}

stet_status bench_put(struct bench *bench, unsigned record, size_t bytes) {
    struct plan plan = {0};
    unsigned write = new_write(bench, 1);
    plan_one(bench, &plan, write, record, 0, false);
    char *data = malloc(bytes + 64);
    if (data == NULL) abort();
    int head = snprintf(data, 64, "{\"w\":%u,\"fill\":\"", write);
    memset(data + head, 'x', bytes);
    strcpy(data + head + bytes, "\"}");
    plan.mutations[0].body = view_of(data);
    struct shot shot = shoot(bench, write, plan.mutations, 1, record);
    free(data);
    finish(bench);
    bench->last_failure = STET_OK;
    hear(bench, &shot);
    return bench->last_failure != STET_OK    ? bench->last_failure
           : bench->told[write] == TOLD_DONE ? STET_OK
                                             : STET_CONCURRENT_MODIFICATION;
}

/* ---- Audit ------------------------------------------------------------------------------- */

struct audit {
    struct bench *bench;
    struct arena arena;
    unsigned seen[BENCH_WRITES_MAX];
    stet_version newest[BENCH_RECORDS];
    const char *wrong;
};

/* Runs a filled command; its answer parsed. False: it failed. */
static bool ask(struct audit *audit, stet_command *command, struct doc *doc, stet_status *status) {
    stet_error err;
    *status = stet_submit(audit->bench->space, &actor, command, NULL, &err);
    if (*status != STET_OK) return false;
    if (!stet_command_is_done(command)) finish(audit->bench);
    const stet_outcome *outcome = stet_command_outcome(command);
    *status = outcome->status;
    stet_view body = arena_copy(&audit->arena, outcome->body);
    stet_command_destroy(command);
    return doc_parse(&audit->arena, body, NULL, doc, &err) == STET_OK && *status == STET_OK;
}

static uint64_t number_at(const struct doc *doc, doc_node object, stet_view name) {
    uint64_t number = UINT64_MAX;
    doc_node node = doc_member(doc, object, name);
    if (node != DOC_NONE) doc_u64(doc, node, &number);
    return number;
}

static void audit_change(struct audit *audit, const struct doc *doc, doc_node change) {
    stet_view key, op;
    unsigned write;
    doc_node node = doc_member(doc, change, VIEW("client_mutation_id"));
    if (node == DOC_NONE || doc_string(&audit->arena, doc, node, &key) != STET_OK ||
        sscanf(key.bytes, "w%u", &write) != 1 || write >= audit->bench->writes) {
        audit->wrong = "a change nobody wrote";
        return;
    }
    audit->seen[write]++;
    node = doc_member(doc, change, VIEW("op"));
    if (node == DOC_NONE || doc_string(&audit->arena, doc, node, &op) != STET_OK ||
        view_equal(op, VIEW("delete")))
        return;
    node = doc_member(doc, change, VIEW("data"));
    if (node == DOC_NONE || number_at(doc, node, VIEW("w")) != write)
        audit->wrong = "a change with the data of another write";
}

static void audit_record(struct audit *audit, unsigned record) {
    char id[8];
    struct doc doc;
    stet_status status;
    stet_command *command = stet_command_create(audit->bench->client);
    record_id(record, id);
    const stet_history history = {
        .type = VIEW("task"), .id = view_of(id), .limit = 1000, .data = true};
    if (command == NULL || stet_command_history(command, &history, NULL) != STET_OK) abort();
    if (!ask(audit, command, &doc, &status)) {
        if (status != STET_NOT_FOUND) audit->wrong = "a history cannot be read";
        return;
    }
    uint64_t expected = 0;
    doc_node changes = doc_member(&doc, 0, VIEW("changes"));
    for (doc_node change = doc_first(&doc, changes); change != DOC_NONE;
         change = doc_next(&doc, change)) {
        uint64_t version = number_at(&doc, change, VIEW("version"));
        if (expected == 0) audit->newest[record] = version;
        if (expected != 0 && version != expected) audit->wrong = "versions with a gap";
        expected = version - 1;
        audit_change(audit, &doc, change);
    }
    if (expected != 0) audit->wrong = "a record without its first version";
}

/* The keys must say what the changes say. */
static void audit_key(struct audit *audit, unsigned write) {
    char key[24];
    struct doc doc;
    stet_status status;
    stet_view state = {0};
    stet_command *command = stet_command_create(audit->bench->client);
    snprintf(key, sizeof key, "w%u", write);
    if (command == NULL || stet_command_receipt(command, view_of(key), NULL) != STET_OK) abort();
    if (!ask(audit, command, &doc, &status) ||
        doc_string(&audit->arena, &doc, doc_member(&doc, 0, VIEW("status")), &state) != STET_OK) {
        audit->wrong = "a receipt cannot be read";
    } else if (view_equal(state, VIEW("confirmed")) != (audit->seen[write] > 0)) {
        audit->wrong = "a key that disagrees with the changes";
    }
}

static void audit_check(struct audit *audit) {
    struct doc doc;
    stet_status status;
    bool ok = false;
    stet_command *command = stet_command_create(audit->bench->client);
    if (command == NULL || stet_command_check(command, NULL) != STET_OK) abort();
    if (!ask(audit, command, &doc, &status) ||
        !doc_bool(&doc, doc_member(&doc, 0, VIEW("ok")), &ok) || !ok)
        audit->wrong = "the check of the space has findings";
}

const char *bench_audit(struct bench *bench) {
    struct audit audit = {.bench = bench};
    arena_init(&audit.arena, 65536);
    for (unsigned record = 0; record < BENCH_RECORDS && audit.wrong == NULL; record++)
        audit_record(&audit, record);
    for (unsigned write = 0; write < bench->writes && audit.wrong == NULL; write++) {
        unsigned seen = audit.seen[write], parts = bench->parts[write];
        if (seen != 0 && seen != parts) audit.wrong = "a write in part, or twice";
        if (bench->told[write] == TOLD_DONE && seen == 0) audit.wrong = "a lost write";
        if (bench->told[write] == TOLD_REFUSED && seen != 0) audit.wrong = "a refused write";
        if (audit.wrong == NULL) audit_key(&audit, write);
    }
    for (unsigned i = 0; i < bench->claim_count && audit.wrong == NULL; i++)
        if (bench->claims[i].version > audit.newest[bench->claims[i].record])
            audit.wrong = "a refusal quoted a version that is not there";
    if (audit.wrong == NULL) audit_check(&audit);
    arena_done(&audit.arena);
    return audit.wrong;
}
