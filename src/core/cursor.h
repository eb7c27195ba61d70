/*
 * Cursors: where the next page of a list begins. Opaque to clients; base64url of a few bytes.
 *
 *   by id alone     1, snapshot (8), the last id
 *   with a query    2, flags, snapshot (8), index number (4), record number (8), the last key, MAC (8)
 *
 * Integers are big-endian. The MAC is keyed with the space's secret and covers which list it belongs to, so a cursor of another list
 * or a made-up one is refused. The first form needs none: any id is a place to go on from.
 */
#ifndef CORE_CURSOR_H
#define CORE_CURSOR_H

#include "core/space.h"
#include "doc/write.h"

struct cursor {
    uint64_t snapshot;
    stet_view key;   /* By id: the id. */
    uint64_t record; /* Of the last record shown. */
    uint32_t index;  /* The index whose keys these are; 0: none. */
    bool by_id;      /* The key is an id. */
    bool reverse;    /* The list runs from the greatest key down. */
};

/* Writes the member "next". query: NULL for a plain list, else the hash that tells its cursors from others. */
stet_status cursor_render(struct json_writer *writer, const struct space *space,
                          const uint64_t *query, const struct cursor *cursor, stet_error *err);

/* STET_BAD_REQUEST, field "after": not a cursor of such a list. The key is in the arena. */
stet_status cursor_parse(struct arena *arena, stet_view text, const struct space *space,
                         const uint64_t *query, struct cursor *cursor, stet_error *err);

#endif
