/*
 * The scenario "records": four kinds of shared records. Each write changes something by which the audit knows it again:
 *
 *     counters   {"count", "last"}   read, add, write with If-Match; a transfer moves between two in one transaction
 *     stock      {"count"}           the type merges: /count delta
 *     documents  {"f0" … "f7"}       one field is edited; edits of different fields merge
 *     drafts     {"last"}            created when absent, deleted when there
 *
 * values[0] of a write is what it added, or the number of the field that it edited.
 */
#include "base/view.h"
#include "cli/simulate.h"

#include <stdlib.h>

enum kind { COUNTERS, STOCK, DOCUMENTS, DRAFTS, KINDS };
enum work { READ = SIM_READ, ADD, TRANSFER, MERGE, EDIT, LIFE, WORKS };
enum effect { CREATED, ADDED, EDITED, DELETED };
enum { FIELDS = 8, FIELD_BYTES = 48, AMOUNT_MAX = 9 };

/* Without an administrator nothing is declared: documents merge because nothing is said, and counters reject. */
static const struct sim_kind kinds[KINDS] = {
    [COUNTERS] = {"counters", "{\"on_conflict\": \"reject\"}"},
    [STOCK] = {"stock",
               "{\"on_conflict\": \"merge\", \"fields\": {\"/count\": {\"merge\": \"delta\"}}}"},
    [DOCUMENTS] = {"documents", "{\"on_conflict\": \"merge\"}"},
    [DRAFTS] = {"drafts", "{\"on_conflict\": \"reject\"}"},
};

static const struct sim_work works[WORKS] = {
    [READ] = {"read", "read", false},
    [ADD] = {"add to a counter", "add", false},
    [TRANSFER] = {"move between two counters", "transfer", false},
    [MERGE] = {"add where a rule merges", "merge", true},
    [EDIT] = {"edit a field", "edit", false},
    [LIFE] = {"create or delete", "life", false},
};

/* What a user has read of a record. */
struct seen {
    uint64_t version;
    int64_t count;
    bool there;
};

static bool user_read(struct sim_user *user, uint32_t record, struct seen *seen) {
    struct sim_sending sending;
    enum sim_presence presence =
        sim_kind_of(record) == DRAFTS ? SIM_MAY_BE_ABSENT : SIM_ALWAYS_THERE;
    enum sim_sent sent = sim_read(user, record, presence, &sending, &seen->version);
    if (sent != SIM_DONE && sent != SIM_ABSENT) return false;
    seen->there = sent == SIM_DONE;
    stet_view count = {0};
    if (seen->there)
        count = answer_text(&user->arena, &sending.doc, answer_member(&sending.doc, 0, "data"),
                            "count");
    seen->count = count.size > 0 ? strtoll(arena_copy(&user->arena, count).bytes, NULL, 10) : 0;
    return true;
}

static void write_begin(struct sim_user *user, struct sim_write *write, uint32_t record,
                        enum effect effect, int64_t amount, char key[SIM_KEY_BYTES]) {
    sim_write_begin(user, write, record, key);
    write->effect = (uint8_t)effect;
    write->deletes = effect == DELETED;
    write->values[0] = amount;
}

/* Stock has the count alone: another field would be overwritten, and its writer told by a notice. */
static stet_view count_body(struct sim_user *user, uint32_t record, int64_t count,
                            const char *key) {
    if (sim_kind_of(record) == STOCK)
        return arena_format(&user->arena, "{\"count\": %lld}", (long long)count);
    return arena_format(&user->arena, "{\"count\": %lld, \"last\": \"%s\"}", (long long)count, key);
}

/* Adds to a counter, or to a stock, where the type's rule adds it to whatever stands there by then. */
static enum sim_sent attempt_add(struct sim_user *user, enum work work, uint32_t record) {
    char key[SIM_KEY_BYTES];
    char condition[SIM_HEADER_BYTES];
    struct sim_write write;
    struct seen seen;
    int64_t amount = 1 + (int64_t)sim_pick(user, AMOUNT_MAX);
    if (!user_read(user, record, &seen)) return SIM_WRONG;
    sim_think(user);
    write_begin(user, &write, record, ADDED, amount, key);
    stet_view body = count_body(user, record, seen.count + amount, key);
    return sim_write_one(user, work, "PUT", "application/json", body,
                         sim_if_match(condition, seen.version), &write, key, NULL);
}

