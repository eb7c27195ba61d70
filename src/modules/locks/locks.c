/*
 * The module: commands decided against the table, leases that end, and writes that rely on a lock. Rendering is at the end.
 *
 *            acquire                     release, or the lease ends
 *   free ───────────────► held by one ───────────────────────────────► free: the first who waits is woken
 *                            │   ▲
 *                            └───┘ renew (memory only: no version)
 */
#include "modules/locks/locks.h"

#include "base/error.h"
#include "base/view.h"
#include "core/staging.h"
#include "doc/write.h"
#include "modules/locks/leases.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#define TYPE VIEW("stet.lock")
#define SYSTEM_ACTOR VIEW("stet")
enum { SCAN_CHUNK = 256 };

struct locks {
    struct leases leases;
    struct space *space;
    int64_t now; /* Monotonic, of the command at hand. */
};

enum wish { WISH_ACQUIRE, WISH_RENEW, WISH_RELEASE, WISH_EXPIRE, WISH_READ, WISH_LIST };

/* A lock as an answer shows it; in the command's arena. */
struct shown {
    stet_view name, holder, note; /* holder empty: nobody has it. */
    uint64_t token, seq;
    uint32_t ttl_s;
    int64_t acquired_at, expires_at;
    int64_t left_ns; /* Until it expires. */
    size_t waiting;
};

/* What a command wants; in its arena. */
struct lock_request {
    enum wish wish;
    stet_view name, note;
    uint64_t token;
    uint32_t ttl_s;
    uint32_t wait_s;
    int64_t until; /* Monotonic: how long it waits; 0: it has not been decided yet. */
    struct lock_waiter waiter;
    struct locks *locks;
    struct shown shown;
    /* WISH_LIST */
    stet_view after, next;
    size_t limit;
    struct shown *rows;
    size_t row_count;
};

/* ---- Projection -------------------------------------------------------------------------- */

