/*
 * The module: its state, what its commands are decided by, and what time makes of sessions and links.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/read.h"
#include "modules/people/internal.h"

#include <stdlib.h>

/* ---- State ------------------------------------------------------------------------------- */

static void crowd_destroy(void *context) {
    struct crowd *crowd = context;
    if (crowd == NULL) return;
    attempts_destroy(crowd->attempts);
    tickets_destroy(crowd->tickets);
    pthread_mutex_destroy(&crowd->lock);
    free(crowd);
}

/* The first space that is opened, while nobody else is there yet, gets it for the engine. */
static stet_status open_crowd(stet_engine *engine, stet_error *err) {
    if (engine->people != NULL) return STET_OK;
    struct crowd *crowd = calloc(1, sizeof *crowd);
    if (crowd == NULL) return out_of_memory(err);
    pthread_mutex_init(&crowd->lock, NULL);
    crowd->attempts = attempts_create(engine->entropy);
    crowd->tickets = tickets_create();
    if (crowd->attempts == NULL || crowd->tickets == NULL) {
        crowd_destroy(crowd);
        return out_of_memory(err);
    }
    engine->people = crowd;
    engine->people_destroy = crowd_destroy;
    return STET_OK;
}

static void people_close(void *state) {
    struct people *people = state;
    if (people == NULL) return;
    roster_done(&people->roster);
    free(people);
}

static stet_status people_open(struct space *space, void **state, stet_error *err) {
    stet_status status = open_crowd(space->engine, err);
    if (status != STET_OK) return status;
    struct people *people = calloc(1, sizeof *people);
    if (people == NULL) return out_of_memory(err);
    people->space = space;
    if (roster_init(&people->roster, space->hash_seed) != STET_OK) {
        people_close(people);
        return out_of_memory(err);
    }
    *state = people;
    return STET_OK;
}

struct people *people_of(struct space *space) {
    for (size_t i = 0; i < space->module_count; i++)
        if (space->modules[i].module == &people_module) return space->modules[i].state;
    return NULL;
}

struct crowd *crowd_of(const stet_engine *engine) {
    return engine->people;
}

static void people_reset(void *state) { roster_reset(&((struct people *)state)->roster); }

static stet_status people_load(void *state, const struct store_change *head, stet_error *err) {
    return roster_load(&((struct people *)state)->roster, head, err);
}

static stet_status people_loaded(void *state, stet_error *err) {
    (void)err;
    roster_loaded(&((struct people *)state)->roster);
    return STET_OK;
}

static void people_apply(void *state, const struct store_change *change) {
    roster_apply(&((struct people *)state)->roster, change);
}

/* ---- Records ----------------------------------------------------------------------------- */

stet_status out_of_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory");
}

stet_status need_admin(const struct stet_command *command, const char *what, stet_error *err) {
    if (command->actor.admin) return STET_OK;
    return error_set(err, STET_FORBIDDEN, "only an administrator may %s", what);
}

static stet_status staged(struct staging *staging, stet_view type, stet_view id, bool *found,
                          struct store_head *head, struct store_change *row, stet_error *err) {
    stet_status status = staging_read(staging, type, id, head, row, err);
    *found = status == STET_OK && head->version > 0 && !head->deleted;
    return status;
}

stet_status staged_user(struct staging *staging, stet_view id, bool *found, struct store_head *head,
                        struct user_record *user, stet_error *err) {
    struct store_change row;
    *user = (struct user_record){0};
    stet_status status = staged(staging, USER_TYPE, id, found, head, &row, err);
    return *found ? user_read(staging_arena(staging), row.data, user, err) : status;
}

stet_status staged_session(struct staging *staging, stet_view id, bool *found,
                           struct store_head *head, struct session_record *session,
                           stet_error *err) {
    struct store_change row;
    stet_status status = staged(staging, SESSION_TYPE, id, found, head, &row, err);
    return *found ? session_read(staging_arena(staging), row.data, session, err) : status;
}

stet_status staged_link(struct staging *staging, stet_view id, bool *found,
                        struct link_record *link, stet_error *err) {
    struct store_head head;
    struct store_change row;
    stet_status status = staged(staging, LINK_TYPE, id, found, &head, &row, err);
    return *found ? link_read(staging_arena(staging), row.data, link, err) : status;
}

static stet_status stored(struct store_reader *reader, struct arena *arena, stet_view type,
                          stet_view id, bool *found, struct store_change *row, stet_error *err) {
    struct store_head head;
    stet_status status = store_head(reader, type, id, &head, err);
    *found = status == STET_OK && head.version > 0 && !head.deleted;
    return *found ? store_change_at(reader, arena, head.seq, row, err) : status;
}

stet_status stored_user(struct store_reader *reader, struct arena *arena, stet_view id, bool *found,
                        struct store_change *row, struct user_record *user, stet_error *err) {
    *user = (struct user_record){0};
    stet_status status = stored(reader, arena, USER_TYPE, id, found, row, err);
    return status == STET_OK && *found ? user_read(arena, row->data, user, err) : status;
}

