#include "modules/people/roster.h"

#include "base/error.h"
#include "base/view.h"

#include <assert.h>
#include <stdlib.h>

enum { ROWS_FIRST = 64, LINKS_FIRST = 16 };

stet_status roster_init(struct roster *roster, uint64_t seed) {
    *roster = (struct roster){.seed = seed, .rows = ROWS_FIRST};
    roster->ids = calloc(ROWS_FIRST, sizeof *roster->ids);
    roster->users = calloc(ROWS_FIRST, sizeof *roster->users);
    pthread_mutex_init(&roster->lock, NULL);
    return roster->ids == NULL || roster->users == NULL ? STET_NO_MEMORY : STET_OK;
}

static stet_view session_id(const struct roster_session *session) {
    return view_make(session->id, SECRET_ID_BYTES);
}
static stet_view session_user(const struct roster_session *session) {
    return view_make(session->user, session->user_bytes);
}

static size_t row_of(const struct roster *roster, stet_view name) {
    return (size_t)view_hash(name, roster->seed) & (roster->rows - 1);
}

/* ---- The tables: under the lock ---------------------------------------------------------- */

static void put(struct roster *roster, struct roster_session *session) {
    struct roster_session **id = &roster->ids[row_of(roster, session_id(session))];
    struct roster_session **user = &roster->users[row_of(roster, session_user(session))];
    session->by_id = *id;
    *id = session;
    session->by_user = *user;
    *user = session;
}

static struct roster_session *find(const struct roster *roster, stet_view id) {
    if (id.size != SECRET_ID_BYTES) return NULL;
    struct roster_session *session = roster->ids[row_of(roster, id)];
    while (session != NULL && memcmp(session->id, id.bytes, SECRET_ID_BYTES) != 0)
        session = session->by_id;
    return session;
}

static void leave_notes(struct roster *roster, struct roster_session *session) {
    struct roster_session **slot = &roster->note_first, *before = NULL;
    while (*slot != NULL && *slot != session) {
        before = *slot;
        slot = &(*slot)->next_note;
    }
    if (*slot == NULL) return;
    *slot = session->next_note;
    if (roster->note_last == session) roster->note_last = before;
}

static void take_out(struct roster *roster, struct roster_session *session) {
    struct roster_session **slot = &roster->ids[row_of(roster, session_id(session))];
    while (*slot != session)
        slot = &(*slot)->by_id;
    *slot = session->by_id;
    slot = &roster->users[row_of(roster, session_user(session))];
    while (*slot != session)
        slot = &(*slot)->by_user;
    *slot = session->by_user;
    if (session->noting) leave_notes(roster, session);
    roster->count--;
    free(session);
}

/* More rows when there are as many sessions. Without memory for them the rows only grow longer. */
static void grow(struct roster *roster) {
    if (roster->count < roster->rows) return;
    size_t rows = roster->rows * 2, old_rows = roster->rows;
    struct roster_session **ids = calloc(rows, sizeof *ids), **old = roster->ids;
    struct roster_session **users = calloc(rows, sizeof *users);
    if (ids == NULL || users == NULL) {
        free(ids);
        free(users);
        return;
    }
    free(roster->users);
    roster->ids = ids;
    roster->users = users;
    roster->rows = rows;
    for (size_t row = 0; row < old_rows; row++) {
        for (struct roster_session *session = old[row]; session != NULL;) {
            struct roster_session *next = session->by_id;
            put(roster, session);
            session = next;
        }
    }
    free(old);
}

void roster_done(struct roster *roster) {
    roster_unprepare(roster);
    for (size_t row = 0; roster->ids != NULL && row < roster->rows; row++) {
        while (roster->ids[row] != NULL) {
            struct roster_session *session = roster->ids[row];
            roster->ids[row] = session->by_id;
            free(session);
        }
    }
    free(roster->ids);
    free(roster->users);
    free(roster->links);
    pthread_mutex_destroy(&roster->lock);
}

/* ---- The projection ---------------------------------------------------------------------- */

