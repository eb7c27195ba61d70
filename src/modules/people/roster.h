/*
 * The roster of a space: which sessions live, which links can be used, and how many users there are. A projection (core/module.h): a function of
 * the live heads, except for when a session was used last, which is memory and lost with the process; what is lost is less than a
 * quarter of the idle time, because by then it is noted in the record.
 *
 * Threads: sessions are changed on the sequencer's thread and looked at on any; a lock is held for moments. All else is the sequencer's.
 */
#ifndef MODULES_PEOPLE_ROSTER_H
#define MODULES_PEOPLE_ROSTER_H

#include "modules/people/record.h"
#include "store/store.h"

#include <pthread.h>

struct roster_session {
    struct roster_session *by_id, *by_user; /* Next in its row of each table. */
    struct roster_session *next_note;       /* Among those whose use is to be noted. */
    char id[SECRET_ID_BYTES];
    int64_t ends_at, idle_ns;
    int64_t noted_at; /* When it was last used, as its record has it. */
    int64_t used_at;  /* And as we know it. */
    bool noting;      /* It is among those, or the note is on its way. */
    bool loaded;      /* Seen since the last reset. */
    size_t user_bytes;
    char user[];
};

struct roster_link {
    char id[SECRET_ID_BYTES];
    int64_t expires_at;
};

struct roster {
    pthread_mutex_t lock;
    struct roster_session **ids, **users; /* Rows; as many as `rows`, a power of two. */
    size_t rows, count;
    struct roster_session *note_first, *note_last;
    uint64_t seed;
    /* What is about to be staged, for apply cannot fail: sessions, linked by by_id, and one link. */
    struct roster_session *prepared;
    struct roster_link prepared_link;
    struct roster_link *links;
    size_t link_count, link_capacity;
    size_t users_count;
};

stet_status roster_init(struct roster *roster, uint64_t seed);
void roster_done(struct roster *roster);

/* Called before a session or a link is staged, so that its apply has all it needs. */
stet_status roster_prepare_session(struct roster *roster, stet_view id,
                                   const struct session_record *record, stet_error *err);
stet_status roster_prepare_link(struct roster *roster, stet_view id, int64_t expires_at,
                                stet_error *err);
/* Forgets what was prepared and came to nothing. */
void roster_unprepare(struct roster *roster);

void roster_reset(struct roster *roster);
stet_status roster_load(struct roster *roster, const struct store_change *head, stet_error *err);
void roster_loaded(struct roster *roster); /* Forgets what was not seen since the reset. */
void roster_apply(struct roster *roster, const struct store_change *change);

/* When it is over if nobody uses it. */
static inline int64_t roster_over_at(int64_t ends_at, int64_t idle_ns, int64_t used_at) {
    return idle_ns < ends_at - used_at ? used_at + idle_ns : ends_at;
}

/* Whether it lives at that time, and belongs to that user. Any thread. */
bool roster_lives(struct roster *roster, stet_view id, stet_view user, int64_t now);

enum roster_touch { ROSTER_UNKNOWN, ROSTER_TOUCHED, ROSTER_TO_NOTE };
/*
 * Any thread. *used_at: in, as the record has it; out, as it is known. use: it is being used now; ROSTER_TO_NOTE: a quarter of the idle time
 * has gone since that was noted, and the caller is the one who is to have it done.
 */
enum roster_touch roster_touch(struct roster *roster, stet_view id, stet_use use, int64_t now,
                               int64_t *used_at);

/* The ids of a user's sessions in the arena; any thread. *used: when each was used last; may be NULL. STET_NO_MEMORY. */
stet_status roster_of_user(struct roster *roster, struct arena *arena, stet_view user,
                           stet_view **ids, int64_t **used, size_t *count, stet_error *err);

/* Up to max whose use is to be noted leave the list: their ids and times. They stay `noting` until that is applied. */
size_t roster_take_notes(struct roster *roster, struct arena *arena, size_t max, stet_view *ids,
                         int64_t *used_at);
bool roster_has_notes(struct roster *roster);
/* What was taken came to nothing: sessions that are used from now on are to be noted anew. */
void roster_forget_notes(struct roster *roster);

/* Up to max that are over. */
size_t roster_find_over(struct roster *roster, struct arena *arena, int64_t now, size_t max,
                        stet_view *ids);
size_t roster_find_expired_links(const struct roster *roster, struct arena *arena, int64_t now,
                                 size_t max, stet_view *ids);

#endif