stet_status stored_link(struct store_reader *reader, struct arena *arena, stet_view id, bool *found,
                        struct link_record *link, stet_error *err) {
    struct store_change row;
    stet_status status = stored(reader, arena, LINK_TYPE, id, found, &row, err);
    return status == STET_OK && *found ? link_read(arena, row.data, link, err) : status;
}

/* Only followers of this one type learn that something is no longer kept, and nobody may follow it. */
static stet_status put(struct staging *staging, stet_view type, stet_view id, stet_view data,
                       stet_error *err) {
    struct store_head before;
    if (data.size == 0) return out_of_memory(err);
    stet_status status = staging_read(staging, type, id, &before, NULL, err);
    if (status == STET_OK) status = staging_put(staging, type, id, data, (stet_view){0}, NULL, err);
    if (status != STET_OK || before.version == 0 || before.deleted) return status;
    status = batch_reserve_prune(staging->batch, err);
    if (status == STET_OK) batch_add_prune(staging->batch, before.seq, type);
    return status;
}

stet_status put_user(struct people *people, struct staging *staging, stet_view id,
                     const struct user_record *user, stet_error *err) {
    (void)people;
    return put(staging, USER_TYPE, id, user_write(staging_arena(staging), user), err);
}

stet_status put_session(struct people *people, struct staging *staging, stet_view id,
                        const struct session_record *session, stet_error *err) {
    stet_status status = roster_prepare_session(&people->roster, id, session, err);
    if (status != STET_OK) return status;
    return put(staging, SESSION_TYPE, id, session_write(staging_arena(staging), session), err);
}

stet_status put_link(struct people *people, struct staging *staging, stet_view id,
                     const struct link_record *link, stet_error *err) {
    stet_status status = roster_prepare_link(&people->roster, id, link->expires_at, err);
    if (status != STET_OK) return status;
    return put(staging, LINK_TYPE, id, link_write(staging_arena(staging), link), err);
}

stet_status end_sessions(struct people *people, struct staging *staging, stet_view user,
                         stet_view keep, size_t *ended, stet_error *err) {
    stet_view *ids;
    size_t count, done = 0;
    stet_status status =
        roster_of_user(&people->roster, staging_arena(staging), user, &ids, NULL, &count, err);
    for (size_t i = 0; i < count && status == STET_OK; i++) {
        if (keep.size > 0 && view_equal(ids[i], keep)) continue;
        status = staging_forget(staging, SESSION_TYPE, ids[i], err);
        done++;
    }
    if (status == STET_OK) *ended = done;
    return status;
}

/* ---- Tasks ------------------------------------------------------------------------------- */

void *task_fill(struct stet_command *command, size_t size, stet_status *status, stet_error *err) {
    if (command->kind != COMMAND_EMPTY) {
        *status = error_set(err, STET_MISUSE, "the command is filled already");
        return NULL;
    }
    void *task = arena_zalloc(&command->arena, 1, size);
    *status = task == NULL ? out_of_memory(err) : STET_OK;
    if (task == NULL) return NULL;
    command->owner = &people_module;
    command->module_data = task;
    return task;
}

stet_view people_secret(const struct stet_command *command) {
    if (command->owner != &people_module || command->kind != COMMAND_MODULE || !command->done ||
        command->status != STET_OK)
        return (stet_view){0};
    return view_of(((const struct task *)command->module_data)->secret);
}

static stet_status people_decide(void *state, struct staging *staging, struct stet_command *command,
                                 const struct module_time *now, stet_error *err) {
    struct people *people = state;
    struct task *task = command->module_data;
    roster_unprepare(&people->roster);
    return task->decide(people, staging, task, now, err);
}

static stet_status people_enter(void *state, const stet_actor *actor, const struct module_time *now,
                                stet_error *err) {
    struct people *people = state;
    /* A clock that jumped ahead and is not believed yet ends nothing. */
    int64_t time = now->wall_held ? 0 : now->wall;
    if (roster_lives(&people->roster, actor->session, actor->id, time)) return STET_OK;
    return error_set(err, STET_SESSION_ENDED, "you were logged out");
}

/* ---- Time -------------------------------------------------------------------------------- */

/* What is over, or is to be noted; in the command's arena. */
struct upkeep {
    struct task task;
    stet_view *sessions, *links;
    size_t session_count, link_count;
    stet_view *noted;
    int64_t *used_at;
    size_t noted_count;
};

static stet_status decide_upkeep(struct people *people, struct staging *staging, struct task *task,
                                 const struct module_time *now, stet_error *err) {
    struct upkeep *upkeep = (struct upkeep *)task;
    stet_status status = STET_OK;
    (void)now;
    for (size_t i = 0; i < upkeep->session_count && status == STET_OK; i++)
        status = staging_forget(staging, SESSION_TYPE, upkeep->sessions[i], err);
    for (size_t i = 0; i < upkeep->link_count && status == STET_OK; i++)
        status = staging_forget(staging, LINK_TYPE, upkeep->links[i], err);
    for (size_t i = 0; i < upkeep->noted_count && status == STET_OK; i++) {
        struct session_record record;
        struct store_head head;
        bool found;
        status = staged_session(staging, upkeep->noted[i], &found, &head, &record, err);
        if (status != STET_OK || !found) continue;
        record.used_at = upkeep->used_at[i];
        status = put_session(people, staging, upkeep->noted[i], &record, err);
    }
    return status;
}

