/*
 * A user: takes up a work of the scenario, reads, thinks, writes, and when somebody else was faster, starts over after a
 * pause. The pauses are exponential backoff with full jitter (Marc Brooker, AWS Architecture Blog, 2015): a random time up
 * to a bound that doubles, so that those who met once do not meet again.
 *
 * A write without an answer is sent again with its key until one comes. When none came before the end it is unknown, and
 * the audit accepts either.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/simulate.h"

#include <poll.h>
#include <time.h>

enum {
    BACKOFF_FIRST_US = 5000,
    BACKOFF_US_MAX = 1000000,
    TAKEN_TRIES_MAX = 5, /* Then another booking is tried. */
};

static int64_t now_ns(void) { return clock_monotonic_ns(clock_system()); }

uint64_t sim_pick(struct sim_user *user, uint64_t below) {
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
    pause_us(user, sim_pick(user, (bound < BACKOFF_US_MAX ? bound : BACKOFF_US_MAX) + 1));
}

void sim_think(struct sim_user *user) {
    pause_us(user, sim_pick(user, 2 * user->sim->think_ms * 1000 + 1));
}

static bool is_over(const struct sim *sim) { return atomic_load(&sim->stopped); }

static bool is_drained(const struct sim *sim) {
    return is_over(sim) && now_ns() >= atomic_load(&sim->drained_ns);
}

/* A refusal that only says that somebody else was first. */
static bool is_conflict(stet_view code) {
    return view_equal(code, VIEW("CONCURRENT_MODIFICATION")) ||
           view_equal(code, VIEW("ALREADY_EXISTS")) || view_equal(code, VIEW("DELETED"));
}

static void find_wrong(struct sim_user *user, struct sim_sending *sending) {
    char path[128];
    stet_view detail = answer_text(&user->arena, &sending->doc, 0, "detail");
    snprintf(path, sizeof path, "%s", sending->call.path);
    sim_find(&user->findings, "%s %s was answered %d: %.*s", sending->call.method, path,
             sending->answer.http, VIEW_ARG(detail));
}

enum sim_sent sim_send(struct sim_user *user, struct sim_sending *sending) {
    struct sim_tally *tally = &user->tallies[sending->work];
    bool may_have_happened = false;
    for (unsigned attempt = 0;; attempt++) {
        stet_error err;
        stet_view code = {0};
        int64_t began_ns = now_ns();
        stet_status status =
            peer_call(user->peer, &sending->call, &user->arena, &sending->answer, &err);
        int http = sending->answer.http;
        if (status == STET_OK) {
            sim_tally_latency(tally, now_ns() - began_ns);
            status = answer_parse(&user->arena, sending->answer.body, &sending->doc, &err);
        }
        if (status ==
            STET_OK) { /* Else there is none, or it was cut short, or is a proxy's page. */
            code = answer_text(&user->arena, &sending->doc, 0, "code");
            if (http >= 200 && http < 300) return SIM_DONE;
            if (is_conflict(code)) return SIM_CONFLICT;
            if (view_equal(code, VIEW("SLOT_TAKEN"))) return SIM_TAKEN;
            if (http == 404 && sending->may_be_absent) return SIM_ABSENT;
            if (http < 500 && http != 408 && http != 429) {
                find_wrong(user, sending);
                return SIM_WRONG;
            }
        }
        if (!view_equal(code, VIEW("BUSY")) && http != 429) may_have_happened = true;
        if (is_drained(user->sim)) return may_have_happened ? SIM_UNKNOWN : SIM_GIVEN_UP;
        tally->retries++;
        back_off(user, attempt);
    }
}

enum sim_sent sim_read(struct sim_user *user, uint32_t record, enum sim_presence presence,
                       struct sim_sending *sending, uint64_t *version) {
    stet_view path = sim_path(user->sim, &user->arena, record);
    *sending = (struct sim_sending){.work = SIM_READ,
                                    .may_be_absent = presence == SIM_MAY_BE_ABSENT,
                                    .call = {.method = "GET", .path = path.bytes}};
    if (path.bytes == NULL) return SIM_WRONG;
    enum sim_sent sent = sim_send(user, sending);
    if (sent != SIM_DONE && sent != SIM_CONFLICT && sent != SIM_ABSENT) return sent;
    user->tallies[SIM_READ].done++;
    *version = answer_u64(&sending->doc, 0, "version");
    return sent == SIM_DONE ? SIM_DONE : SIM_ABSENT;
}