static stet_status locks_open(struct space *space, void **state, stet_error *err) {
    struct locks *locks = calloc(1, sizeof *locks);
    if (locks == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for locks");
    if (leases_init(&locks->leases, space->hash_seed) != STET_OK) {
        free(locks);
        return error_set(err, STET_NO_MEMORY, "out of memory for locks");
    }
    locks->space = space;
    *state = locks;
    return STET_OK;
}

static void locks_close(void *state) {
    struct locks *locks = state;
    if (locks == NULL) return;
    leases_done(&locks->leases);
    free(locks);
}

static void locks_reset(void *state) { leases_reset(&((struct locks *)state)->leases); }

struct lock_data {
    stet_view holder, note;
    uint32_t ttl_s;
};

static stet_status read_data(struct arena *arena, stet_view data, struct lock_data *out,
                             stet_error *err) {
    struct doc doc;
    uint64_t ttl_s;
    *out = (struct lock_data){0};
    stet_status status = change_parse(arena, data, &doc, err);
    if (status != STET_OK) return status;
    doc_node holder = doc_member(&doc, 0, VIEW("holder"));
    doc_node ttl = doc_member(&doc, 0, VIEW("ttl_s"));
    doc_node note = doc_member(&doc, 0, VIEW("note"));
    if (holder == DOC_NONE || ttl == DOC_NONE || !doc_u64(&doc, ttl, &ttl_s))
        return error_set(err, STET_CORRUPT, "the record of a lock is damaged");
    out->ttl_s = ttl_s > LOCK_TTL_S_MAX ? LOCK_TTL_S_MAX : (uint32_t)ttl_s;
    status = doc_string(arena, &doc, holder, &out->holder);
    if (status == STET_OK && note != DOC_NONE) status = doc_string(arena, &doc, note, &out->note);
    if (status == STET_OK) return STET_OK;
    return error_set(err, status == STET_NO_MEMORY ? status : STET_CORRUPT,
                     "could not read the record of a lock");
}

/* A lease that was there before a reset goes on; one found at open is given its whole time again. */
static stet_status locks_load(void *state, const struct store_change *head, stet_error *err) {
    struct locks *locks = state;
    struct arena arena;
    struct lock_data data;
    if (!view_equal(head->type, TYPE)) return STET_OK;
    arena_init(&arena, 1024);
    stet_status status = read_data(&arena, head->data, &data, err);
    if (status != STET_OK) goto done;
    struct lock_entry *entry = leases_need(&locks->leases, head->id);
    struct lease *lease = lease_create(data.holder, data.note, data.ttl_s);
    if (entry == NULL || lease == NULL) {
        free(lease);
        status = error_set(err, STET_NO_MEMORY, "out of memory for a lock");
        goto done;
    }
    bool goes_on = entry->token == head->version && entry->ends_at != 0;
    int64_t ends_at = goes_on ? entry->ends_at
                              : clock_monotonic_ns(locks->space->engine->clock) +
                                    (int64_t)data.ttl_s * CLOCK_NS_PER_S;
    free(entry->prepared);
    entry->prepared = lease;
    entry->seq = head->seq;
    entry->acquired_at = head->stamp;
    leases_hold(&locks->leases, entry, head->version, ends_at);
done:
    arena_done(&arena);
    return status;
}

/* The first in the row may try again. */
static void wake_first(struct locks *locks, struct lock_entry *entry) {
    if (entry->first != NULL) space_wake_held(locks->space, entry->first->tag);
}

static void locks_apply(void *state, const struct store_change *change) {
    struct locks *locks = state;
    if (!view_equal(change->type, TYPE)) return;
    struct lock_entry *entry = leases_find(&locks->leases, change->id);
    assert(entry != NULL);
    if (change->op == STORE_DELETE) {
        leases_free(&locks->leases, entry);
        wake_first(locks, entry);
        leases_drop_unused(&locks->leases, entry);
        return;
    }
    int64_t ttl_ns = (int64_t)entry->prepared->ttl_s * CLOCK_NS_PER_S;
    entry->seq = change->seq;
    entry->acquired_at = change->stamp;
    leases_hold(&locks->leases, entry, change->version, locks->now + ttl_ns);
}

/* ---- Deciding ---------------------------------------------------------------------------- */

/* Whether somebody holds it now: a lease that is over is as good as released. */
static bool is_held(const struct lock_entry *entry, int64_t now) {
    return entry != NULL && entry->held && entry->ends_at > now;
}

/* Notes for the answer what the table says. Lengths are bounded, so copying costs little. */
static stet_status note_entry(struct lock_request *request, struct arena *arena,
                              const struct lock_entry *entry, const struct module_time *now,
                              stet_error *err) {
    struct shown *shown = &request->shown;
    *shown = (struct shown){.name = request->name};
    if (entry == NULL) return STET_OK;
    shown->waiting = entry->waiting;
    if (!is_held(entry, now->monotonic)) return STET_OK;
    shown->holder = arena_copy(arena, entry->lease->holder);
    shown->note = arena_copy(arena, entry->lease->note);
    shown->token = entry->token;
    shown->seq = entry->seq;
    shown->ttl_s = entry->lease->ttl_s;
    shown->acquired_at = entry->acquired_at;
    shown->left_ns = entry->ends_at - now->monotonic;
    shown->expires_at = now->wall + shown->left_ns;
    return shown->holder.bytes == NULL || shown->note.bytes == NULL
               ? error_set(err, STET_NO_MEMORY, "out of memory for an answer")
               : STET_OK;
}

static stet_view lock_data(struct arena *arena, stet_view holder, stet_view note, uint32_t ttl_s) {
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("holder"), holder);
    json_member_u64(&writer, VIEW("ttl_s"), ttl_s);
    if (!view_is_empty(note)) json_member_text(&writer, VIEW("note"), note);
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

static stet_status acquire(struct locks *locks, struct staging *staging,
                           struct lock_request *request, const struct module_time *now,
                           stet_error *err) {
    struct stet_command *command = staging->command;
    struct leases *leases = &locks->leases;
    struct lock_entry *entry = leases_find(leases, request->name);
    struct store_head after;
    if ((entry == NULL || !entry->held) && leases->heap_count >= LOCKS_MAX) {
        error_set(err, STET_TOO_LARGE, "%u locks are held in space \"%s\" already", LOCKS_MAX,
                  staging->space->name);
        error_field(err, "locks", LOCKS_MAX);
        return STET_TOO_LARGE;
    }
    stet_view data =
        lock_data(staging_arena(staging), command->actor.id, request->note, request->ttl_s);
    entry = leases_need(leases, request->name);
    struct lease *lease = lease_create(command->actor.id, request->note, request->ttl_s);
    bool unswept = leases->unswept;
    leases->unswept = true; /* Until it is known that the entry will be held. */
    if (view_is_empty(data) || entry == NULL || lease == NULL) {
        free(lease);
        return error_set(err, STET_NO_MEMORY, "out of memory for a lock");
    }
    free(entry->prepared);
    entry->prepared = lease;
    stet_status status =
        staging_put(staging, TYPE, request->name, data, (stet_view){0}, &after, err);
    if (status != STET_OK) return status;
    leases->unswept = unswept || command->dry_run;
    request->shown = (struct shown){
        .name = request->name,
        .holder = command->actor.id,
        .note = request->note,
        .token = after.version,
        .seq = after.seq,
        .ttl_s = request->ttl_s,
        .acquired_at = staging->space->stamp,
        .left_ns = (int64_t)request->ttl_s * CLOCK_NS_PER_S,
        .waiting = entry->waiting - (request->waiter.entry != NULL),
    };
    request->shown.expires_at = now->wall + request->shown.left_ns;
    return STET_OK;
}

/* A command that waited is answered: whoever stands behind it may go on. */
static void acquire_left(struct stet_command *command) {
    struct lock_request *request = command->module_data;
    struct lock_entry *entry = request->waiter.entry;
    if (entry == NULL) return;
    waiter_leave(&request->waiter);
    /* The same request sent twice waited twice: the second now learns what became of the first. */
    for (struct lock_waiter *other = entry->first; command->has_key && other != NULL;) {
        const struct stet_command *twin = other->context;
        uint64_t tag = other->tag;
        other = other->next;
        if (twin->has_key &&
            memcmp(twin->key_bytes, command->key_bytes, sizeof twin->key_bytes) == 0 &&
            view_equal(twin->actor.id, command->actor.id))
            space_wake_held(request->locks->space, tag);
    }
    if (!entry->held) wake_first(request->locks, entry);
    leases_drop_unused(&request->locks->leases, entry);
}

static stet_status refuse_locked(const struct lock_request *request, stet_error *err) {
    const struct shown *shown = &request->shown;
    if (view_is_empty(shown->holder))
        return error_set(err, STET_LOCKED, "others wait for the lock \"%.*s\" already",
                         VIEW_ARG(request->name));
    return error_set(err, STET_LOCKED, "%.*s holds the lock \"%.*s\"", VIEW_ARG(shown->holder),
                     VIEW_ARG(request->name));
}

static stet_status decide_acquire(struct locks *locks, struct staging *staging,
                                  struct lock_request *request, const struct module_time *now,
                                  stet_error *err) {
    struct stet_command *command = staging->command;
    struct lock_entry *entry = leases_find(&locks->leases, request->name);
    if (atomic_load(&command->cancelled))
        return error_set(err, STET_CANCELLED, "cancelled while it waited");
    bool is_next = entry == NULL || entry->first == NULL || entry->first == &request->waiter;
    if (!is_held(entry, now->monotonic) && is_next)
        return acquire(locks, staging, request, now, err);
    stet_status status = note_entry(request, &command->arena, entry, now, err);
    if (status != STET_OK) return status;
    if (request->until == 0)
        request->until = now->monotonic + (int64_t)request->wait_s * CLOCK_NS_PER_S;
    if (command->wait_over || request->until <= now->monotonic || command->dry_run)
        return refuse_locked(request, err);
    if (request->waiter.entry == NULL) {
        request->waiter.context = command;
        waiter_join(&locks->leases, entry, &request->waiter);
        command->left = acquire_left;
    }
    return staging_hold(staging, request->waiter.tag, request->until, err);
}

/* Only with the token, and only its holder: others may know the token, but have no business with it. An administrator may break it. */
static stet_status need_holder(struct lock_entry *entry, const struct lock_request *request,
                               stet_view actor, const struct module_time *now, bool may_break,
                               stet_error *err) {
    if (!is_held(entry, now->monotonic) || entry->token != request->token) {
        error_set(err, STET_LOCK_LOST, "the lock \"%.*s\" is not held with token %llu any more",
                  VIEW_ARG(request->name), (unsigned long long)request->token);
        error_field(err, "token", 0);
        return STET_LOCK_LOST;
    }
    if (!may_break && !view_equal(entry->lease->holder, actor))
        return error_set(err, STET_FORBIDDEN, "the lock \"%.*s\" is held by %.*s",
                         VIEW_ARG(request->name), VIEW_ARG(entry->lease->holder));
    return STET_OK;
}

static stet_status decide_renew(struct locks *locks, struct staging *staging,
                                struct lock_request *request, const struct module_time *now,
                                stet_error *err) {
    struct lock_entry *entry = leases_find(&locks->leases, request->name);
    stet_status status = need_holder(entry, request, staging->command->actor.id, now, false, err);
    if (status != STET_OK) return status;
    if (request->ttl_s != 0) entry->lease->ttl_s = request->ttl_s;
    leases_extend(&locks->leases, entry,
                  now->monotonic + (int64_t)entry->lease->ttl_s * CLOCK_NS_PER_S);
    return note_entry(request, staging_arena(staging), entry, now, err);
}

static stet_status decide_release(struct locks *locks, struct staging *staging,
                                  struct lock_request *request, const struct module_time *now,
                                  stet_error *err) {
    struct lock_entry *entry = leases_find(&locks->leases, request->name);
    stet_status status = need_holder(entry, request, staging->command->actor.id, now,
                                     staging->command->actor.admin, err);
    if (status != STET_OK) return status;
    return staging_delete(staging, TYPE, request->name, VIEW("release"), err);
}

static stet_status decide_expire(struct locks *locks, struct staging *staging,
                                 struct lock_request *request, const struct module_time *now,
                                 stet_error *err) {
    struct lock_entry *entry = leases_find(&locks->leases, request->name);
    if (entry == NULL || !entry->held || entry->ends_at > now->monotonic) return STET_OK;
    return staging_delete(staging, TYPE, request->name, VIEW("expired"), err);
}

/* The page was read before; what the table knows better is filled in, and who has let go since is left out. */
static void decide_list(struct locks *locks, struct lock_request *request,
                        const struct module_time *now) {
    size_t kept = 0;
    for (size_t i = 0; i < request->row_count; i++) {
        struct shown row = request->rows[i];
        const struct lock_entry *entry = leases_find(&locks->leases, row.name);
        if (!is_held(entry, now->monotonic) || entry->token != row.token) continue;
        row.ttl_s = entry->lease->ttl_s;
        row.left_ns = entry->ends_at - now->monotonic;
        row.expires_at = now->wall + row.left_ns;
        row.waiting = entry->waiting;
        request->rows[kept++] = row;
    }
    request->row_count = kept;
}

/* Any who may write may hold locks: they say nothing about records. */
static stet_status check_scope(enum wish wish, const stet_actor *actor, stet_error *err) {
    switch (wish) {
    case WISH_ACQUIRE:
    case WISH_RENEW:
    case WISH_RELEASE: return actor_demand(actor, STET_SCOPE_WRITE, err);
    case WISH_READ:
    case WISH_LIST: return actor_demand(actor, STET_SCOPE_READ, err);
    case WISH_EXPIRE: break;
    }
    return STET_OK;
}

static stet_status locks_decide(void *state, struct staging *staging, struct stet_command *command,
                                const struct module_time *now, stet_error *err) {
    struct locks *locks = state;
    struct lock_request *request = command->module_data;
    request->locks = locks;
    locks->now = now->monotonic;
    stet_status status = check_scope(request->wish, &command->actor, err);
    if (status != STET_OK) return status;
    switch (request->wish) {
    case WISH_ACQUIRE: return decide_acquire(locks, staging, request, now, err);
    case WISH_RENEW: return decide_renew(locks, staging, request, now, err);
    case WISH_RELEASE: return decide_release(locks, staging, request, now, err);
    case WISH_EXPIRE: return decide_expire(locks, staging, request, now, err);
    case WISH_LIST: decide_list(locks, request, now); return STET_OK;
    case WISH_READ: break;
    }
    const struct lock_entry *entry = leases_find(&locks->leases, request->name);
    if (!is_held(entry, now->monotonic))
        return error_set(err, STET_NOT_FOUND, "nobody holds the lock \"%.*s\"",
                         VIEW_ARG(request->name));
    return note_entry(request, staging_arena(staging), entry, now, err);
}

/* A write that relies on a lock: also one that is parked, for nobody looks at the lock when it is settled, and a check. */
static stet_status locks_admit(void *state, const struct mutation *mutation, stet_error *err) {
    struct locks *locks = state;
    if (view_is_empty(mutation->lock)) return STET_OK;
    const struct lock_entry *entry = leases_find(&locks->leases, mutation->lock);
    if (is_held(entry, clock_monotonic_ns(locks->space->engine->clock)) &&
        entry->token == mutation->lock_token)
        return STET_OK;
    error_set(err, STET_LOCK_LOST, "the lock \"%.*s\" is not held with token %llu any more",
              VIEW_ARG(mutation->lock), (unsigned long long)mutation->lock_token);
    error_field(err, "lock", 0);
    return STET_LOCK_LOST;
}

/* ---- Time -------------------------------------------------------------------------------- */

static void locks_next_due(void *state, struct module_time *at) {
    struct locks *locks = state;
    leases_sweep(&locks->leases);
    const struct lock_entry *first = leases_first_due(&locks->leases);
    if (first != NULL) at->monotonic = first->wake_at;
}

static bool locks_due(void *state, const struct module_time *now, bool refused,
                      struct stet_command *command) {
    struct locks *locks = state;
    struct lock_entry *first = leases_first_due(&locks->leases);
    if (refused && first != NULL) {
        leases_put_off(&locks->leases, first, now->monotonic + DUE_RECHECK_S * CLOCK_NS_PER_S);
        first = leases_first_due(&locks->leases);
    }
    if (first == NULL || first->wake_at > now->monotonic) return false;
    struct lock_request *request = arena_zalloc(&command->arena, 1, sizeof *request);
    if (request == NULL) return false;
    request->wish = WISH_EXPIRE;
    request->name = arena_copy(&command->arena, entry_name(first));
    if (request->name.bytes == NULL) return false;
    command->kind = COMMAND_MODULE;
    command->actor.id = SYSTEM_ACTOR;
    command->module_data = request;
    return true;
}

/* ---- Answers ----------------------------------------------------------------------------- */

static void render_time(struct json_writer *writer, stet_view key, int64_t time) {
    json_key(writer, key);
    json_rfc3339(writer, time);
}

static void render_lock(struct json_writer *writer, const struct shown *shown) {
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), shown->name);
    json_member_u64(writer, VIEW("version"), shown->token);
    json_member_u64(writer, VIEW("seq"), shown->seq);
    json_member_text(writer, VIEW("holder"), shown->holder);
    json_member_u64(writer, VIEW("token"), shown->token);
    json_member_u64(writer, VIEW("ttl_s"), shown->ttl_s);
    render_time(writer, VIEW("acquired_at"), shown->acquired_at);
    render_time(writer, VIEW("expires_at"), shown->expires_at);
    if (!view_is_empty(shown->note)) json_member_text(writer, VIEW("note"), shown->note);
    json_member_u64(writer, VIEW("waiting"), shown->waiting);
    json_object_end(writer);
}