static enum sim_sent attempt_edit(struct sim_user *user, uint32_t record) {
    char key[SIM_KEY_BYTES];
    char condition[SIM_HEADER_BYTES];
    struct sim_write write;
    struct seen seen;
    uint64_t field = sim_pick(user, FIELDS);
    if (!user_read(user, record, &seen)) return SIM_WRONG;
    sim_think(user);
    write_begin(user, &write, record, EDITED, (int64_t)field, key);
    stet_view body = arena_format(&user->arena, "{\"f%u\": \"%s\"}", (unsigned)field, key);
    return sim_write_one(user, EDIT, "PATCH", "application/merge-patch+json", body,
                         sim_if_match(condition, seen.version), &write, key, NULL);
}

static enum sim_sent create(struct sim_user *user, enum work work, uint32_t record) {
    char key[SIM_KEY_BYTES];
    struct sim_write write;
    stet_view body;
    write_begin(user, &write, record, CREATED, 0, key);
    if (sim_kind_of(record) == DOCUMENTS) {
        struct buffer fields;
        buffer_init(&fields, &user->arena, 0);
        for (unsigned i = 0; i < FIELDS; i++)
            buffer_append_format(&fields, "%s\"f%u\": \"\"", i == 0 ? "{" : ", ", i);
        buffer_append_char(&fields, '}');
        body = buffer_status(&fields) == STET_OK ? buffer_view(&fields) : (stet_view){0};
    } else {
        body = count_body(user, record, 0, key);
    }
    return sim_write_one(user, work, "PUT", "application/json", body, "If-None-Match: *", &write,
                         key, NULL);
}

static enum sim_sent attempt_life(struct sim_user *user, uint32_t record) {
    char key[SIM_KEY_BYTES];
    char condition[SIM_HEADER_BYTES];
    struct sim_write write;
    struct seen seen;
    if (!user_read(user, record, &seen)) return SIM_WRONG;
    sim_think(user);
    if (!seen.there) return create(user, LIFE, record);
    write_begin(user, &write, record, DELETED, 0, key);
    return sim_write_one(user, LIFE, "DELETE", NULL, (stet_view){0},
                         sim_if_match(condition, seen.version), &write, key, NULL);
}

/* One transaction takes from one counter and gives to another. */
static enum sim_sent attempt_transfer(struct sim_user *user, const uint32_t records[2]) {
    char key[SIM_KEY_BYTES];
    struct sim_write writes[2];
    struct seen seen[2];
    struct buffer body;
    int64_t amount = 1 + (int64_t)sim_pick(user, AMOUNT_MAX);
    for (unsigned i = 0; i < 2; i++) {
        if (!user_read(user, records[i], &seen[i])) return SIM_WRONG;
    }
    sim_think(user);
    buffer_init(&body, &user->arena, 0);
    write_begin(user, &writes[0], records[0], ADDED, -amount, key);
    writes[1] = writes[0];
    writes[1].record = records[1];
    writes[1].values[0] = amount;
    buffer_append_format(&body, "{\"client_mutation_id\": \"%s\", \"mutations\": [", key);
    for (unsigned i = 0; i < 2; i++)
        buffer_append_format(
            &body,
            "%s{\"op\": \"put\", \"type\": \"%s%s\", \"id\": \"%u\", "
            "\"base_version\": %llu, \"data\": {\"count\": %lld, \"last\": \"%s\"}}",
            i == 0 ? "" : ", ", user->sim->prefix, kinds[COUNTERS].name,
            (unsigned)sim_number_of(records[i]), (unsigned long long)seen[i].version,
            (long long)(seen[i].count + writes[i].values[0]), key);
    buffer_append_text(&body, "]}");
    if (buffer_status(&body) != STET_OK) return SIM_WRONG;
    return sim_transact(user, TRANSFER, buffer_view(&body), writes, 2);
}

/* ---- One after the other ---- */

static enum work choose_work(struct sim_user *user) {
    uint64_t number = sim_pick(user, 100);
    if (number < 30) return ADD;
    if (number < 50) return user->sim->has_rules ? MERGE : ADD;
    if (number < 80) return EDIT;
    if (number < 90 || user->sim->records < 2) return LIFE;
    return TRANSFER;
}

static enum kind kind_of_work(enum work work) {
    switch (work) {
    case MERGE: return STOCK;
    case EDIT: return DOCUMENTS;
    case LIFE: return DRAFTS;
    case READ:
    case ADD:
    case TRANSFER:
    case WORKS: break;
    }
    return COUNTERS;
}

static void begin(struct sim_user *user, struct sim_task *task) {
    uint32_t records = user->sim->records;
    enum work work = choose_work(user);
    uint32_t first = (uint32_t)sim_pick(user, records);
    /* Another one, whatever the first is. */
    uint32_t second = (first + 1 + (uint32_t)sim_pick(user, records - 1)) % records;
    task->work = work;
    task->records[0] = sim_record(kind_of_work(work), first);
    task->records[1] = sim_record(kind_of_work(work), second);
}