static void people_next_due(void *state, struct module_time *at) {
    struct people *people = state;
    bool any = people->roster.count > 0 || people->roster.link_count > 0;
    if (any) at->monotonic = people->sweep_at;
    if (roster_has_notes(&people->roster) && people->notes_at < at->monotonic)
        at->monotonic = people->notes_at;
}

static bool has_work(const struct upkeep *upkeep) {
    return upkeep->session_count + upkeep->link_count + upkeep->noted_count > 0;
}

/* A refusal (memory may be out, or the disk is full) puts everything off to the next sweep. */
static bool people_due(void *state, const struct module_time *now, bool refused,
                       struct stet_command *command) {
    struct people *people = state;
    struct arena *arena = &command->arena;
    struct upkeep *upkeep = arena_zalloc(arena, 1, sizeof *upkeep);
    bool sweeps = people->sweep_at <= now->monotonic && !refused;
    int64_t later = now->monotonic + SESSION_SWEEP_S * CLOCK_NS_PER_S;
    if (sweeps || refused) people->sweep_at = later;
    if (refused) roster_forget_notes(&people->roster);
    people->notes_at = later; /* Unless it comes to taking them. */
    if (upkeep == NULL || refused) return false;
    upkeep->sessions = arena_zalloc(arena, SESSIONS_PER_SWEEP, sizeof *upkeep->sessions);
    upkeep->links = arena_zalloc(arena, SESSIONS_PER_SWEEP, sizeof *upkeep->links);
    upkeep->noted = arena_zalloc(arena, SESSIONS_PER_SWEEP, sizeof *upkeep->noted);
    upkeep->used_at = arena_zalloc(arena, SESSIONS_PER_SWEEP, sizeof *upkeep->used_at);
    if (upkeep->sessions == NULL || upkeep->links == NULL || upkeep->noted == NULL ||
        upkeep->used_at == NULL)
        return false;
    if (sweeps && !now->wall_held) {
        upkeep->session_count = roster_find_over(&people->roster, arena, now->wall,
                                                 SESSIONS_PER_SWEEP, upkeep->sessions);
        upkeep->link_count = roster_find_expired_links(&people->roster, arena, now->wall,
                                                       SESSIONS_PER_SWEEP, upkeep->links);
        /* There may be more. */
        if (upkeep->session_count == SESSIONS_PER_SWEEP || upkeep->link_count == SESSIONS_PER_SWEEP)
            people->sweep_at = now->monotonic;
    }
    upkeep->noted_count = roster_take_notes(&people->roster, arena, SESSIONS_PER_SWEEP,
                                            upkeep->noted, upkeep->used_at);
    if (upkeep->noted_count > 0 || !roster_has_notes(&people->roster)) people->notes_at = 0;
    if (!has_work(upkeep)) return false;
    upkeep->task.decide = decide_upkeep;
    command->kind = COMMAND_MODULE;
    command->actor.id = SYSTEM_ACTOR;
    command->module_data = upkeep;
    return true;
}

/* ---- Metrics ----------------------------------------------------------------------------- */

static void visit_sessions(void *state, module_sample *sample, void *context) {
    struct people *people = state;
    pthread_mutex_lock(&people->roster.lock);
    size_t count = people->roster.count;
    pthread_mutex_unlock(&people->roster.lock);
    sample(context, "", "", (double)count);
}

static void visit_logins(void *state, module_sample *sample, void *context) {
    static const char *const labels[LOGIN_RESULTS] = {",result=\"ok\"", ",result=\"refused\"",
                                                      ",result=\"limited\""};
    const struct people *people = state;
    for (size_t i = 0; i < LOGIN_RESULTS; i++)
        sample(context, "", labels[i],
               (double)atomic_load_explicit(&people->logins[i], memory_order_relaxed));
}

static const struct module_metric metrics[] = {
    {"stet_sessions", "Sessions of people that are not over.", STET_METRIC_GAUGE, visit_sessions},
    {"stet_logins_total", "Attempts to log in, by what came of them.", STET_METRIC_COUNTER,
     visit_logins},
    {0},
};

static const char *const types[] = {"stet.user", "stet.session", "stet.link", NULL};

const struct module people_module = {
    .name = "people",
    .types = types,
    .open = people_open,
    .close = people_close,
    .reset = people_reset,
    .load = people_load,
    .loaded = people_loaded,
    .enter = people_enter,
    .decide = people_decide,
    .next_due = people_next_due,
    .due = people_due,
    .apply = people_apply,
    .metrics = metrics,
};
