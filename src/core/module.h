/*
 * The seam between core and everything built on it: types, conflicts, locks, bookings, operations, auth … implement struct module
 * and do not include each other; core knows none of them. src/stet.c lists them.
 *
 * A module keeps a *projection*: state in memory that is a function of the live heads of the system types it owns (and of any
 * other type it watches). It is filled by load over heads when a space opens and kept by apply at staging; a test shows that both
 * agree. After an aborted batch it is reset and loaded anew.
 *
 * Thread: everything but may_read runs on the space's sequencer thread (or before the space is published to others); may_read
 * runs on any thread and may use no projection. What a module's own commands do on the submitting thread is in core/command.h.
 */
#ifndef CORE_MODULE_H
#define CORE_MODULE_H

#include "core/change.h"

struct space;
struct stet_command;

/* One mutation about to be staged. Borrowed for the call. */
struct proposal {
    const struct stet_command *command;
    size_t index; /* Of the mutation in its command; the ones before it are staged already. */
    const stet_actor *actor;
    stet_view type;
    stet_view id;
    enum store_op op;
    const struct store_head *head; /* The record's head before; version 0: it never existed. */
    stet_view data;                /* The data after; for a delete, the last data. */
    int64_t now;                   /* The stamp it will carry, or a later one. */
};

struct module {
    const char *name;
    const char *const *types; /* System types it owns, NULL-terminated. Nobody else writes them. */
    const char *space;        /* Active only in this space; NULL: in every one. */
    bool loads_all;           /* load and apply see every type, not only its own. */

    /* A projection for one space. May be NULL when the module keeps none. */
    stet_status (*open)(struct space *space, void **state, stet_error *err);
    void (*close)(void *state);
    void (*reset)(void *state); /* Forgets everything; loads follow. */

    /* One live head at open or after a reset. */
    stet_status (*load)(void *state, const struct store_change *head, stet_error *err);

    /* May refuse a proposal with any status; err->message is for the caller. NULL: accepts everything. */
    stet_status (*check)(void *state, const struct proposal *proposal, stet_error *err);

    /* A change was staged: move the projection. Cannot fail. */
    void (*apply)(void *state, const struct store_change *change);

    /* A change is durable and published: effects outside the space. */
    void (*published)(void *state, struct space *space, const struct store_change *change);

    /* Whether an actor may read a record of the module's types by the general routes. NULL: nobody may. */
    bool (*may_read)(const stet_actor *actor, const struct store_change *change);
};

#endif
