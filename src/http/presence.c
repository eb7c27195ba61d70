#include "http/presence.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/write.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 16384 };

/* A record that somebody has a seat at. */
struct presence_record {
    struct presence_record *next; /* In its bucket. */
    uint64_t hash;
    struct presence_seat *first, *last; /* By when they sat down. */
    uint64_t present;
    size_t space_size, address_size;
    char key[]; /* The space, then the address. */
};

/* Somebody who has a seat: that one user does not take all there are. */
struct presence_user {
    struct presence_user *next; /* In its bucket. */
    uint64_t hash;
    unsigned seat_count;
    size_t space_size, actor_size;
    char key[]; /* The space, then the actor. */
};

struct presence {
    pthread_mutex_t mutex;
    void (*wake)(void *context, unsigned loop);
    void *context;
    uint64_t seat_count, present;
    struct presence_record *buckets[BUCKETS];
    struct presence_user *users[BUCKETS];
    unsigned loop_count;
    struct presence_seat *marked[]; /* Of each loop. */
};

stet_status presence_create(unsigned loop_count, void (*wake)(void *context, unsigned loop),
                            void *context, struct presence **out, stet_error *err) {
    struct presence *presence =
        calloc(1, sizeof *presence + loop_count * sizeof presence->marked[0]);
    if (presence == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    pthread_mutex_init(&presence->mutex, NULL);
    presence->wake = wake;
    presence->context = context;
    presence->loop_count = loop_count;
    *out = presence;
    return STET_OK;
}

void presence_destroy(struct presence *presence) {
    if (presence == NULL) return;
    assert(presence->seat_count == 0);
    pthread_mutex_destroy(&presence->mutex);
    free(presence);
}

/* ---- Records ------------------------------------------------------------------------------- */

static stet_view record_space(const struct presence_record *record) {
    return view_make(record->key, record->space_size);
}

static stet_view record_address(const struct presence_record *record) {
    return view_make(record->key + record->space_size, record->address_size);
}

static uint64_t hash_of(stet_view space, stet_view name) {
    return view_hash(name, view_hash(space, 0));
}

static struct presence_record *record_find(struct presence *presence, stet_view space,
                                           stet_view address) {
    uint64_t hash = hash_of(space, address);
    struct presence_record *record = presence->buckets[hash % BUCKETS];
    while (record != NULL && !(record->hash == hash && view_equal(record_space(record), space) &&
                               view_equal(record_address(record), address)))
        record = record->next;
    return record;
}

static struct presence_record *record_get(struct presence *presence, stet_view space,
                                          stet_view address) {
    struct presence_record *record = record_find(presence, space, address);
    if (record != NULL) return record;
    record = calloc(1, sizeof *record + space.size + address.size);
    if (record == NULL) return NULL;
    record->hash = hash_of(space, address);
    record->space_size = space.size;
    record->address_size = address.size;
    memcpy(record->key, space.bytes, space.size);
    memcpy(record->key + space.size, address.bytes, address.size);
    struct presence_record **bucket = &presence->buckets[record->hash % BUCKETS];
    record->next = *bucket;
    *bucket = record;
    return record;
}

static void record_drop_empty(struct presence *presence, struct presence_record *record) {
    if (record->first != NULL) return;
    struct presence_record **at = &presence->buckets[record->hash % BUCKETS];
    while (*at != record)
        at = &(*at)->next;
    *at = record->next;
    free(record);
}

/* ---- Users --------------------------------------------------------------------------------- */

static bool user_is(const struct presence_user *user, uint64_t hash, stet_view space,
                    stet_view actor) {
    return user->hash == hash && view_equal(view_make(user->key, user->space_size), space) &&
           view_equal(view_make(user->key + user->space_size, user->actor_size), actor);
}

static struct presence_user *user_get(struct presence *presence, stet_view space, stet_view actor) {
    uint64_t hash = hash_of(space, actor);
    struct presence_user **bucket = &presence->users[hash % BUCKETS];
    struct presence_user *user = *bucket;
    while (user != NULL && !user_is(user, hash, space, actor))
        user = user->next;
    if (user != NULL) return user;
    user = calloc(1, sizeof *user + space.size + actor.size);
    if (user == NULL) return NULL;
    user->hash = hash;
    user->space_size = space.size;
    user->actor_size = actor.size;
    memcpy(user->key, space.bytes, space.size);
    memcpy(user->key + space.size, actor.bytes, actor.size);
    user->next = *bucket;
    *bucket = user;
    return user;
}

static void user_drop_empty(struct presence *presence, struct presence_user *user) {
    if (user->seat_count > 0) return;
    struct presence_user **at = &presence->users[user->hash % BUCKETS];
    while (*at != user)
        at = &(*at)->next;
    *at = user->next;
    free(user);
}

/* ---- Marks --------------------------------------------------------------------------------- */

static void mark(struct presence *presence, struct presence_seat *seat) {
    struct presence_seat **first = &presence->marked[seat->loop];
    if (seat->marked) return;
    seat->marked = true;
    seat->marked_prev = NULL;
    seat->marked_next = *first;
    if (*first != NULL) (*first)->marked_prev = seat;
    bool was_empty = *first == NULL;
    *first = seat;
    if (was_empty) presence->wake(presence->context, seat->loop);
}

static void unmark(struct presence *presence, struct presence_seat *seat) {
    if (!seat->marked) return;
    seat->marked = false;
    if (seat->marked_next != NULL) seat->marked_next->marked_prev = seat->marked_prev;
    *(seat->marked_prev != NULL ? &seat->marked_prev->marked_next : &presence->marked[seat->loop]) =
        seat->marked_next;
}

static void mark_all(struct presence *presence, struct presence_record *record) {
    for (struct presence_seat *seat = record->first; seat != NULL; seat = seat->next)
        mark(presence, seat);
}

struct presence_seat *presence_next(struct presence *presence, unsigned loop) {
    pthread_mutex_lock(&presence->mutex);
    struct presence_seat *seat = presence->marked[loop];
    if (seat != NULL) unmark(presence, seat);
    pthread_mutex_unlock(&presence->mutex);
    return seat;
}

/* ---- Seats --------------------------------------------------------------------------------- */

static void link_last(struct presence_record *record, struct presence_seat *seat) {
    seat->record = record;
    seat->next = NULL;
    seat->prev = record->last;
    *(record->last != NULL ? &record->last->next : &record->first) = seat;
    record->last = seat;
}

static void unlink_seat(struct presence_record *record, struct presence_seat *seat) {
    *(seat->prev != NULL ? &seat->prev->next : &record->first) = seat->next;
    *(seat->next != NULL ? &seat->next->prev : &record->last) = seat->prev;
}

/* A place for one more of the actor's seats. NULL: err says why. */
static struct presence_user *find_room(struct presence *presence, stet_view space, stet_view actor,
                                       stet_error *err) {
    if (presence->seat_count >= PRESENCE_SEATS_MAX) {
        error_set(err, STET_BUSY, "too many records are open or watched on this server");
        error_field(err, "address", PRESENCE_SEATS_MAX);
        return NULL;
    }
    struct presence_user *user = user_get(presence, space, actor);
    if (user == NULL) {
        error_set(err, STET_NO_MEMORY, "out of memory");
        return NULL;
    }
    if (user->seat_count < PRESENCE_USER_SEATS_MAX) return user;
    error_set(err, STET_TOO_MANY_REQUESTS,
              "one user may have at most %d records open or watched, on all connections together",
              PRESENCE_USER_SEATS_MAX);
    error_field(err, "address", PRESENCE_USER_SEATS_MAX);
    return NULL;
}

static stet_status sit(struct presence *presence, stet_view space, stet_view address,
                       struct presence_seat *seat, stet_error *err) {
    stet_error why;
    struct presence_user *user = find_room(presence, space, seat->actor, &why);
    if (user == NULL) {
        if (err != NULL) *err = why;
        return why.status;
    }
    struct presence_record *record = record_get(presence, space, address);
    if (record == NULL) {
        user_drop_empty(presence, user);
        return error_set(err, STET_NO_MEMORY, "out of memory");
    }
    link_last(record, seat);
    seat->user = user;
    user->seat_count++;
    presence->seat_count++;
    return STET_OK;
}

stet_status presence_sit(struct presence *presence, stet_view space, stet_view address,
                         unsigned loop, stet_view actor, struct presence_seat *seat,
                         stet_error *err) {
    assert(loop < presence->loop_count && seat->record == NULL);
    seat->loop = loop;
    seat->actor = actor;
    pthread_mutex_lock(&presence->mutex);
    stet_status status = sit(presence, space, address, seat, err);
    pthread_mutex_unlock(&presence->mutex);
    return status;
}

void presence_come(struct presence *presence, struct presence_seat *seat, stet_version version,
                   stet_time now) {
    pthread_mutex_lock(&presence->mutex);
    struct presence_record *record = seat->record;
    bool news = !seat->present || seat->version != version;
    if (!seat->present) {
        seat->present = true;
        seat->since = now;
        record->present++;
        presence->present++;
        /* Those who are there stand in the order in which they came. */
        unlink_seat(record, seat);
        link_last(record, seat);
    }
    seat->version = version;
    if (news) mark_all(presence, record);
    pthread_mutex_unlock(&presence->mutex);
}

static void go(struct presence *presence, struct presence_seat *seat) {
    if (!seat->present) return;
    seat->present = false;
    seat->record->present--;
    presence->present--;
    mark_all(presence, seat->record);
}

void presence_go(struct presence *presence, struct presence_seat *seat) {
    pthread_mutex_lock(&presence->mutex);
    go(presence, seat);
    pthread_mutex_unlock(&presence->mutex);
}

void presence_leave(struct presence *presence, struct presence_seat *seat) {
    if (seat->record == NULL) return;
    pthread_mutex_lock(&presence->mutex);
    struct presence_record *record = seat->record;
    go(presence, seat);
    unmark(presence, seat);
    unlink_seat(record, seat);
    seat->record = NULL;
    presence->seat_count--;
    seat->user->seat_count--;
    user_drop_empty(presence, seat->user);
    seat->user = NULL;
    record_drop_empty(presence, record);
    pthread_mutex_unlock(&presence->mutex);
}

uint64_t presence_count(struct presence *presence) {
    pthread_mutex_lock(&presence->mutex);
    uint64_t count = presence->present;
    pthread_mutex_unlock(&presence->mutex);
    return count;
}

/* ---- Text ---------------------------------------------------------------------------------- */

/* own: NULL when it is seen from outside. */
static void write_people(struct json_writer *writer, const struct presence_record *record,
                         const struct presence_seat *own, bool tells_self) {
    unsigned shown = 0;
    json_array_begin(writer);
    const struct presence_seat *seat = record == NULL ? NULL : record->first;
    for (; seat != NULL && shown < PRESENCE_SHOWN_MAX; seat = seat->next) {
        if (!seat->present) continue;
        shown++;
        json_object_begin(writer);
        json_member_text(writer, VIEW("actor"), seat->actor);
        json_key(writer, VIEW("version"));
        if (seat->version == STET_VERSION_NONE) {
            json_null(writer);
        } else {
            json_u64(writer, seat->version);
        }
        json_key(writer, VIEW("since"));
        json_rfc3339(writer, seat->since);
        if (tells_self) json_member_bool(writer, VIEW("self"), seat == own);
        json_object_end(writer);
    }
    json_array_end(writer);
}

void presence_write(struct presence *presence, const struct presence_seat *seat,
                    struct buffer *out) {
    struct json_writer writer;
    pthread_mutex_lock(&presence->mutex);
    const struct presence_record *record = seat->record;
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("address"), record_address(record));
    json_key(&writer, VIEW("people"));
    write_people(&writer, record, seat, true);
    json_member_u64(&writer, VIEW("count"), record->present);
    json_object_end(&writer);
    (void)json_end(&writer); /* The buffer keeps the failure. */
    pthread_mutex_unlock(&presence->mutex);
}

void presence_write_readers(struct presence *presence, stet_view space, stet_view address,
                            struct buffer *out) {
    struct json_writer writer;
    pthread_mutex_lock(&presence->mutex);
    const struct presence_record *record = record_find(presence, space, address);
    buffer_append_text(out, "\"readers\":");
    buffer_append_u64(out, record == NULL ? 0 : record->present);
    buffer_append_text(out, ",\"people\":");
    json_begin(&writer, out);
    write_people(&writer, record, NULL, false);
    (void)json_end(&writer);
    pthread_mutex_unlock(&presence->mutex);
}
