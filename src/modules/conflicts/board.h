/*
 * The projection of the conflicts: those that are open, by deadline, by the record they are about and by writer; and everything that
 * stands in somebody's inbox, by person. A function of the live heads of stet.conflict, except for `touched`, which only remembers for
 * a moment whom to tell that their record moved on.
 *
 * Moving the projection cannot fail, so what it needs is made beforehand: board_prepare when a change is staged, board_apply
 * when it is accepted. What was prepared for a command that was refused, or only tried, is dropped before the next one.
 *
 * Thread: the sequencer's.
 */
#ifndef CONFLICTS_BOARD_H
#define CONFLICTS_BOARD_H

#include "modules/conflicts/record.h"

struct batch;
struct entry;

struct node {
    struct node *next;
    uint64_t hash;
    struct entry *entry;
};

struct table {
    struct node **buckets;
    size_t bucket_count; /* A power of two. */
    size_t count;
};

/* One place in one inbox. */
struct place {
    struct node node;
    stet_view person;
    bool unread;
};

/* One live stet.conflict record that anybody must still hear of. One block of memory. */
struct entry {
    struct node by_id, by_record, by_writer; /* The last two only of open ones. */
    struct place *places;
    size_t place_count;
    enum conflict_state state;
    stet_view id, type, record_id, by;
    uint64_t base_version, current_version;
    uint64_t first; /* Seq of the record's first change: which of two came earlier. */
    uint64_t seq;   /* Of the change it was made from. */
    int64_t opened_at, deadline;
    int64_t at; /* When it came into the inboxes it stands in. */
    stet_strategy fallback;
    bool notice;
    bool shown; /* Open, or in an inbox: else it only says that there is nothing any more. */
    bool fallback_failed;
    /* Its record moved on and nobody was told yet: in the list of those, since that monotonic time. */
    bool touched;
    int64_t touched_at;
    struct entry *touched_prev, *touched_next;
    struct entry *prepared_next;
};

struct board {
    struct table ids, records, writers, persons;
    struct entry **open; /* By deadline, then age. */
    size_t open_count, open_capacity;
    size_t prepared_count;
    struct entry *prepared;
    struct entry *touched_first, *touched_last;
    uint64_t hash_seed;
};

void board_init(struct board *board, uint64_t hash_seed);
void board_done(struct board *board);
void board_clear(struct board *board);

/* One live head, at open or after a reset. */
stet_status board_load(struct board *board, const struct store_change *head, stet_error *err);

/* A change of a conflict's record was staged with this seq. */
stet_status board_prepare(struct board *board, stet_view id, uint64_t first, uint64_t seq,
                          const struct conflict_record *record, stet_error *err);
/* Drops what was prepared for changes that are not in the batch. To be called before another one is staged, which may get their seqs. */
void board_drop_refused(struct board *board, const struct batch *batch);
/* It was accepted. */
void board_apply(struct board *board, const struct store_change *change);

/* A record of any other type got a new version. */
void board_touch(struct board *board, stet_view type, stet_view id, uint64_t version, int64_t now);
void board_untouch(struct board *board, struct entry *entry);

struct entry *board_find(const struct board *board, stet_view id);
/* Open conflicts of a record, one after another; after NULL: the first. */
struct entry *board_of_record(const struct board *board, stet_view type, stet_view id,
                              const struct entry *after);
size_t board_count_record(const struct board *board, stet_view type, stet_view id);
size_t board_count_writer(const struct board *board, stet_view writer);
/* What stands in a person's inbox, in no order; after NULL: the first. */
struct place *board_inbox(const struct board *board, stet_view person, const struct place *after);
/* Where in `open` those with this deadline and age begin. */
size_t board_position(const struct board *board, int64_t deadline, uint64_t first);

#endif
