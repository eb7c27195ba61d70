/*
 * The audit: reads the whole history of each record, newest first, and holds it against the ledgers.
 *
 *   1. Every acknowledged write is in the history of its record: with its key, once, under the version that was answered,
 *      by the actor who sent it.
 *   2. Versions run from 1 to the newest without a gap, and each was written by one of us.
 *   3. Each version differs from the one before by what its writer did, and by nothing else; the scenario says by what. So no
 *      edit took another one back.
 *   4. What is read now stands at the sum of what was acknowledged: the same claim without the history.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/answer.h"
#include "cli/progress.h"
#include "cli/simulate.h"

#include <stdlib.h>

enum { PAGE = 1000, STATE_BYTES_MAX = 512 };

/* A version, with what the scenario reads from it. */
struct state {
    struct sim_version version;
    _Alignas(int64_t) char data[STATE_BYTES_MAX];
};

struct auditor {
    struct sim *sim;
    struct sim_audit *audit;
    struct sim_write **writes; /* Of all users, by record and key. */
    size_t count;
    stet_status status; /* Of what the scenario judged. */
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

static void read_state(const struct sim *sim, uint32_t record, struct arena *arena,
                       const struct doc *doc, doc_node change, struct state *state) {
    *state = (struct state){.version = {.version = answer_u64(doc, change, "version"),
                                        .seq = answer_u64(doc, change, "seq"),
                                        .data = state->data}};
    state->version.deleted = view_equal(answer_text(arena, doc, change, "op"), VIEW("delete"));
    sim->scenario->read_state(arena, doc, answer_member(doc, change, "data"), sim_kind_of(record),
                              state->data);
}

/* Holds a change against the write that has its key. */
static void judge_write(struct auditor *auditor, uint32_t record, const char *name,
                        struct arena *arena, const struct doc *doc, doc_node change,
                        struct sim_version *state) {
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
    if (state->deleted != write->deletes) {
        sim_find(findings, "%s: version %llu %s, which its writer did not ask for", name, version,
                 state->deleted ? "deletes the record" : "does not delete the record");
    }
}

/* Holds a version against the one before it; NULL: there was none. */
static void judge_step(struct auditor *auditor, uint32_t record, const char *name,
                       const struct sim_version *before, const struct sim_version *after) {
    /* What is missing in between was said already. */
    if (after->version != (before == NULL ? 1 : before->version + 1)) return;
    if (auditor->status != STET_OK) return;
    auditor->status = auditor->sim->scenario->judge_step(auditor->sim, auditor->audit, record, name,
                                                         before, after);
}

/* ---- One record ---- */

struct history {
    struct state states[2]; /* The version looked at last, and the one being looked at. */
    unsigned last;
    struct state newest; /* version 0: none yet. */
};

static void judge_change(struct auditor *auditor, uint32_t record, const char *name,
                         struct arena *arena, const struct doc *doc, doc_node change,
                         struct history *history) {
    struct sim_version *newer = &history->states[history->last].version;
    struct state *older = &history->states[1 - history->last];
    read_state(auditor->sim, record, arena, doc, change, older);
    auditor->audit->versions++;
    for (uint64_t gone = newer->version; gone > older->version.version + 1; gone--)
        sim_find(&auditor->audit->findings, "%s: version %llu is missing from the history", name,
                 (unsigned long long)(gone - 1));
    judge_write(auditor, record, name, arena, doc, change, &older->version);
    if (history->newest.version.version == 0) {
        history->newest = *older;
        history->newest.version.data = history->newest.data;
    } else {
        judge_step(auditor, record, name, &older->version, newer);
    }
    history->last = 1 - history->last;
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
    const struct sim_version *oldest = &history->states[history->last].version;
    if (code == EXIT_DONE && oldest->version == 1) judge_step(auditor, record, name, NULL, oldest);
    for (uint64_t gone = oldest->version; code == EXIT_DONE && gone > 1; gone--)
        sim_find(&auditor->audit->findings, "%s: version %llu is missing from the history", name,
                 (unsigned long long)(gone - 1));
    arena_done(&arena);
    return code;
}

/* The writes of this record that were acknowledged and are not there. */
static void judge_lost(struct auditor *auditor, uint32_t record, const char *name,
                       int64_t sums[SIM_VALUES_MAX]) {
    static const uint8_t first[UUID_BYTES] = {0};
    for (size_t i = position(auditor, record, first);
         i < auditor->count && auditor->writes[i]->record == record; i++) {
        const struct sim_write *write = auditor->writes[i];
        char key[UUID_TEXT_BYTES + 1] = {0};
        bool counts = write->acknowledged || write->found_at != 0;
        if (counts) auditor->sim->scenario->add(auditor->sim, write, sums);
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
                     const struct history *history, const int64_t sums[SIM_VALUES_MAX]) {
    const struct sim_scenario *scenario = auditor->sim->scenario;
    const struct sim_version *newest = &history->newest.version;
    _Alignas(int64_t) char now[STATE_BYTES_MAX] = {0};
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
        if (version != newest->version) {
            sim_find(&auditor->audit->findings,
                     "%s: the record is at version %llu, its history ends with %llu", name,
                     (unsigned long long)version, (unsigned long long)newest->version);
        }
        if (answer.http == 200)
            scenario->read_state(&arena, &doc, answer_member(&doc, 0, "data"), sim_kind_of(record),
                                 now);
        if (auditor->status == STET_OK)
            auditor->status = scenario->judge_now(auditor->sim, auditor->audit, record, name, now,
                                                  newest->data, sums);
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
    int64_t sums[SIM_VALUES_MAX] = {0};
    sim_name(auditor->sim, record, name);
    if (!is_used(auditor, record)) return EXIT_DONE;
    int code =
        is_there(auditor, record) ? read_history(auditor, record, name, &history) : EXIT_DONE;
    if (code == EXIT_DONE) judge_lost(auditor, record, name, sums);
    if (code == EXIT_DONE && history.newest.version.version != 0)
        code = judge_now(auditor, record, name, &history, sums);
    auditor->audit->records++;
    return code;
}

static void add_findings(struct sim_findings *into, const struct sim_findings *findings) {
    for (uint64_t n = 0; n < findings->count && n < SIM_FINDINGS_SHOWN; n++)
        sim_find(into, "%s", findings->texts[n]);
    if (findings->count > SIM_FINDINGS_SHOWN) into->count += findings->count - SIM_FINDINGS_SHOWN;
}

int sim_audit_run(struct sim *sim, struct sim_audit *audit) {
    struct auditor auditor = {.sim = sim, .audit = audit};
    struct progress progress;
    stet_error err;
    int code = EXIT_DONE;
    uint64_t total = 0;
    uint64_t seen = 0;
    for (unsigned kind = 0; kind < sim->scenario->kind_count; kind++)
        total += sim->counts[kind];
    *audit = (struct sim_audit){0};
    for (uint32_t i = 0; i < sim->user_count; i++)
        add_findings(&audit->findings, &sim->users[i].findings);
    if (gather(&auditor, &err) != STET_OK) return cli_fail(sim->cli, &err);
    progress_init(&progress, &sim->cli->errors, sim->cli->json, clock_system());
    progress_begin(&progress, "Auditing", "records", total);
    for (unsigned kind = 0; kind < sim->scenario->kind_count; kind++) {
        for (uint32_t i = 0; i < sim->counts[kind] && code == EXIT_DONE; i++) {
            code = judge_record(&auditor, sim_record(kind, i));
            progress_set(&progress, ++seen);
        }
    }
    progress_end(&progress);
    if (sim->scenario->judge_end != NULL) {
        /* What concerns several records is told first, not as the one of thousands that is not shown any more. */
        struct sim_findings findings = audit->findings;
        audit->findings = (struct sim_findings){0};
        sim->scenario->judge_end(sim, audit);
        add_findings(&audit->findings, &findings);
    }
    if (code == EXIT_DONE && auditor.status != STET_OK) {
        error_set(&err, auditor.status, "out of memory");
        code = cli_fail(sim->cli, &err);
    }
    free(auditor.writes);
    return code;
}
