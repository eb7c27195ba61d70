/*
 * The inside of a merge, shared by merge.c (objects, fields, units) and merge_list.c (lists by key). For these two only.
 */
#ifndef DOC_MERGER_H
#define DOC_MERGER_H

#include "base/buffer.h"
#include "doc/merge.h"
#include "doc/pointer.h"
#include "doc/rule.h"

struct merged_list;

/* One value that changed somewhere. The notes of an object's members are in the order of current, then those it lacks. */
struct note {
    struct note *next;        /* In its object. */
    struct note *first;       /* An object that recursed: notes of its members. */
    struct note *next_field;  /* All notes that are fields, in the order they were judged. */
    struct merged_list *list; /* A list that was merged by key. */
    struct doc_merge_field field;
    bool recursed; /* An object: its own field is not used. */
    bool current_changed, yours_changed;
};

/* A note that has a say in a unit. */
struct unit_link {
    struct unit_link *next;
    struct note *note;
};

struct merger {
    struct arena *arena;
    const struct doc *base;
    const struct doc *current;
    const struct doc *yours;
    uint64_t steps;
    uint64_t steps_max;
    const struct doc_functions *functions;
    struct note *fields;
    struct note **fields_end;
    size_t field_count;
    struct merged_list
        *lists;               /* Those whose text is a field, to be filled in once it is written. */
    struct unit_link **units; /* By unit - 1. */
    stet_error *err;
};

/* The same place in the three documents. */
struct site {
    const struct pointer_path *path;
    stet_view list; /* As in struct doc_merge_field. */
    const struct doc_rules *rules;
    const struct doc_rule *policy; /* What holds where rules has no rule. */
    doc_node base, current, yours;
};

/* Which sides changed a value. */
struct changes {
    bool current, yours;
    bool equal; /* Both did, to equal values. */
};

static inline const struct doc_rule *site_rule(const struct site *site) {
    return site->rules == NULL || site->rules->rule == NULL ? site->policy : site->rules->rule;
}

/* ---- merge.c ---- */

stet_status merger_fail_memory(struct merger *merger);
stet_status merger_spend(struct merger *merger, uint64_t steps);

/* Equality, paid for before it is worked out. */
stet_status merger_compare(struct merger *merger, const struct doc *a, doc_node an,
                           const struct doc *b, doc_node bn, bool *equal);
stet_status merger_changes(struct merger *merger, const struct site *site, struct changes *changes);

/* Whether base has something here that yours may not take away: a value under a rule that guards. */
bool merger_guarded(const struct doc_rules *rules, const struct doc *base, doc_node node);

/* Sets *out to a note when something changed here, else leaves it NULL. */
stet_status merger_judge(struct merger *merger, const struct site *site, struct note **out);

/* The same for a value that is merged as one and changed on some side. */
stet_status merger_judge_field(struct merger *merger, const struct site *site,
                               const struct changes *changes, struct note **out);

/* Makes a note that is a field of its own. */
stet_status merger_note_field(struct merger *merger, const struct site *site,
                              const struct rule_answer *answer, struct note **out);
stet_status merger_note(struct merger *merger, const struct site *site, struct note **out);

/* Writes what a note says of an existing value: an object or list that recursed, or the merged text. */
void merger_write(const struct merger *merger, const struct note *note, struct buffer *out);

/* ---- merge_list.c ---- */

/* Three lists (base may be absent) that changed on some side. */
stet_status merger_judge_list(struct merger *merger, const struct site *site,
                              const struct changes *changes, struct note **out);
void merger_write_list(const struct merger *merger, const struct note *note, struct buffer *out);

/* Gives the fields of whole lists their text; bytes: what was written. */
void merger_fill_lists(struct merger *merger, const char *bytes);

#endif
