/*
 * A user: picks a record, reads it, thinks, writes what it makes of it, and when somebody else was faster, starts over after a
 * pause. The pauses are exponential backoff with full jitter (Marc Brooker, AWS Architecture Blog, 2015): a random time up
 * to a bound that doubles, so that those who met once do not meet again.
 *
 * A write without an answer is sent again with its key until one comes. When none came before the end it is unknown, and
 * the audit accepts either.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/answer.h"
#include "cli/simulate.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

enum { BACKOFF_FIRST_US = 5000, BACKOFF_US_MAX = 1000000, AMOUNT_MAX = 9, HEADER_BYTES = 96 };

/* What a request came to. */
enum sent { SENT_DONE, SENT_CONFLICT, SENT_ABSENT, SENT_GIVEN_UP, SENT_UNKNOWN, SENT_WRONG };

/* A request that may be sent several times. */
struct sending {
    enum sim_work work;
    bool may_be_absent; /* A read of what may never have been made. */
    struct call call;
    struct answer answer;
    struct doc doc;
};

/* What a user has read of a record. */
struct seen {
    uint64_t version;
    int64_t count;
    bool there;
};

static int64_t now_ns(void) { return clock_monotonic_ns(clock_system()); }

static uint64_t pick(struct sim_user *user, uint64_t below) {
    return below == 0 ? 0 : entropy_u64(&user->random.entropy) % below;
}

/* Ends early when users shall stop. */
static void pause_us(const struct sim_user *user, uint64_t us) {
    struct pollfd stop = {.fd = user->sim->stop_fd, .events = POLLIN};
    struct timespec span = {.tv_sec = (time_t)(us / 1000000),
                            .tv_nsec = (long)(us % 1000000) * 1000};
    if (atomic_load(&user->sim->stopped)) {
        nanosleep(&span, NULL); /* The end is near; those who drain still take turns. */
    } else if (us > 0) {
        (void)ppoll(&stop, 1, &span, NULL);
    }
}

static void back_off(struct sim_user *user, unsigned attempt) {
    uint64_t bound = BACKOFF_FIRST_US;
    while (attempt-- > 0 && bound < BACKOFF_US_MAX)
        bound *= 2;
    pause_us(user, pick(user, (bound < BACKOFF_US_MAX ? bound : BACKOFF_US_MAX) + 1));
}

static void think(struct sim_user *user) {
    pause_us(user, pick(user, 2 * user->sim->think_ms * 1000 + 1));
}

static bool is_over(const struct sim *sim) { return atomic_load(&sim->stopped); }

static bool is_drained(const struct sim *sim) {
    return is_over(sim) && now_ns() >= atomic_load(&sim->drained_ns);
}

/* A refusal that only says that somebody else was first. */
static bool is_conflict(const struct sending *sending, struct arena *arena) {
    stet_view code = answer_text(arena, &sending->doc, 0, "code");
    return view_equal(code, VIEW("CONCURRENT_MODIFICATION")) ||
           view_equal(code, VIEW("ALREADY_EXISTS")) || view_equal(code, VIEW("DELETED"));
}

static void find_wrong(struct sim_user *user, struct sending *sending) {
    char path[128];
    stet_view detail = answer_text(&user->arena, &sending->doc, 0, "detail");
    snprintf(path, sizeof path, "%s", sending->call.path);
    sim_find(&user->findings, "%s %s was answered %d: %.*s", sending->call.method, path,
             sending->answer.http, VIEW_ARG(detail));
}

/* Sends until there is an answer that decides. */
static enum sent user_send(struct sim_user *user, struct sending *sending) {
    struct sim_tally *tally = &user->tallies[sending->work];
    bool may_have_happened = false;
    for (unsigned attempt = 0;; attempt++) {
        stet_error err;
        int64_t began_ns = now_ns();
        stet_status status =
            peer_call(user->peer, &sending->call, &user->arena, &sending->answer, &err);
        int http = sending->answer.http;
        if (status == STET_OK) sim_tally_latency(tally, now_ns() - began_ns);
        if (status == STET_OK &&
            answer_parse(&user->arena, sending->answer.body, &sending->doc, &err) != STET_OK) {
            status = STET_UNAVAILABLE; /* Cut short, or a proxy's page. */
        } else if (status == STET_OK && http >= 200 && http < 300) {
            return SENT_DONE;
        } else if (status == STET_OK && is_conflict(sending, &user->arena)) {
            return SENT_CONFLICT;
        } else if (status == STET_OK && http == 404 && sending->may_be_absent) {
            return SENT_ABSENT;
        } else if (status == STET_OK && http < 500 && http != 408 && http != 429) {
            find_wrong(user, sending);
            return SENT_WRONG;
        }
        stet_view code = status == STET_OK ? answer_text(&user->arena, &sending->doc, 0, "code")
                                           : (stet_view){0};
        if (!view_equal(code, VIEW("BUSY")) && http != 429) may_have_happened = true;
        if (is_drained(user->sim)) return may_have_happened ? SENT_UNKNOWN : SENT_GIVEN_UP;
        tally->retries++;
        back_off(user, attempt);
    }
}

