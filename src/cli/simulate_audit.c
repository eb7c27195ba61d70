/*
 * The audit: reads the whole history of each record, newest first, and holds it against the ledgers.
 *
 *   1. Every acknowledged write is in the history of its record: with its key, once, under the version that was answered,
 *      by the actor who sent it.
 *   2. Versions run from 1 to the newest without a gap, and each was written by one of us.
 *   3. Each version differs from the one before by what its writer did, and by nothing else: a count by the amount, a document
 *      by one field. So no edit took another one back.
 *   4. A counter that is read now stands at the sum of what was acknowledged: the same claim without the history.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/answer.h"
#include "cli/progress.h"
#include "cli/simulate.h"

#include <stdlib.h>

enum { PAGE = 1000, FIELD_BYTES = 48 };

/* A version's data, as far as we wrote it. */
struct state {
    uint64_t version;
    struct sim_write *write; /* NULL: nobody of us. */
    bool deleted;
    int64_t count;
    char fields[SIM_FIELDS][FIELD_BYTES];
};

struct auditor {
    struct sim *sim;
    struct sim_audit *audit;
    struct sim_write **writes; /* Of all users, by record and key. */
    size_t count;
};

/* ---- The ledgers as one ---- */

static int compare_key(const struct sim_write *a, uint32_t record, const uint8_t *key) {
    if (a->record != record) return a->record < record ? -1 : 1;
    return memcmp(a->key, key, UUID_BYTES);
}

static int compare(const void *left, const void *right) {
    const struct sim_write *a = *(struct sim_write *const *)left;
    const struct sim_write *b = *(struct sim_write *const *)right;
    return compare_key(a, b->record, b->key);
}