static struct roster_session *session_create(stet_view id, stet_view user) {
    struct roster_session *session = calloc(1, sizeof *session + user.size);
    if (session == NULL) return NULL;
    assert(id.size == SECRET_ID_BYTES);
    memcpy(session->id, id.bytes, SECRET_ID_BYTES);
    session->user_bytes = user.size;
    if (user.size > 0) memcpy(session->user, user.bytes, user.size);
    return session;
}

/* What a record says goes into the roster; what we know to be later stays. */
static void fill(struct roster_session *session, const struct session_record *record) {
    session->ends_at = record->ends_at;
    session->idle_ns = record->idle_ns;
    session->noted_at = record->used_at;
    if (session->used_at < record->used_at) session->used_at = record->used_at;
    session->loaded = true;
}

stet_status roster_prepare_session(struct roster *roster, stet_view id,
                                   const struct session_record *record, stet_error *err) {
    struct roster_session *session = session_create(id, record->user);
    if (session == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for sessions");
    fill(session, record);
    session->by_id = roster->prepared;
    roster->prepared = session;
    pthread_mutex_lock(&roster->lock);
    grow(roster);
    pthread_mutex_unlock(&roster->lock);
    return STET_OK;
}

void roster_unprepare(struct roster *roster) {
    while (roster->prepared != NULL) {
        struct roster_session *session = roster->prepared;
        roster->prepared = session->by_id;
        free(session);
    }
}

static struct roster_session *take_prepared(struct roster *roster, stet_view id) {
    struct roster_session **slot = &roster->prepared;
    while (*slot != NULL && !view_equal(session_id(*slot), id))
        slot = &(*slot)->by_id;
    struct roster_session *session = *slot;
    if (session != NULL) *slot = session->by_id;
    return session;
}

static stet_status reserve_link(struct roster *roster, stet_error *err) {
    if (roster->link_count < roster->link_capacity) return STET_OK;
    size_t capacity = roster->link_capacity == 0 ? LINKS_FIRST : roster->link_capacity * 2;
    struct roster_link *links = realloc(roster->links, capacity * sizeof *links);
    if (links == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for links");
    roster->links = links;
    roster->link_capacity = capacity;
    return STET_OK;
}

static void set_link(struct roster_link *link, stet_view id, int64_t expires_at) {
    assert(id.size == SECRET_ID_BYTES);
    memcpy(link->id, id.bytes, SECRET_ID_BYTES);
    link->expires_at = expires_at;
}

stet_status roster_prepare_link(struct roster *roster, stet_view id, int64_t expires_at,
                                stet_error *err) {
    set_link(&roster->prepared_link, id, expires_at);
    return reserve_link(roster, err);
}

/* Under the lock. */
static void forget_notes(struct roster *roster) {
    for (size_t row = 0; row < roster->rows; row++)
        for (struct roster_session *session = roster->ids[row]; session != NULL;
             session = session->by_id)
            session->noting = false;
    roster->note_first = roster->note_last = NULL;
}

void roster_reset(struct roster *roster) {
    pthread_mutex_lock(&roster->lock);
    for (size_t row = 0; row < roster->rows; row++)
        for (struct roster_session *session = roster->ids[row]; session != NULL;
             session = session->by_id)
            session->loaded = false;
    forget_notes(roster); /* The commands that were to note them are gone, too. */
    pthread_mutex_unlock(&roster->lock);
    roster->link_count = 0;
    roster->users_count = 0;
}

static stet_status load_session(struct roster *roster, struct arena *arena,
                                const struct store_change *head, stet_error *err) {
    struct session_record record;
    if (head->id.size != SECRET_ID_BYTES)
        return error_set(err, STET_CORRUPT, "the record of a session is damaged");
    stet_status status = session_read(arena, head->data, &record, err);
    if (status != STET_OK) return status;
    pthread_mutex_lock(&roster->lock);
    struct roster_session *session = find(roster, head->id);
    if (session == NULL) {
        grow(roster);
        session = session_create(head->id, record.user);
        if (session != NULL) {
            put(roster, session);
            roster->count++;
        }
    }
    if (session != NULL) fill(session, &record);
    pthread_mutex_unlock(&roster->lock);
    return session == NULL ? error_set(err, STET_NO_MEMORY, "out of memory for sessions") : STET_OK;
}

static stet_status load_link(struct roster *roster, struct arena *arena,
                             const struct store_change *head, stet_error *err) {
    struct link_record record;
    if (head->id.size != SECRET_ID_BYTES)
        return error_set(err, STET_CORRUPT, "the record of a link is damaged");
    stet_status status = link_read(arena, head->data, &record, err);
    if (status == STET_OK) status = reserve_link(roster, err);
    if (status == STET_OK)
        set_link(&roster->links[roster->link_count++], head->id, record.expires_at);
    return status;
}

stet_status roster_load(struct roster *roster, const struct store_change *head, stet_error *err) {
    struct arena arena;
    stet_status status = STET_OK;
    arena_init(&arena, 1024);
    if (view_equal(head->type, SESSION_TYPE)) status = load_session(roster, &arena, head, err);
    if (view_equal(head->type, LINK_TYPE)) status = load_link(roster, &arena, head, err);
    if (view_equal(head->type, USER_TYPE)) roster->users_count++;
    arena_done(&arena);
    return status;
}

void roster_loaded(struct roster *roster) {
    pthread_mutex_lock(&roster->lock);
    for (size_t row = 0; row < roster->rows; row++) {
        struct roster_session *session = roster->ids[row];
        while (session != NULL) {
            struct roster_session *next = session->by_id;
            if (!session->loaded) take_out(roster, session);
            session = next;
        }
    }
    pthread_mutex_unlock(&roster->lock);
}

static void apply_session(struct roster *roster, const struct store_change *change) {
    struct roster_session *prepared = take_prepared(roster, change->id);
    pthread_mutex_lock(&roster->lock);
    struct roster_session *session = find(roster, change->id);
    if (change->op == STORE_DELETE) {
        if (session != NULL) take_out(roster, session);
    } else if (session == NULL) {
        assert(prepared != NULL);
        put(roster, prepared);
        roster->count++;
        prepared = NULL;
    } else {
        assert(prepared != NULL);
        session->ends_at = prepared->ends_at;
        session->idle_ns = prepared->idle_ns;
        session->noted_at = prepared->noted_at;
        if (session->used_at < prepared->used_at) session->used_at = prepared->used_at;
        session->noting = false;
    }
    pthread_mutex_unlock(&roster->lock);
    free(prepared);
}

static void apply_link(struct roster *roster, const struct store_change *change) {
    size_t i = 0;
    while (i < roster->link_count &&
           memcmp(roster->links[i].id, change->id.bytes, SECRET_ID_BYTES) != 0)
        i++;
    if (change->op == STORE_DELETE) {
        if (i < roster->link_count) roster->links[i] = roster->links[--roster->link_count];
        return;
    }
    assert(memcmp(roster->prepared_link.id, change->id.bytes, SECRET_ID_BYTES) == 0);
    if (i == roster->link_count) roster->link_count++;
    assert(roster->link_count <= roster->link_capacity);
    roster->links[i] = roster->prepared_link;
}

void roster_apply(struct roster *roster, const struct store_change *change) {
    if (view_equal(change->type, SESSION_TYPE)) apply_session(roster, change);
    if (view_equal(change->type, LINK_TYPE)) apply_link(roster, change);
    if (!view_equal(change->type, USER_TYPE)) return;
    if (change->op == STORE_CREATE) roster->users_count++;
    if (change->op == STORE_DELETE) roster->users_count--;
}

/* ---- Looking ----------------------------------------------------------------------------- */

static bool is_over(const struct roster_session *session, int64_t now) {
    return now >= roster_over_at(session->ends_at, session->idle_ns, session->used_at);
}

bool roster_lives(struct roster *roster, stet_view id, stet_view user, int64_t now) {
    pthread_mutex_lock(&roster->lock);
    const struct roster_session *session = find(roster, id);
    bool lives =
        session != NULL && view_equal(session_user(session), user) && !is_over(session, now);
    pthread_mutex_unlock(&roster->lock);
    return lives;
}

enum roster_touch roster_touch(struct roster *roster, stet_view id, stet_use use, int64_t now,
                               int64_t *used_at) {
    enum roster_touch touch = ROSTER_UNKNOWN;
    pthread_mutex_lock(&roster->lock);
    struct roster_session *session = find(roster, id);
    if (session != NULL) {
        touch = ROSTER_TOUCHED;
        if (*used_at < session->used_at) *used_at = session->used_at;
        /* A session that is over stays so, whoever wants to use it. */
        if (use == STET_USE && !is_over(session, now) && session->used_at < now)
            session->used_at = now;
        if (use == STET_USE && !session->noting &&
            session->used_at - session->noted_at >= session->idle_ns / 4) {
            session->noting = true;
            session->next_note = NULL;
            if (roster->note_last != NULL) roster->note_last->next_note = session;
            if (roster->note_first == NULL) roster->note_first = session;
            roster->note_last = session;
            touch = ROSTER_TO_NOTE;
        }
    }
    pthread_mutex_unlock(&roster->lock);
    return touch;
}

stet_status roster_of_user(struct roster *roster, struct arena *arena, stet_view user,
                           stet_view **ids, int64_t **used, size_t *count, stet_error *err) {
    stet_status status = STET_OK;
    size_t found = 0, i = 0;
    pthread_mutex_lock(&roster->lock);
    struct roster_session *first = roster->users[row_of(roster, user)];
    for (struct roster_session *session = first; session != NULL; session = session->by_user)
        found += view_equal(session_user(session), user);
    stet_view *out = arena_alloc(arena, (found + 1) * sizeof *out);
    int64_t *times = arena_alloc(arena, (found + 1) * sizeof *times);
    if (out == NULL || times == NULL) status = STET_NO_MEMORY;
    for (struct roster_session *session = first; status == STET_OK && session != NULL;
         session = session->by_user) {
        if (!view_equal(session_user(session), user)) continue;
        out[i] = arena_copy(arena, session_id(session));
        times[i] = session->used_at;
        if (out[i++].bytes == NULL) status = STET_NO_MEMORY;
    }
    pthread_mutex_unlock(&roster->lock);
    if (status != STET_OK) return error_set(err, status, "out of memory for sessions");
    *ids = out;
    if (used != NULL) *used = times;
    *count = found;
    return STET_OK;
}

/* ---- Notes and ends ---------------------------------------------------------------------- */

bool roster_has_notes(struct roster *roster) {
    pthread_mutex_lock(&roster->lock);
    bool has = roster->note_first != NULL;
    pthread_mutex_unlock(&roster->lock);
    return has;
}

size_t roster_take_notes(struct roster *roster, struct arena *arena, size_t max, stet_view *ids,
                         int64_t *used_at) {
    size_t count = 0;
    pthread_mutex_lock(&roster->lock);
    while (count < max && roster->note_first != NULL) {
        struct roster_session *session = roster->note_first;
        ids[count] = arena_copy(arena, session_id(session));
        if (ids[count].bytes == NULL) break;
        used_at[count++] = session->used_at;
        roster->note_first = session->next_note;
        if (roster->note_first == NULL) roster->note_last = NULL;
    }
    pthread_mutex_unlock(&roster->lock);
    return count;
}

void roster_forget_notes(struct roster *roster) {
    pthread_mutex_lock(&roster->lock);
    forget_notes(roster);
    pthread_mutex_unlock(&roster->lock);
}

size_t roster_find_over(struct roster *roster, struct arena *arena, int64_t now, size_t max,
                        stet_view *ids) {
    size_t count = 0;
    pthread_mutex_lock(&roster->lock);
    for (size_t row = 0; row < roster->rows && count < max; row++) {
        for (struct roster_session *session = roster->ids[row]; session != NULL && count < max;
             session = session->by_id) {
            if (!is_over(session, now)) continue;
            ids[count] = arena_copy(arena, session_id(session));
            if (ids[count].bytes == NULL) goto done;
            count++;
        }
    }
done:
    pthread_mutex_unlock(&roster->lock);
    return count;
}

size_t roster_find_expired_links(const struct roster *roster, struct arena *arena, int64_t now,
                                 size_t max, stet_view *ids) {
    size_t count = 0;
    for (size_t i = 0; i < roster->link_count && count < max; i++) {
        if (roster->links[i].expires_at > now) continue;
        ids[count] = arena_copy(arena, view_make(roster->links[i].id, SECRET_ID_BYTES));
        if (ids[count].bytes == NULL) break;
        count++;
    }
    return count;
}