/* ---- Reading ---- */

static stet_view member_text(struct sim_user *user, const struct doc *doc, const char *key) {
    return answer_text(&user->arena, doc, answer_member(doc, 0, "data"), key);
}

static bool user_read(struct sim_user *user, uint32_t record, struct seen *seen) {
    stet_view path = sim_path(user->sim, &user->arena, record);
    struct sending sending = {.work = SIM_READ,
                              .may_be_absent = sim_kind_of(user->sim, record) == SIM_DRAFTS,
                              .call = {.method = "GET", .path = path.bytes}};
    if (path.bytes == NULL) return false;
    enum sent sent = user_send(user, &sending);
    if (sent != SENT_DONE && sent != SENT_CONFLICT && sent != SENT_ABSENT) return false;
    user->tallies[SIM_READ].done++;
    seen->there = sent == SENT_DONE;
    seen->version = answer_u64(&sending.doc, 0, "version");
    stet_view count = sent == SENT_DONE ? member_text(user, &sending.doc, "count") : (stet_view){0};
    seen->count = count.size > 0 ? strtoll(arena_copy(&user->arena, count).bytes, NULL, 10) : 0;
    return true;
}

/* ---- Writing ---- */

static void write_begin(struct sim_user *user, struct sim_write *write, uint32_t record,
                        enum sim_effect effect, int64_t amount, char key[UUID_TEXT_BYTES + 1]) {
    *write = (struct sim_write){
        .record = record, .user = user->number, .effect = effect, .amount = amount};
    uuid_v7(clock_system(), entropy_system(), write->key);
    uuid_format(write->key, key);
    key[UUID_TEXT_BYTES] = '\0';
}

/* Puts what became of a write into the ledger. result: the record in the answer. */
static void write_end(struct sim_user *user, struct sim_write *write, enum sent sent,
                      const struct sending *sending, doc_node result) {
    if (sent != SENT_DONE && sent != SENT_UNKNOWN) return;
    write->acknowledged = sent == SENT_DONE;
    if (write->acknowledged) write->version = answer_u64(&sending->doc, result, "version");
    sim_ledger_add(&user->ledger, write);
}

/* One write to one record. */
static enum sent write_one(struct sim_user *user, enum sim_work work, const char *method,
                           const char *type, stet_view body, const char *condition,
                           struct sim_write *write, const char *key) {
    char key_header[HEADER_BYTES];
    stet_view path = sim_path(user->sim, &user->arena, write->record);
    struct sending sending = {.work = work,
                              .call = {.method = method,
                                       .path = path.bytes,
                                       .content_type = type,
                                       .body = body,
                                       .headers = {key_header, condition}}};
    snprintf(key_header, sizeof key_header, "Idempotency-Key: %s", key);
    if (path.bytes == NULL || (type != NULL && body.bytes == NULL)) return SENT_WRONG;
    if (!sim_ledger_reserve(&user->ledger, 1)) return SENT_WRONG;
    enum sent sent = user_send(user, &sending);
    write_end(user, write, sent, &sending, 0);
    return sent;
}

static const char *if_match(char out[HEADER_BYTES], uint64_t version) {
    snprintf(out, HEADER_BYTES, "If-Match: \"%llu\"", (unsigned long long)version);
    return out;
}

/* Stock has the count alone: another field would be overwritten, and its writer told by a notice. */
static stet_view count_body(struct sim_user *user, uint32_t record, int64_t count,
                            const char *key) {
    if (sim_kind_of(user->sim, record) == SIM_STOCK)
        return arena_format(&user->arena, "{\"count\": %lld}", (long long)count);
    return arena_format(&user->arena, "{\"count\": %lld, \"last\": \"%s\"}", (long long)count, key);
}