/* The first write that does not stand before this place. */
static size_t position(const struct auditor *auditor, uint32_t record, const uint8_t *key) {
    size_t low = 0;
    size_t high = auditor->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_key(auditor->writes[middle], record, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct sim_write *find_write(const struct auditor *auditor, uint32_t record,
                                    stet_view key_text) {
    uint8_t key[UUID_BYTES];
    if (!uuid_parse(key_text, key)) return NULL;
    size_t at = position(auditor, record, key);
    if (at == auditor->count || compare_key(auditor->writes[at], record, key) != 0) return NULL;
    return auditor->writes[at];
}

static stet_status gather(struct auditor *auditor, stet_error *err) {
    struct sim *sim = auditor->sim;
    size_t count = 0;
    for (uint32_t i = 0; i < sim->user_count; i++)
        count += sim->users[i].ledger.count;
    auditor->writes = malloc((count + 1) * sizeof(struct sim_write *));
    if (auditor->writes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < sim->user_count; i++) {
        struct sim_ledger *ledger = &sim->users[i].ledger;
        for (size_t n = 0; n < ledger->count; n++)
            auditor->writes[auditor->count++] = &ledger->writes[n];
    }
    qsort(auditor->writes, auditor->count, sizeof(struct sim_write *), compare);
    return STET_OK;
}

/* ---- One version ---- */

static void read_state(struct arena *arena, const struct doc *doc, doc_node change,
                       struct state *state) {
    doc_node data = answer_member(doc, change, "data");
    char name[8];
    *state = (struct state){.version = answer_u64(doc, change, "version")};
    state->deleted = view_equal(answer_text(arena, doc, change, "op"), VIEW("delete"));
    stet_view count = arena_copy(arena, answer_text(arena, doc, data, "count"));
    if (count.bytes != NULL) state->count = strtoll(count.bytes, NULL, 10);
    for (unsigned i = 0; i < SIM_FIELDS; i++) {
        snprintf(name, sizeof name, "f%u", i);
        stet_view text = answer_text(arena, doc, data, name);
        snprintf(state->fields[i], FIELD_BYTES, "%.*s", VIEW_ARG(text));
    }
}

/* Holds a change against the write that has its key. */
static void judge_write(struct auditor *auditor, uint32_t record, const char *name,
                        struct arena *arena, const struct doc *doc, doc_node change,
                        struct state *state) {
    struct sim_findings *findings = &auditor->audit->findings;
    stet_view key = answer_text(arena, doc, change, "client_mutation_id");
    stet_view by = answer_text(arena, doc, change, "by");
    unsigned long long version = state->version;
    struct sim_write *write = find_write(auditor, record, key);
    if (write == NULL) {
        sim_find(findings,
                 "%s: version %llu was written by nobody here (key \"%.*s\", by \"%.*s\")", name,
                 version, VIEW_ARG(key), VIEW_ARG(by));
        return;
    }
    if (write->found_at != 0) {
        write->found_also = version;
        sim_find(findings,
                 "%s: the write with key %.*s took effect twice, as version %llu and %llu", name,
                 VIEW_ARG(key), version, (unsigned long long)write->found_at);
        return;
    }
    write->found_at = version;
    state->write = write;
    const char *actor = auditor->sim->users[write->user].actor;
    if (!view_equal(by, view_of(actor))) {
        sim_find(findings, "%s: version %llu is by \"%.*s\", but \"%s\" wrote it", name, version,
                 VIEW_ARG(by), actor);
    }
    if (write->acknowledged && write->version != version) {
        sim_find(findings,
                 "%s: the write with key %.*s was acknowledged as version %llu and is version %llu",
                 name, VIEW_ARG(key), (unsigned long long)write->version, version);
    }
    if (state->deleted != (write->effect == SIM_DELETED)) {
        sim_find(findings, "%s: version %llu %s, which its writer did not ask for", name, version,
                 state->deleted ? "deletes the record" : "does not delete the record");
    }
}

/* Holds a version against the one before it. */
static void judge_step(struct auditor *auditor, const char *name, const struct state *before,
                       const struct state *after) {
    struct sim_findings *findings = &auditor->audit->findings;
    const struct sim_write *write = after->write;
    unsigned long long version = after->version;
    if (write == NULL || before->version + 1 != after->version) return; /* Was said already. */
    if (write->effect == SIM_ADDED && after->count != before->count + write->amount) {
        sim_find(findings,
                 "%s: version %llu has count %lld; %lld added to the %lld before make %lld", name,
                 version, (long long)after->count, (long long)write->amount,
                 (long long)before->count, (long long)(before->count + write->amount));
    }
    if (write->effect != SIM_EDITED) return;
    for (unsigned i = 0; i < SIM_FIELDS; i++) {
        char key[UUID_TEXT_BYTES + 1] = {0};
        uuid_format(write->key, key);
        const char *wanted = i == (unsigned)write->amount ? key : before->fields[i];
        if (strcmp(after->fields[i], wanted) == 0) continue;
        sim_find(findings, "%s: version %llu has \"%s\" in f%u and should have \"%s\"", name,
                 version, after->fields[i], i, wanted);
    }
}

/* ---- One record ---- */

struct history {
    struct state newer; /* The version looked at last; version 0: none yet. */
    uint64_t newest;
    int64_t newest_count;
};

static void judge_change(struct auditor *auditor, uint32_t record, const char *name,
                         struct arena *arena, const struct doc *doc, doc_node change,
                         struct history *history) {
    struct state state;
    read_state(arena, doc, change, &state);
    auditor->audit->versions++;
    if (history->newest == 0) {
        history->newest = state.version;
        history->newest_count = state.count;
    } else {
        for (uint64_t gone = history->newer.version - 1; gone > state.version; gone--)
            sim_find(&auditor->audit->findings, "%s: version %llu is missing from the history",
                     name, (unsigned long long)gone);
    }
    judge_write(auditor, record, name, arena, doc, change, &state);
    if (history->newer.version != 0) judge_step(auditor, name, &state, &history->newer);
    history->newer = state;
}

/* An answer, or 404: to the audit that what was acknowledged is not there at all is a finding like others. */
static int get(struct auditor *auditor, struct buffer *path, struct arena *arena,
               struct answer *answer, struct doc *doc) {
    struct cli *cli = auditor->sim->cli;
    stet_error err;
    buffer_append_char(path, '\0');
    stet_status status = buffer_status(path);
    struct call call = {.method = "GET", .path = path->bytes, .repeatable = true};
    if (status != STET_OK) error_set(&err, status, "out of memory");
    if (status == STET_OK) status = peer_call(cli->peer, &call, arena, answer, &err);
    if (status == STET_OK && answer->http != 200 && answer->http != 404)
        return cli_refuse(cli, arena, answer);
    if (status == STET_OK) status = answer_parse(arena, answer->body, doc, &err);
    return status == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

/* All pages of a record's history. */
static int read_history(struct auditor *auditor, uint32_t record, const char *name,
                        struct history *history) {
    struct arena arena;
    uint64_t before = 0;
    int code = EXIT_DONE;
    arena_init(&arena, 64 * 1024);
    do {
        struct buffer path;
        struct answer answer;
        struct doc doc;
        arena_reset(&arena);
        buffer_init(&path, &arena, 0);
        buffer_append_view(&path, sim_path(auditor->sim, &arena, record));
        buffer_append_format(&path, "/history?data=1&limit=%d", PAGE);
        if (before != 0) cli_query_u64(&path, "before", before);
        code = get(auditor, &path, &arena, &answer, &doc);
        if (code != EXIT_DONE || answer.http == 404) break;
        doc_node changes = answer_member(&doc, 0, "changes");
        for (doc_node change = changes == DOC_NONE ? DOC_NONE : doc_first(&doc, changes);
             change != DOC_NONE; change = doc_next(&doc, change))
            judge_change(auditor, record, name, &arena, &doc, change, history);
        uint64_t next = answer_u64(&doc, 0, "next");
        if (next != 0 && before != 0 && next >= before) next = 0; /* It would never end. */
        before = next;
    } while (before != 0);
    for (uint64_t gone = history->newer.version; code == EXIT_DONE && gone > 1; gone--)
        sim_find(&auditor->audit->findings, "%s: version %llu is missing from the history", name,
                 (unsigned long long)(gone - 1));
    arena_done(&arena);
    return code;
}

/* The writes of this record that were acknowledged and are not there. */
static void judge_lost(struct auditor *auditor, uint32_t record, const char *name, int64_t *sum) {
    static const uint8_t first[UUID_BYTES] = {0};
    for (size_t i = position(auditor, record, first);
         i < auditor->count && auditor->writes[i]->record == record; i++) {
        const struct sim_write *write = auditor->writes[i];
        char key[UUID_TEXT_BYTES + 1] = {0};
        bool counts = write->acknowledged || write->found_at != 0;
        if (write->effect == SIM_ADDED && counts) *sum += write->amount;
        if (write->acknowledged) auditor->audit->acknowledged++;
        if (!write->acknowledged) auditor->audit->unanswered++;
        if (!write->acknowledged && write->found_at != 0) auditor->audit->happened++;
        if (!write->acknowledged || write->found_at != 0) continue;
        uuid_format(write->key, key);
        sim_find(&auditor->audit->findings,
                 "%s: version %llu was acknowledged to %s (key %s) and is not in the history", name,
                 (unsigned long long)write->version, auditor->sim->users[write->user].actor, key);
    }
}

/* What a plain read says now. */
static int judge_now(struct auditor *auditor, uint32_t record, const char *name,
                     const struct history *history, int64_t sum) {
    struct sim_findings *findings = &auditor->audit->findings;
    enum sim_kind kind = sim_kind_of(auditor->sim, record);
    struct arena arena;
    struct buffer path;
    struct answer answer;
    struct doc doc;
    arena_init(&arena, 4096);
    buffer_init(&path, &arena, 0);
    buffer_append_view(&path, sim_path(auditor->sim, &arena, record));
    int code = get(auditor, &path, &arena, &answer, &doc);
    if (code == EXIT_DONE) {
        uint64_t version = answer_u64(&doc, 0, "version");
        stet_view count =
            arena_copy(&arena, answer_text(&arena, &doc, answer_member(&doc, 0, "data"), "count"));
        if (version != history->newest) {
            sim_find(findings, "%s: the record is at version %llu, its history ends with %llu",
                     name, (unsigned long long)version, (unsigned long long)history->newest);
        }
        if ((kind == SIM_COUNTERS || kind == SIM_STOCK) &&
            (count.size == 0 || strtoll(count.bytes, NULL, 10) != sum)) {
            sim_find(findings, "%s: the count is %.*s; what was acknowledged adds up to %lld", name,
                     VIEW_ARG(count), (long long)sum);
        }
    }
    arena_done(&arena);
    return code;
}

/* Whether anybody wrote it, or may have. */
static bool is_used(const struct auditor *auditor, uint32_t record) {
    static const uint8_t first[UUID_BYTES] = {0};
    size_t at = position(auditor, record, first);
    return at < auditor->count && auditor->writes[at]->record == record;
}

/* Not even a tombstone: possible where no write was acknowledged. */
static bool is_there(const struct auditor *auditor, uint32_t record) {
    static const uint8_t first[UUID_BYTES] = {0};
    for (size_t i = position(auditor, record, first);
         i < auditor->count && auditor->writes[i]->record == record; i++) {
        if (auditor->writes[i]->acknowledged) return true;
    }
    return false;
}

static int judge_record(struct auditor *auditor, uint32_t record) {
    struct history history = {0};
    char name[SIM_NAME_BYTES];
    int64_t sum = 0;
    sim_name(auditor->sim, record, name);
    if (!is_used(auditor, record)) return EXIT_DONE;
    int code =
        is_there(auditor, record) ? read_history(auditor, record, name, &history) : EXIT_DONE;
    if (code == EXIT_DONE) judge_lost(auditor, record, name, &sum);
    if (code == EXIT_DONE && history.newest != 0)
        code = judge_now(auditor, record, name, &history, sum);
    auditor->audit->records++;
    return code;
}

int sim_audit_run(struct sim *sim, struct sim_audit *audit) {
    struct auditor auditor = {.sim = sim, .audit = audit};
    struct progress progress;
    stet_error err;
    int code = EXIT_DONE;
    uint32_t total = sim->records * SIM_KINDS;
    *audit = (struct sim_audit){0};
    for (uint32_t i = 0; i < sim->user_count; i++) {
        const struct sim_findings *findings = &sim->users[i].findings;
        for (uint64_t n = 0; n < findings->count && n < SIM_FINDINGS_SHOWN; n++)
            sim_find(&audit->findings, "%s", findings->texts[n]);
        if (findings->count > SIM_FINDINGS_SHOWN)
            audit->findings.count += findings->count - SIM_FINDINGS_SHOWN;
    }
    if (gather(&auditor, &err) != STET_OK) return cli_fail(sim->cli, &err);
    progress_init(&progress, &sim->cli->errors, sim->cli->json, clock_system());
    progress_begin(&progress, "Auditing", "records", total);
    for (uint32_t record = 0; record < total && code == EXIT_DONE; record++) {
        code = judge_record(&auditor, record);
        progress_set(&progress, record + 1);
    }
    progress_end(&progress);
    free(auditor.writes);
    return code;
}
