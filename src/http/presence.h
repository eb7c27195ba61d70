/*
 * Presence: who has which record open, from which version. One register for the server; a seat in it is one connection at one record,
 * which is there (`present`), or only wants to know who is.
 *
 * A change marks all seats at the record and wakes the loops they belong to, each of which takes its marked seats out
 * (presence_next) when it comes to it: what changes often is told once.
 *
 * What may be told to whom is not decided here.
 *
 * Thread: any; a seat is touched by its loop's thread alone, but for what the register itself keeps in it.
 */
#ifndef HTTP_PRESENCE_H
#define HTTP_PRESENCE_H

#include "base/buffer.h"

struct presence;
struct presence_record;
struct presence_user;

/* The connection's own: zeroed before presence_sit, and alive until presence_leave. Its members are the register's. */
struct presence_seat {
    struct presence_record *record; /* NULL: not in the register. */
    struct presence_user *user;     /* Whose it is. */
    struct presence_seat *prev, *next;
    unsigned loop;
    bool present;
    stet_view actor; /* Borrowed. */
    stet_version version;
    stet_time since;
    bool marked;
    struct presence_seat *marked_prev, *marked_next;
};

/* wake: called when a loop without marked seats gets one; under the register's lock, so that it must not call back. STET_NO_MEMORY */
stet_status presence_create(unsigned loop_count, void (*wake)(void *context, unsigned loop),
                            void *context, struct presence **presence, stet_error *err);
/* When nobody sits any more. Accepts NULL. */
void presence_destroy(struct presence *presence);

/**
 * Takes a seat at a record, only to know.
 *
 * @param space, address  Copied.
 * @param actor           Borrowed until presence_leave.
 * @return STET_OK
 *         STET_TOO_MANY_REQUESTS  this actor has PRESENCE_USER_SEATS_MAX in the space, on all connections together.
 *         STET_BUSY               PRESENCE_SEATS_MAX, of all. STET_NO_MEMORY
 */
stet_status presence_sit(struct presence *presence, stet_view space, stet_view address,
                         unsigned loop, stet_view actor, struct presence_seat *seat,
                         stet_error *err);
/* It is there from now on, or with another version. now: since when, unless it was there before. */
void presence_come(struct presence *presence, struct presence_seat *seat, stet_version version,
                   stet_time now);
/* It is not there any more. */
void presence_go(struct presence *presence, struct presence_seat *seat);
/* Gives the seat up. Accepts one that is not in the register. */
void presence_leave(struct presence *presence, struct presence_seat *seat);

/* Takes one of the loop's marked seats; NULL: there is none. */
struct presence_seat *presence_next(struct presence *presence, unsigned loop);

/* Appends {"address", "people", "count"} as seen from a seat. */
void presence_write(struct presence *presence, const struct presence_seat *seat,
                    struct buffer *out);
/* Appends the members "readers", how many are at a record, and "people", as seen from outside. */
void presence_write_readers(struct presence *presence, stet_view space, stet_view address,
                            struct buffer *out);
/* Who is there, everywhere. */
uint64_t presence_count(struct presence *presence);

#endif
