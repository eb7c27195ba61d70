/*
 * What a `stet.conflict` record says: a write that waits for a person, or a notice to somebody whose change did not stay.
 *
 *                      ┌── resolved      somebody chose
 *   parked ─▶ open ────┤
 *              ▲       └── expired       nobody did in time: the fallback settled it
 *              │ reopen
 *   notice: overwritten  a strategy put another value in the place of theirs
 *           settled      a field rule did
 *           merged       (virtual, "seq-N") a merge that lost nothing, which can be looked at and taken back
 */
#ifndef CONFLICTS_RECORD_H
#define CONFLICTS_RECORD_H

#include "base/arena.h"
#include "core/change.h"
#include "doc/write.h"

#define CONFLICT_TYPE VIEW("stet.conflict")

enum conflict_state {
    CONFLICT_OPEN,
    CONFLICT_RESOLVED,
    CONFLICT_EXPIRED,
    CONFLICT_OVERWRITTEN,
    CONFLICT_SETTLED,
    CONFLICT_MERGED, /* Never stored. */
};
enum { CONFLICT_STATES = CONFLICT_MERGED + 1 };

/* A list of texts; the array and what it points to are somebody's arena's. */
struct view_list {
    const stet_view *items;
    size_t count;
};

/* One field of a notice: where the value stands that did not stay, and what took its place. */
struct lost_value {
    stet_view pointer;
    uint64_t version;          /* In which it was written. */
    uint64_t base_version;     /* What the one who replaced it had seen. */
    uint64_t replaced_version; /* Which no longer has it, */
    uint64_t replaced_seq;     /* the change that made that, */
    stet_view replaced_by;     /* and whose. */
    stet_strategy strategy;
    stet_view rule; /* Of the field, where it was a rule that chose. */
};

/* Views are borrowed from the data it was read from, or from the arena. Empty views and zeros: not said. */
struct conflict_record {
    enum conflict_state state;
    stet_view event;    /* What happened last: "opened", "changed", "resolved", … */
    stet_view type, id; /* Of the record the conflict is about. */
    uint64_t base_version, current_version;
    bool deletes;    /* The writer wanted to delete. */
    stet_view yours; /* JSON: what the writer wanted. */
    stet_view patch; /* JSON, where they sent a patch: an array is a JSON Patch. */
    stet_view by;    /* Whose write it is; of a notice: whose value was lost. */
    /* The rights with which they wrote it, and with which it is settled when nobody does. */
    struct view_list roles;
    bool admin;
    struct view_list persons; /* For whom it waits, or whom it tells. */
    stet_view conflict_type;
    struct view_list pointers; /* The fields concerned. */
    uint64_t pointers_left_out;
    bool
        clean; /* Open: merged with the record as it was when this was written, nothing is left to decide. */
    stet_strategy strategy;
    stet_strategy fallback;
    int64_t opened_at, deadline;
    stet_view client_mutation_id;

    /* How it ended. */
    stet_view resolved_by, choice;
    int64_t resolved_at;
    uint64_t previous_version, result_version; /* Of the record, around the resolution. */
    bool kept;                                 /* The record was left as it was. */
    stet_view explanation;

    /* A notice: who replaced it, where, and how often before it was read. */
    stet_view overwritten_by;
    uint64_t change_seq;
    uint64_t lost_version; /* In which the newest of the lost values was written. */
    uint64_t times;
    uint64_t others; /* Records beyond NOTICES_PER_PERSON_MAX that this notice stands for. */
    const struct lost_value *lost; /* Beside pointers; in the order in which they were lost. */
    size_t lost_count;

    struct view_list read_by;
    bool dismissed;

    bool withheld; /* Never stored: whoever looks is concerned, but may not read the record. */
};

const char *conflict_state_name(enum conflict_state state);
bool conflict_state_parse(stet_view text, enum conflict_state *state);

/* STET_CORRUPT when it is not one of ours; STET_NO_MEMORY. */
stet_status record_decode(struct arena *arena, stet_view data, struct conflict_record *record,
                          stet_error *err);
/* What happened last and the state it led to, from data that record_encode wrote, without reading all of it. */
bool record_peek(stet_view data, enum conflict_state *state, stet_view *event);
/* Empty when memory is out. */
stet_view record_encode(struct arena *arena, const struct conflict_record *record);

enum record_part {
    RECORD_WHOLE,
    RECORD_BESIDE_DOCUMENT, /* Without what the conflict document beside it says. */
};

/* The members people see, without yours and what else is stored under names of the module's own ("_…"), which show what may be hidden. now: for auto_resolve_in; 0: leave that out. */
void record_render(struct json_writer *writer, const struct conflict_record *record,
                   enum record_part part, int64_t now);

/* Whether the record stands in this person's inbox. */
bool record_concerns(const struct conflict_record *record, stet_view person);
bool record_is_read(const struct conflict_record *record, stet_view person);
bool view_list_has(const struct view_list *list, stet_view text);

/* Whether it tells of values that did not stay, and asks nothing. */
bool record_is_notice(const struct conflict_record *record);

/* Whether a record's end is news to its writer: somebody else, or nobody, decided about it. */
bool record_tells_writer(const struct conflict_record *record);

#endif