/* The first answer once more, from the change it made. */
static stet_status replay_lock(struct stet_command *command, struct shown *shown, stet_error *err) {
    struct store_reader *reader;
    struct store_change row;
    struct lock_data data;
    size_t offset = 0;
    uint64_t seq;
    unsigned flags;
    if (!command_decode_result(command->replay.result, &offset, &seq, &flags) || seq == 0)
        return error_set(err, STET_CORRUPT, "the receipt of a lock is damaged");
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    status = store_change_at(reader, &command->arena, seq, &row, err);
    space_reader_give(command->space, reader);
    if (status != STET_OK) return status;
    status = read_data(&command->arena, row.data, &data, err);
    if (status != STET_OK) return status;
    *shown = (struct shown){
        .name = row.id,
        .holder = data.holder,
        .note = data.note,
        .token = row.version,
        .seq = row.seq,
        .ttl_s = data.ttl_s,
        .acquired_at = row.stamp,
        .expires_at = row.stamp + (int64_t)data.ttl_s * CLOCK_NS_PER_S,
    };
    return STET_OK;
}

static stet_status answer_lock(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    struct lock_request *request = command->module_data;
    stet_outcome *outcome = &command->outcome;
    if (command->replayed) {
        stet_status status = replay_lock(command, &request->shown, err);
        if (status != STET_OK) return status;
        outcome->replayed = true;
    }
    outcome->version = request->shown.token;
    outcome->created = request->wish == WISH_ACQUIRE;
    if (command->minimal) return STET_OK;
    render_lock(writer, &request->shown);
    return STET_OK;
}