/* Adds to a counter, or to a stock, where the type's rule adds it to whatever stands there by then. */
static enum sent attempt_add(struct sim_user *user, enum sim_work work, uint32_t record) {
    char key[UUID_TEXT_BYTES + 1];
    char condition[HEADER_BYTES];
    struct sim_write write;
    struct seen seen;
    int64_t amount = 1 + (int64_t)pick(user, AMOUNT_MAX);
    if (!user_read(user, record, &seen)) return SENT_WRONG;
    think(user);
    write_begin(user, &write, record, SIM_ADDED, amount, key);
    stet_view body = count_body(user, record, seen.count + amount, key);
    return write_one(user, work, "PUT", "application/json", body, if_match(condition, seen.version),
                     &write, key);
}

static enum sent attempt_edit(struct sim_user *user, uint32_t record) {
    char key[UUID_TEXT_BYTES + 1];
    char condition[HEADER_BYTES];
    struct sim_write write;
    struct seen seen;
    uint64_t field = pick(user, SIM_FIELDS);
    if (!user_read(user, record, &seen)) return SENT_WRONG;
    think(user);
    write_begin(user, &write, record, SIM_EDITED, (int64_t)field, key);
    stet_view body = arena_format(&user->arena, "{\"f%u\": \"%s\"}", (unsigned)field, key);
    return write_one(user, SIM_EDIT, "PATCH", "application/merge-patch+json", body,
                     if_match(condition, seen.version), &write, key);
}

static enum sent create(struct sim_user *user, enum sim_work work, uint32_t record) {
    char key[UUID_TEXT_BYTES + 1];
    struct sim_write write;
    stet_view body;
    write_begin(user, &write, record, SIM_CREATED, 0, key);
    if (sim_kind_of(user->sim, record) == SIM_DOCUMENTS) {
        struct buffer fields;
        buffer_init(&fields, &user->arena, 0);
        for (unsigned i = 0; i < SIM_FIELDS; i++)
            buffer_append_format(&fields, "%s\"f%u\": \"\"", i == 0 ? "{" : ", ", i);
        buffer_append_char(&fields, '}');
        body = buffer_status(&fields) == STET_OK ? buffer_view(&fields) : (stet_view){0};
    } else {
        body = count_body(user, record, 0, key);
    }
    return write_one(user, work, "PUT", "application/json", body, "If-None-Match: *", &write, key);
}

static enum sent attempt_life(struct sim_user *user, uint32_t record) {
    char key[UUID_TEXT_BYTES + 1];
    char condition[HEADER_BYTES];
    struct sim_write write;
    struct seen seen;
    if (!user_read(user, record, &seen)) return SENT_WRONG;
    think(user);
    if (!seen.there) return create(user, SIM_LIFE, record);
    write_begin(user, &write, record, SIM_DELETED, 0, key);
    return write_one(user, SIM_LIFE, "DELETE", NULL, (stet_view){0},
                     if_match(condition, seen.version), &write, key);
}

/* One transaction takes from one counter and gives to another. */
static enum sent attempt_transfer(struct sim_user *user, const uint32_t records[2]) {
    char key[UUID_TEXT_BYTES + 1];
    struct sim_write writes[2];
    struct seen seen[2];
    struct buffer body;
    int64_t amount = 1 + (int64_t)pick(user, AMOUNT_MAX);
    for (unsigned i = 0; i < 2; i++) {
        if (!user_read(user, records[i], &seen[i])) return SENT_WRONG;
    }
    think(user);
    buffer_init(&body, &user->arena, 0);
    write_begin(user, &writes[0], records[0], SIM_ADDED, -amount, key);
    writes[1] = writes[0];
    writes[1].record = records[1];
    writes[1].amount = amount;
    buffer_append_format(&body, "{\"client_mutation_id\": \"%s\", \"mutations\": [", key);
    for (unsigned i = 0; i < 2; i++)
        buffer_append_format(
            &body,
            "%s{\"op\": \"put\", \"type\": \"%s%s\", \"id\": \"%u\", "
            "\"base_version\": %llu, \"data\": {\"count\": %lld, \"last\": \"%s\"}}",
            i == 0 ? "" : ", ", user->sim->prefix, sim_kind_name(SIM_COUNTERS),
            (unsigned)(records[i] % user->sim->records), (unsigned long long)seen[i].version,
            (long long)(seen[i].count + writes[i].amount), key);
    buffer_append_text(&body, "]}");
    stet_view path = arena_format(&user->arena, "/v1/%s/transactions", user->sim->space);
    struct sending sending = {.work = SIM_TRANSFER,
                              .call = {.method = "POST",
                                       .path = path.bytes,
                                       .content_type = "application/json",
                                       .body = buffer_view(&body)}};
    if (path.bytes == NULL || buffer_status(&body) != STET_OK) return SENT_WRONG;
    if (!sim_ledger_reserve(&user->ledger, 2)) return SENT_WRONG;
    enum sent sent = user_send(user, &sending);
    doc_node results = sent == SENT_DONE ? answer_member(&sending.doc, 0, "results") : DOC_NONE;
    bool listed = results != DOC_NONE && doc_kind(&sending.doc, results) == DOC_ARRAY;
    for (unsigned i = 0; i < 2; i++)
        write_end(user, &writes[i], sent, &sending,
                  listed ? doc_element(&sending.doc, results, i) : DOC_NONE);
    return sent;
}