void sim_write_begin(struct sim_user *user, struct sim_write *write, uint32_t record,
                     char key[SIM_KEY_BYTES]) {
    *write = (struct sim_write){.record = record, .user = user->number};
    uuid_v7(clock_system(), entropy_system(), write->key);
    uuid_format(write->key, key);
    key[UUID_TEXT_BYTES] = '\0';
}

void sim_write_end(struct sim_user *user, struct sim_write *write, enum sim_sent sent,
                   const struct sim_sending *sending, doc_node result) {
    if (sent != SIM_DONE && sent != SIM_UNKNOWN) return;
    write->acknowledged = sent == SIM_DONE;
    if (write->acknowledged) write->version = answer_u64(&sending->doc, result, "version");
    sim_ledger_add(&user->ledger, write);
}

enum sim_sent sim_write_one(struct sim_user *user, unsigned work, const char *method,
                            const char *type, stet_view body, const char *condition,
                            struct sim_write *write, const char *key, struct sim_sending *sending) {
    char key_header[SIM_HEADER_BYTES];
    struct sim_sending own;
    struct sim_sending *used = sending != NULL ? sending : &own;
    stet_view path = sim_path(user->sim, &user->arena, write->record);
    *used = (struct sim_sending){.work = work,
                                 .call = {.method = method,
                                          .path = path.bytes,
                                          .content_type = type,
                                          .body = body,
                                          .headers = {key_header, condition}}};
    snprintf(key_header, sizeof key_header, "Idempotency-Key: %s", key);
    if (path.bytes == NULL || (type != NULL && body.bytes == NULL)) return SIM_WRONG;
    if (!sim_ledger_reserve(&user->ledger, 1)) return SIM_WRONG;
    enum sim_sent sent = sim_send(user, used);
    used->call.headers[0] = NULL; /* It ends with this function. */
    if (sending == NULL) sim_write_end(user, write, sent, used, 0);
    return sent;
}

const char *sim_if_match(char out[SIM_HEADER_BYTES], uint64_t version) {
    snprintf(out, SIM_HEADER_BYTES, "If-Match: \"%llu\"", (unsigned long long)version);
    return out;
}

enum sim_sent sim_transact(struct sim_user *user, unsigned work, stet_view body,
                           struct sim_write *writes, unsigned count) {
    stet_view path = arena_format(&user->arena, "/v1/%s/transactions", user->sim->space);
    struct sim_sending sending = {.work = work,
                                  .call = {.method = "POST",
                                           .path = path.bytes,
                                           .content_type = "application/json",
                                           .body = body}};
    if (path.bytes == NULL || body.bytes == NULL) return SIM_WRONG;
    if (!sim_ledger_reserve(&user->ledger, count)) return SIM_WRONG;
    enum sim_sent sent = sim_send(user, &sending);
    doc_node results = sent == SIM_DONE ? answer_member(&sending.doc, 0, "results") : DOC_NONE;
    bool listed = results != DOC_NONE && doc_kind(&sending.doc, results) == DOC_ARRAY;
    for (unsigned i = 0; i < count; i++)
        sim_write_end(user, &writes[i], sent, &sending,
                      listed ? doc_element(&sending.doc, results, i) : DOC_NONE);
    return sent;
}

/* ---- One after the other ---- */

static void user_operate(struct sim_user *user) {
    struct sim *sim = user->sim;
    struct sim_task task = {0};
    unsigned taken = 0;
    sim->scenario->begin(user, &task);
    for (unsigned tries = 0;; tries++) {
        arena_reset(&user->arena);
        enum sim_sent sent = sim->scenario->attempt(user, &task);
        struct sim_tally *tally = &user->tallies[task.work];
        bool again = sent == SIM_CONFLICT || sent == SIM_TAKEN;
        if (sent == SIM_DONE) tally->done++;
        if (sent == SIM_DONE && task.is_offered) tally->offered++;
        if (sent == SIM_CONFLICT) tally->conflicts++;
        if (sent == SIM_TAKEN) tally->refused++;
        if (sent == SIM_WRONG) back_off(user, tries); /* Not in a hurry where something is amiss. */
        if (sent == SIM_GIVEN_UP || (again && is_over(sim)) ||
            (sent == SIM_TAKEN && ++taken >= TAKEN_TRIES_MAX)) {
            tally->given_up++;
            return;
        }
        if (!again) return;
        /* Who was told where there is room needs no pause to try there. */
        if (sent == SIM_CONFLICT) back_off(user, tries);
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
