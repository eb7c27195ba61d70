/*
 * What a list asks for, compiled: which records (where), in which order (sort), which of their fields (fields). Parsed when the
 * command is filled, on the caller's thread, so that a mistake is told at once; read by the worker that runs the list.
 *
 * Order. Sorted lists compare keys, bytes that memcmp orders as the values are ordered (core/index.h): an index's own keys where one
 * gives the order, else keys made here of the fields to sort by. Records with equal keys stand in the order of their numbers. A key
 * is cut at INDEX_KEY_BYTES_MAX, shared out among the fields: longer texts are ordered by their beginnings.
 */
#ifndef CORE_QUERY_H
#define CORE_QUERY_H

#include "core/client.h"
#include "doc/write.h"
#include "expr/expr.h"

struct query_sort {
    struct expr_field field;
    bool descending;
};

struct query {
    const struct expr *where; /* NULL: all records. */
    const struct query_sort *sort;
    size_t sort_count;
    const stet_view *fields; /* Pointers; none: the whole data. */
    size_t field_count;
    uint64_t hash;   /* Of type, where and sort: whose cursors are whose. */
    stet_view index; /* With STET_INDEX_REQUIRED: the index that would help, a JSON array. */
};

/* Compiles where, sort and fields of a list into the command's arena; *query stays NULL when none is given.
   STET_BAD_REQUEST, STET_TOO_LARGE: err->field says which. */
stet_status query_parse(struct arena *arena, const stet_list *list, struct query **query,
                        stet_error *err);

/* ---- Records as expressions see them ------------------------------------------------------- */

/*
 * A change whose record is asked about. `created` is looked up when somebody asks for it, through find_created; a failure
 * sticks in status. Also for the feed.
 */
struct query_record {
    const struct store_change *change;
    struct doc doc;
    struct arena *arena;
    stet_status (*find_created)(void *context, struct arena *arena,
                                const struct store_change *change, struct created *created);
    void *context; /* Of find_created. */
    bool has_created;
    struct created created;
    stet_status status;
};

/* Parses the change's data, which must not be empty, into record->arena. */
stet_status query_record_init(struct query_record *record, stet_error *err);

/* Metadata for an expression's subject; context: the query_record. */
void query_record_meta(void *context, enum expr_meta meta, struct expr_value *value);

/* False also when something failed: look at record->status. */
bool query_record_matches(struct query_record *record, const struct expr *where);

/* ---- Sort keys and projection ---------------------------------------------------------------- */

/* The key of a record in the order a query sorts by; in record->arena. */
stet_status query_sort_key(const struct query *query, struct query_record *record, stet_view *key);

/* The data with only the fields asked for; in the arena. What leads into an array takes all of it. */
stet_status query_project(const struct query *query, struct arena *arena, const struct doc *doc,
                          stet_view *data, stet_error *err);

/* command->explain of a list: "index" where one is required. */
void query_explain(struct stet_command *command, struct json_writer *writer);

#endif
