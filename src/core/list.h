/*
 * Lists: one page of a type's records as of one snapshot: in byte order of their ids, or as a query (core/query.h) wants them.
 *
 * The first page's snapshot S is what is published when it is asked for; the cursor carries S and where the page ended, so every page of
 * a list shows the space as of S, whatever is written in between. There is no stored snapshot: a head row with seq ≤ S stands
 * as it is; a newer one is rewound to S through the record's history. Only the worker that runs a page knows of it.
 */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include "core/cursor.h"
#include "core/query_plan.h"
#include "core/read.h"
#include "core/readset.h"

/* For read_run, which says what it returns. */
stet_status list_run(struct stet_command *command, struct store_reader *reader,
                     struct json_writer *writer, stet_error *err);

/* STET_FORBIDDEN for a system type whose module lets nobody read it by the general routes. */
stet_status read_type_allowed(const struct stet_command *command, stet_view type, stet_error *err);

/*
 * A list for somebody who is not a client: the same plans, limits and rules, but records go to `take` one by one, borrowed for the call. What it
 * returns but STET_OK ends the list. What was looked at is noted in `reads`, ranges included, so that a transaction that relies on the
 * list can tell whether it would be the same (core/readset.h).
 */
typedef stet_status list_take(void *context, const struct store_change *change, stet_error *err);
struct list_collect {
    struct space *space;
    const stet_actor *actor;
    const stet_list *list;
    struct query *query; /* NULL: all records of the type, by id. */
    uint64_t snapshot;
    struct read_set *reads; /* NULL: not noted. */
    list_take *take;
    void *context;
    bool more; /* Out: it ended before its limit and its end, for what one page may look at. */
};
stet_status list_collect(struct list_collect *collect, struct store_reader *reader,
                         stet_error *err);

/* ---- A page while it is made: list.c and list_sorted.c ----------------------------------------- */

struct list_page {
    struct stet_command *command;
    struct store_reader *reader;
    struct json_writer *writer;
    struct query *query;       /* NULL: a plain list. */
    struct sight sight;        /* Of the actor. */
    const struct expr *bounds; /* What holds for all that is shown: where, and the read rule. */
    stet_view visible; /* Of the record that list_wants let pass: its data as the actor sees it. */
    uint64_t
        plain_hash; /* Of the cursors of a list that only the read rule narrows, or of deleted records. */
    struct plan plan;
    struct arena rows_arena;   /* One chunk of rows. */
    struct arena record_arena; /* One record. */
    uint64_t snapshot;
    uint64_t live; /* Records of the type. */
    size_t limit;
    size_t shown;
    size_t rewinds;
    size_t rows_seen;
    size_t rows_matched;
    size_t bytes_from;
    bool has_cursor;
    struct cursor cursor; /* Of the page before. */
    struct cursor next;   /* Where this one ended; its key is in key_bytes. */
    char key_bytes[INDEX_KEY_BYTES_MAX + 64];
    bool more;
    /* Of list_collect: where records go instead of the writer, and what is noted of those that were looked at; either may be NULL. */
    list_take *take;
    void *take_context;
    struct read_set *reads;
};

stet_status list_expired(stet_error *err);

/* The record as of the page's snapshot, in record_arena. STET_NOT_FOUND: it was not there then. */
stet_status list_change_at(struct list_page *page, const struct store_head *head,
                           struct store_change *change, stet_error *err);

/* Whether the actor may see a record, and the query wants it as far as they see it. record: what they see of it, set where it had to be
   parsed; in record_arena. */
stet_status list_wants(struct list_page *page, const struct store_change *change,
                       struct query_record *record, bool *wants, stet_error *err);

/*
 * Renders a record into the page. record_arena is in use. visible: its data as the actor sees it, where list_wants has just found out
 * (page->visible); bytes NULL: it is found out here.
 */
stet_status list_show(struct list_page *page, const struct store_change *change, stet_view visible,
                      stet_error *err);

/* Whether there is no room for another record. */
bool list_is_full(const struct list_page *page);

/* Notes where the page ended. */
void list_end_at(struct list_page *page, stet_view key, uint64_t record);

/* Every plan but PLAN_IDS: fills the array of records. list_sorted.c */
stet_status list_sorted(struct list_page *page, stet_error *err);

#endif
