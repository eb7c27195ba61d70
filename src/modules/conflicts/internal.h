/*
 * What the files of this folder share: the module's state in one space, and the tasks its commands stand for.
 */
#ifndef CONFLICTS_INTERNAL_H
#define CONFLICTS_INTERNAL_H

#include "core/client.h"
#include "core/staging.h"
#include "modules/conflicts/board.h"
#include "modules/conflicts/conflicts.h"

/* Belongs to the sequencer's thread, but for `counts`. */
struct conflicts {
    struct space *space;
    struct board board;
    /* What is due could not be done: not to be tried again before that monotonic time. */
    int64_t blocked_until;
    stet_view
        due_id; /* Of what `due` filled last; in due_bytes. Empty: nothing that may be refused. */
    char due_bytes[ID_BYTES_MAX];
};

/* A place in a list: where the next page begins. */
struct mark {
    int64_t time;
    uint64_t first;
};

/* What a notice offers. */
struct lost_yours {
    stet_view data;     /* JSON in the arena; empty: a deletion, or nothing of it is kept. */
    bool deletes;       /* What did not stay last is a deletion. */
    size_t found, gone; /* Lost values; gone: whose version is not kept any more. */
};

/* A command of this module; in its arena, as command->module_data. */
struct task {
    stet_status (*decide)(struct conflicts *conflicts, struct staging *staging, struct task *task,
                          stet_error *err);
    unsigned scope; /* Demanded of the actor; 0: none, it is the space itself that acts. */
    stet_view id;
    stet_strategy fallback;  /* Expiry. */
    bool after_failure;      /* Expiry: its own fallback was refused. */
    struct store_head after; /* Of the conflict's record. */
    struct conflict_record record;
    bool has_record;

    /* Resolution and reopening. */
    stet_conflict_resolution resolution;
    stet_version precondition;
    struct lost_yours lost; /* Of a notice. */

    /* Lists. */
    stet_conflict_list list;
    stet_view *found; /* Ids. */
    size_t found_count;
    struct mark *marks; /* Beside them. */
    bool more;
    struct mark next;
    size_t page_bytes; /* Of the conflicts looked at for the answer. */
    uint64_t unread, total;
    bool unread_only;

    /* Marking as read. */
    const stet_view *ids;
    size_t id_count;
    bool all;
    uint64_t marked;
};

/* A fresh task that `command` will stand for; NULL when memory is out or the command is filled (err says which). */
struct task *task_begin(struct stet_command *command, stet_error *err);
/* Makes the command one that the sequencer hands to task->decide. */
void task_finish(struct stet_command *command, struct task *task,
                 stet_status (*answer)(struct stet_command *command, struct json_writer *writer,
                                       stet_error *err));
/* Makes it a read on a worker. */
void task_finish_read(struct stet_command *command,
                      stet_status (*read)(struct stet_command *command, struct store_reader *reader,
                                          struct buffer *out, stet_error *err));

/*
 * What the command's actor sees of a conflict: *record loses the rest. *may false: they do not see it at all. reader: NULL, then one is taken
 * where it is needed. Any thread but the sequencer's (sight.c).
 */
stet_status conflicts_show(struct stet_command *command, struct store_reader *reader,
                           struct arena *arena, struct conflict_record *record, bool *may,
                           stet_error *err);
/* Whether anything of it is theirs to see: struct module.may_read. */
bool conflicts_may_read(const struct space *space, const stet_actor *actor,
                        const struct store_change *change);

/* Whether the page ends before found[index], whose reading would keep others waiting: then the next one begins there. list.c */
bool task_page_is_full(struct task *task, size_t index);
/* "next", where there is one. */
void task_render_next(const struct task *task, struct json_writer *writer);

/* Stages a conflict's record and prepares the projection for it. */
stet_status conflicts_put(struct conflicts *conflicts, struct staging *staging, stet_view id,
                          const struct conflict_record *record, struct store_head *after,
                          stet_error *err);

/* The record of a conflict as it stands for this command. STET_NOT_FOUND. */
stet_status conflicts_get(struct staging *staging, stet_view id, struct store_head *head,
                          struct conflict_record *record, stet_error *err);

/* Whether one more may be opened: per record, per writer, per space. STET_TOO_MANY_CONFLICTS. */
stet_status conflicts_check_room(const struct conflicts *conflicts, stet_view type, stet_view id,
                                 stet_view writer, stet_error *err);

/* Says in the record whether merging it with the record as it stands leaves nothing to decide, as far as that is cheap to know. */
stet_status conflicts_check_clean(struct staging *staging, const struct store_head *target,
                                  struct conflict_record *record, stet_error *err);

/* How long a conflict of this type waits, what settles it then, and for whom it waits. Lists in the arena. */
stet_status conflicts_set_terms(struct staging *staging, struct conflict_record *record,
                                stet_error *err);

/* Notices to those whose values a stale write replaced (notice.c). */
stet_status notice_losses(struct conflicts *conflicts, struct staging *staging,
                          const struct settlement *settlement, stet_error *err);

/* Puts together what the notice's person lost (lost.c). target: the head of the record the notice is about. */
stet_status lost_collect(struct store_reader *reader, struct arena *arena,
                         const struct store_head *target, const struct conflict_record *record,
                         struct lost_yours *yours, stet_error *err);

/* Answers with the conflict's record (show.c). */
stet_status conflicts_answer(struct stet_command *command, struct json_writer *writer,
                             stet_error *err);

/* A conflict's record as the client sees it now, in the command's arena. STET_NOT_FOUND. The client's thread. */
stet_status conflicts_read(struct stet_command *command, stet_view id, uint64_t *version,
                           uint64_t *seq, struct conflict_record *record, stet_error *err);

/* The conflict's record as of `published`. STET_NOT_FOUND: it was not there then (err is not set). */
stet_status conflicts_row_at(struct store_reader *reader, struct arena *arena,
                             const struct store_head *head, uint64_t published,
                             struct store_change *row, stet_error *err);

/* "seq-N" as a record, as of command->decided_seq: an automatic merge (show.c). yours is empty when it is not kept. STET_NOT_FOUND. */
stet_status conflicts_read_merge(struct stet_command *command, struct store_reader *reader,
                                 stet_view id, struct conflict_record *record, uint64_t *seq,
                                 stet_error *err);

/* One in a list, as an object: {id, version, seq, state, …}. person: adds whether they have read it; empty: nobody. */
void render_line(struct json_writer *writer, stet_view id, uint64_t version, uint64_t seq,
                 const struct conflict_record *record, stet_view person, int64_t now);

stet_status no_such_conflict(stet_view id, stet_error *err);

#endif