static enum sim_sent attempt(struct sim_user *user, struct sim_task *task) {
    enum work work = (enum work)task->work;
    switch (work) {
    case EDIT: return attempt_edit(user, task->records[0]);
    case LIFE: return attempt_life(user, task->records[0]);
    case TRANSFER: return attempt_transfer(user, task->records);
    case ADD:
    case MERGE: return attempt_add(user, work, task->records[0]);
    case READ:
    case WORKS: break;
    }
    return SIM_WRONG;
}

static bool prepare(struct sim_user *first) {
    struct sim *sim = first->sim;
    for (unsigned kind = 0; kind < KINDS; kind++)
        sim->counts[kind] = sim->records;
    for (unsigned kind = 0; kind < DRAFTS; kind++) {
        if (kind == STOCK && !sim->has_rules) continue;
        for (uint32_t i = 0; i < sim->records; i++) {
            char name[SIM_NAME_BYTES];
            arena_reset(&first->arena);
            if (create(first, LIFE, sim_record(kind, i)) == SIM_DONE) continue;
            sim_name(sim, sim_record(kind, i), name);
            if (first->findings.count == 0)
                sim_find(&first->findings, "%s could not be created", name);
            return false;
        }
    }
    return true;
}

/* ---- The audit ---- */

struct state {
    int64_t count;
    bool has_count;
    char fields[FIELDS][FIELD_BYTES];
};

static void read_state(struct arena *arena, const struct doc *doc, doc_node data, unsigned kind,
                       void *out) {
    struct state *state = out;
    char name[8];
    (void)kind;
    stet_view count = arena_copy(arena, answer_text(arena, doc, data, "count"));
    state->has_count = count.size > 0;
    if (count.bytes != NULL) state->count = strtoll(count.bytes, NULL, 10);
    for (unsigned i = 0; i < FIELDS; i++) {
        snprintf(name, sizeof name, "f%u", i);
        stet_view text = answer_text(arena, doc, data, name);
        snprintf(state->fields[i], FIELD_BYTES, "%.*s", VIEW_ARG(text));
    }
}

/* Each version differs from the one before by what its writer did, and by nothing else. */
static stet_status judge_step(struct sim *sim, struct sim_audit *audit, uint32_t record,
                              const char *name, const struct sim_version *before_version,
                              const struct sim_version *after_version) {
    const struct sim_write *write = after_version->write;
    unsigned long long version = after_version->version;
    (void)sim;
    (void)record;
    if (before_version == NULL || write == NULL) return STET_OK;
    const struct state *before = before_version->data;
    const struct state *after = after_version->data;
    int64_t amount = write->values[0];
    if (write->effect == ADDED && after->count != before->count + amount) {
        sim_find(&audit->findings,
                 "%s: version %llu has count %lld; %lld added to the %lld before make %lld", name,
                 version, (long long)after->count, (long long)amount, (long long)before->count,
                 (long long)(before->count + amount));
    }
    if (write->effect != EDITED) return STET_OK;
    for (unsigned i = 0; i < FIELDS; i++) {
        char key[SIM_KEY_BYTES] = {0};
        uuid_format(write->key, key);
        const char *wanted = i == (unsigned)amount ? key : before->fields[i];
        if (strcmp(after->fields[i], wanted) == 0) continue;
        sim_find(&audit->findings, "%s: version %llu has \"%s\" in f%u and should have \"%s\"",
                 name, version, after->fields[i], i, wanted);
    }
    return STET_OK;
}

static void add(const struct sim *sim, const struct sim_write *write,
                int64_t sums[SIM_VALUES_MAX]) {
    (void)sim;
    if (write->effect == ADDED) sums[0] += write->values[0];
}

static stet_status judge_now(struct sim *sim, struct sim_audit *audit, uint32_t record,
                             const char *name, const void *now_data, const void *newest,
                             const int64_t sums[SIM_VALUES_MAX]) {
    const struct state *now = now_data;
    unsigned kind = sim_kind_of(record);
    (void)sim;
    (void)newest;
    if (kind != COUNTERS && kind != STOCK) return STET_OK;
    if (now->has_count && now->count == sums[0]) return STET_OK;
    sim_find(&audit->findings, "%s: the count is %lld; what was acknowledged adds up to %lld", name,
             (long long)now->count, (long long)sums[0]);
    return STET_OK;
}

const struct sim_scenario sim_records = {
    .name = "records",
    .kinds = kinds,
    .kind_count = KINDS,
    .works = works,
    .work_count = WORKS,
    .held = "all are in the history, all counts add up, no version is missing",
    .prepare = prepare,
    .begin = begin,
    .attempt = attempt,
    .state_bytes = sizeof(struct state),
    .read_state = read_state,
    .judge_step = judge_step,
    .add = add,
    .judge_now = judge_now,
};