/* ---- One after the other ---- */

static enum sim_work choose_work(struct sim_user *user) {
    uint64_t number = pick(user, 100);
    if (number < 30) return SIM_ADD;
    if (number < 50) return user->sim->has_rules ? SIM_MERGE : SIM_ADD;
    if (number < 80) return SIM_EDIT;
    if (number < 90 || user->sim->records < 2) return SIM_LIFE;
    return SIM_TRANSFER;
}

static enum sim_kind kind_of_work(enum sim_work work) {
    switch (work) {
    case SIM_MERGE: return SIM_STOCK;
    case SIM_EDIT: return SIM_DOCUMENTS;
    case SIM_LIFE: return SIM_DRAFTS;
    case SIM_READ:
    case SIM_ADD:
    case SIM_TRANSFER:
    case SIM_WORKS: break;
    }
    return SIM_COUNTERS;
}

static enum sent attempt(struct sim_user *user, enum sim_work work, const uint32_t records[2]) {
    switch (work) {
    case SIM_EDIT: return attempt_edit(user, records[0]);
    case SIM_LIFE: return attempt_life(user, records[0]);
    case SIM_TRANSFER: return attempt_transfer(user, records);
    case SIM_ADD:
    case SIM_MERGE: return attempt_add(user, work, records[0]);
    case SIM_READ:
    case SIM_WORKS: break;
    }
    return SENT_WRONG;
}

static void user_operate(struct sim_user *user) {
    struct sim *sim = user->sim;
    enum sim_work work = choose_work(user);
    struct sim_tally *tally = &user->tallies[work];
    uint32_t first = (uint32_t)pick(user, sim->records);
    /* Another one, whatever the first is. */
    uint32_t second = (first + 1 + (uint32_t)pick(user, sim->records - 1)) % sim->records;
    uint32_t records[2] = {sim_record(sim, kind_of_work(work), first),
                           sim_record(sim, kind_of_work(work), second)};
    for (unsigned tries = 0;; tries++) {
        arena_reset(&user->arena);
        enum sent sent = attempt(user, work, records);
        if (sent == SENT_DONE) tally->done++;
        if (sent == SENT_CONFLICT) tally->conflicts++;
        if (sent == SENT_WRONG)
            back_off(user, tries); /* Not in a hurry where something is amiss. */
        if (sent == SENT_GIVEN_UP || (sent == SENT_CONFLICT && is_over(sim))) {
            tally->given_up++;
            return;
        }
        if (sent != SENT_CONFLICT) return;
        back_off(user, tries);
        tally->retries++;
    }
}

void *sim_user_main(void *context) {
    struct sim_user *user = context;
    pthread_setname_np(pthread_self(), "user");
    while (!is_over(user->sim))
        user_operate(user);
    return NULL;
}

bool sim_user_create(struct sim_user *user, uint32_t record) {
    char name[SIM_NAME_BYTES];
    arena_reset(&user->arena);
    if (create(user, SIM_LIFE, record) == SENT_DONE) return true;
    sim_name(user->sim, record, name);
    if (user->findings.count == 0) sim_find(&user->findings, "%s could not be created", name);
    return false;
}