static stet_status answer_release(struct stet_command *command, struct json_writer *writer,
                                  stet_error *err) {
    const struct lock_request *request = command->module_data;
    (void)err;
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), request->name);
    json_member_bool(writer, VIEW("released"), true);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

static stet_status answer_list(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    const struct lock_request *request = command->module_data;
    (void)err;
    json_object_begin(writer);
    json_key(writer, VIEW("locks"));
    json_array_begin(writer);
    for (size_t i = 0; i < request->row_count; i++)
        render_lock(writer, &request->rows[i]);
    json_array_end(writer);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    if (!view_is_empty(request->next)) json_member_text(writer, VIEW("next"), request->next);
    json_object_end(writer);
    return STET_OK;
}

/* With LOCKED: who is in the way, and for how long at most. */
static void explain_locked(struct stet_command *command, struct json_writer *writer) {
    const struct shown *shown = &((struct lock_request *)command->module_data)->shown;
    if (command->status != STET_LOCKED) return;
    json_member_text(writer, VIEW("id"), shown->name);
    if (!view_is_empty(shown->holder)) {
        json_member_text(writer, VIEW("holder"), shown->holder);
        render_time(writer, VIEW("expires_at"), shown->expires_at);
        if (!view_is_empty(shown->note)) json_member_text(writer, VIEW("note"), shown->note);
    }
    json_member_u64(writer, VIEW("waiting"), shown->waiting);
    json_member_u64(writer, VIEW("retry_after"),
                    (uint64_t)((shown->left_ns + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S));
}

/* ---- Filling ----------------------------------------------------------------------------- */

static stet_status fill(struct stet_command *command, enum wish wish, stet_view name,
                        struct lock_request **request, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = wish == WISH_LIST ? STET_OK : check_id(name, "name", err);
    if (status != STET_OK) return status;
    *request = arena_zalloc(&command->arena, 1, sizeof **request);
    if (*request == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    (*request)->wish = wish;
    (*request)->name = arena_copy(&command->arena, name);
    if ((*request)->name.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    command->owner = &locks_module;
    command->module_data = *request;
    return STET_OK;
}

static stet_status check_seconds(unsigned value, unsigned most, const char *field,
                                 stet_error *err) {
    if (value <= most) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "%s must be at most %u", field, most);
    error_field(err, field, most);
    return STET_BAD_REQUEST;
}

/* Two acquisitions are the same request when they ask for the same; how long they would wait does not matter. */
static void hash_request(struct stet_command *command, const struct lock_request *request) {
    crypto_generichash_state hash;
    uint64_t sizes[] = {request->wish, request->name.size, request->note.size, request->ttl_s};
    crypto_generichash_init(&hash, NULL, 0, STORE_HASH_BYTES);
    crypto_generichash_update(&hash, (const unsigned char *)sizes, sizeof sizes);
    crypto_generichash_update(&hash, (const unsigned char *)request->name.bytes,
                              request->name.size);
    crypto_generichash_update(&hash, (const unsigned char *)request->note.bytes,
                              request->note.size);
    crypto_generichash_final(&hash, command->request_hash, STORE_HASH_BYTES);
}

static_assert(STORE_HASH_BYTES >= crypto_generichash_BYTES_MIN, "one hash fills the column");

stet_status locks_fill_acquire(struct stet_command *command, const stet_lock_request *asked,
                               stet_error *err) {
    struct lock_request *request = NULL;
    stet_status status = fill(command, WISH_ACQUIRE, asked->name, &request, err);
    if (status == STET_OK) status = check_seconds(asked->ttl_s, LOCK_TTL_S_MAX, "ttl_s", err);
    if (status == STET_OK) status = check_seconds(asked->wait_s, WAIT_S_MAX, "wait_s", err);
    if (status != STET_OK) return status;
    if (asked->note.size > LOCK_NOTE_BYTES_MAX || !view_is_utf8(asked->note)) {
        error_set(err, STET_BAD_REQUEST, "the note must be UTF-8 of at most %d bytes",
                  LOCK_NOTE_BYTES_MAX);
        error_field(err, "note", LOCK_NOTE_BYTES_MAX);
        return STET_BAD_REQUEST;
    }
    request->ttl_s = asked->ttl_s == 0 ? LOCK_TTL_S_DEFAULT : asked->ttl_s;
    request->wait_s = asked->wait_s;
    request->note = arena_copy(&command->arena, asked->note);
    if (request->note.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    if (asked->mutation_key.size > 0) {
        status = command_set_key(command, asked->mutation_key, err);
        if (status != STET_OK) return status;
        hash_request(command, request);
    }
    command->kind = COMMAND_MODULE;
    command->dry_run = asked->dry_run;
    command->answer = answer_lock;
    command->explain = explain_locked;
    return STET_OK;
}

stet_status locks_fill_renew(struct stet_command *command, stet_view name, uint64_t token,
                             unsigned ttl_s, stet_error *err) {
    struct lock_request *request = NULL;
    stet_status status = fill(command, WISH_RENEW, name, &request, err);
    if (status == STET_OK) status = check_seconds(ttl_s, LOCK_TTL_S_MAX, "ttl_s", err);
    if (status != STET_OK) return status;
    request->token = token;
    request->ttl_s = ttl_s;
    command->kind = COMMAND_MODULE;
    command->answer = answer_lock;
    return STET_OK;
}

stet_status locks_fill_release(struct stet_command *command, stet_view name, uint64_t token,
                               stet_error *err) {
    struct lock_request *request = NULL;
    stet_status status = fill(command, WISH_RELEASE, name, &request, err);
    if (status != STET_OK) return status;
    request->token = token;
    command->kind = COMMAND_MODULE;
    command->answer = answer_release;
    return STET_OK;
}

stet_status locks_fill_read(struct stet_command *command, stet_view name, stet_error *err) {
    struct lock_request *request = NULL;
    stet_status status = fill(command, WISH_READ, name, &request, err);
    if (status != STET_OK) return status;
    command->kind = COMMAND_MODULE;
    command->answer = answer_lock;
    return STET_OK;
}

/* One live record, for a page. */
static stet_status read_row(struct arena *arena, struct store_reader *reader,
                            const struct store_row *row, struct shown *shown, stet_error *err) {
    struct store_change change;
    struct lock_data data;
    stet_status status = store_change_at(reader, arena, row->head.seq, &change, err);
    if (status == STET_OK) status = read_data(arena, change.data, &data, err);
    if (status != STET_OK) return status;
    *shown = (struct shown){
        .name = row->id,
        .holder = data.holder,
        .note = data.note,
        .token = row->head.version,
        .seq = row->head.seq,
        .ttl_s = data.ttl_s,
        .acquired_at = change.stamp,
    };
    return STET_OK;
}

/* On a worker: the records of a page. When the leases end is only known on the sequencer, where the command goes next. */
static stet_status list_hop(struct stet_command *command, struct store_reader *reader,
                            stet_error *err) {
    struct lock_request *request = command->module_data;
    struct arena *arena = &command->arena;
    struct store_row *rows = arena_zalloc(arena, SCAN_CHUNK, sizeof *rows);
    size_t count, seen = 0;
    request->rows = arena_zalloc(arena, request->limit, sizeof *request->rows);
    if (rows == NULL || request->rows == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    request->row_count = 0;
    stet_view after = request->after;
    do {
        stet_status status = store_scan(reader, arena, TYPE, after, SCAN_CHUNK, rows, &count, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < count; i++) {
            if (!rows[i].head.deleted) {
                if (request->row_count == request->limit) {
                    request->next = request->rows[request->row_count - 1].name;
                    return STET_OK;
                }
                status =
                    read_row(arena, reader, &rows[i], &request->rows[request->row_count++], err);
                if (status != STET_OK) return status;
            }
            after = rows[i].id;
        }
        seen += count;
        if (count == SCAN_CHUNK && seen >= LIST_ROWS_MAX) {
            request->next = after;
            return STET_OK;
        }
    } while (count == SCAN_CHUNK);
    return STET_OK;
}

stet_status locks_fill_list(struct stet_command *command, stet_view after, unsigned limit,
                            stet_error *err) {
    struct lock_request *request = NULL;
    if (limit > LIST_LIMIT_MAX) {
        error_set(err, STET_BAD_REQUEST, "a page has at most %d entries", LIST_LIMIT_MAX);
        error_field(err, "limit", LIST_LIMIT_MAX);
        return STET_BAD_REQUEST;
    }
    stet_status status = fill(command, WISH_LIST, (stet_view){0}, &request, err);
    if (status != STET_OK) return status;
    request->after = arena_copy(&command->arena, after);
    if (request->after.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    request->limit = limit == 0 ? LIST_LIMIT_DEFAULT : limit;
    command->kind = COMMAND_MODULE;
    command->answer = answer_list;
    command->hop = list_hop;
    return STET_OK;
}

/* ---- The module -------------------------------------------------------------------------- */

/* Who holds what is no secret: whoever waits has to know whom to ask. */
static bool locks_may_read(const struct space *space, const stet_actor *actor,
                           const struct store_change *change) {
    (void)space, (void)actor, (void)change;
    return true;
}

static const char *const types[] = {"stet.lock", NULL};

const struct module locks_module = {
    .name = "locks",
    .types = types,
    .open = locks_open,
    .close = locks_close,
    .reset = locks_reset,
    .load = locks_load,
    .apply = locks_apply,
    .admit = locks_admit,
    .decide = locks_decide,
    .next_due = locks_next_due,
    .due = locks_due,
    .may_read = locks_may_read,
};
