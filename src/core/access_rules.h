/*
 * What a compiled set of access rules looks like, and what judging by it has in common; for access*.c and sight.c only.
 */
#ifndef CORE_ACCESS_RULES_H
#define CORE_ACCESS_RULES_H

#include "base/buffer.h"
#include "core/access.h"
#include "core/query.h"
#include "doc/write.h"

enum { ACCESS_SCRATCH_BYTES = 4096 };

struct rule {
    const struct expr *expr; /* NULL: */
    bool allows;             /* that. */
};

struct field_rules {
    stet_view pointer;
    struct rule hidden, readonly;
    struct doc
        fallback; /* The default of the type's definition: nobody's to answer for. count 0: none. */
};

/* The read rule looks at few members of the data, most often: these, and no others. */
enum { GLIMPSE_KEYS_MAX = 8 };

struct access_rules {
    struct rule verbs[ACCESS_DELETE + 1];
    bool glimpses; /* What `keys` names is enough to judge the read rule by. */
    stet_view keys[GLIMPSE_KEYS_MAX];
    size_t key_count;
    const struct field_rules *fields;
    size_t field_count;
};

/* ---- For an actor alone: access.c -------------------------------------------------------- */

const struct access_rules *access_rules_of(const struct policy *policy); /* NULL: none. */
struct expr_subject access_subject(const stet_actor *actor);
enum expr_truth access_truth(const struct policy *policy, const stet_actor *actor,
                             enum access_verb verb);
/* Whether some field may be hidden from the actor, or (writes) be readonly for them. */
bool access_fields_bind(const struct policy *policy, const stet_actor *actor, bool writes);
/* Whether one of two pointers leads to the other's place, or into it. */
bool pointers_touch(stet_view a, stet_view b);

/* ---- With a record: access.c ------------------------------------------------------------- */

struct judging {
    const struct policy *policy;
    const stet_actor *actor;
    const struct access_record *about; /* Whose metadata rules see. */
    const struct doc *old_data, *new_data;
    struct arena arena; /* Scratch for metadata. */
    struct query_record record;
};

void judging_begin(struct judging *judging, const struct policy *policy, const stet_actor *actor,
                   const struct access_record *about);
/* What failed meanwhile. */
stet_status judging_end(struct judging *judging);
/* Whether a rule holds for this data. What fails sticks in the record's status. */
bool rule_holds(struct judging *judging, const struct rule *rule, const struct doc *data);
/* Likewise, but what fails makes it hold: for rules that take something away. */
bool rule_forbids(struct judging *judging, const struct rule *rule, const struct doc *data);
stet_status judging_failed(stet_status status, stet_error *err);
/* The value that a field's pointer leads to, or the list that stands in its way. */
doc_node access_field(const struct doc *doc, stet_view pointer);
bool field_is_fallback(const struct field_rules *field, const struct doc *doc, doc_node node);

/* ---- What is hidden in a record: access_hide.c -------------------------------------------- */

struct hidden {
    size_t count;
    const struct field_rules *fields[ACCESS_FIELDS_MAX];
    doc_node nodes[ACCESS_FIELDS_MAX]; /* Where they are in a document; DOC_NONE: nowhere. */
};

stet_status hidden_find(const struct policy *policy, const stet_actor *actor,
                        const struct access_record *record, struct hidden *hidden, stet_error *err);
/* *data: the document's text without it. */
stet_status hidden_leave_out(struct hidden *hidden, struct arena *arena, const struct doc *doc,
                             stet_view *data, stet_error *err);
stet_status access_data_end(struct json_writer *writer, struct buffer *buffer, stet_view *data,
                            stet_error *err);

#endif
