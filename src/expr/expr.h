/*
 * Expressions: conditions on a record, written by people: stage = "won" && amount >= 1000. README.md has the grammar and what
 * each operator means, with examples.
 *
 * An expression is parsed once into an arena and is immutable from then on: any number of threads may match subjects against it.
 * Matching allocates nothing, cannot fail, and is bounded by the size of the expression times that of the data.
 */
#ifndef EXPR_EXPR_H
#define EXPR_EXPR_H

#include "base/arena.h"
#include "doc/doc.h"
#include "stet.h"

struct expr;

/* What is known of a record besides its data. */
enum expr_meta {
    EXPR_META_NONE,
    EXPR_META_ID,
    EXPR_META_VERSION,
    EXPR_META_SEQ,
    EXPR_META_CREATED_AT,
    EXPR_META_CREATED_BY,
    EXPR_META_UPDATED_AT,
    EXPR_META_UPDATED_BY,
    EXPR_META_TYPE,
    EXPR_META_PARENT,
};

/* Which names an expression may use besides the record's fields and metadata. */
enum expr_roots {
    EXPR_ROOT_ACTOR = 1,   /* actor.id, actor.roles */
    EXPR_ROOT_OLD_NEW = 2, /* old.*, new.*: the data before and after a write */
};

struct expr_options {
    unsigned roots;    /* enum expr_roots, or 0. */
    const char *field; /* What an error names: "where". NULL: nothing. */
};

/**
 * Parses an expression.
 *
 * @param arena  Where it lives; a failure leaves garbage until it is reset.
 * @param text   UTF-8, copied.
 *
 * @return STET_OK
 *         STET_BAD_REQUEST  not an expression; the message says at which byte and what was expected there.
 *         STET_TOO_LARGE    EXPR_BYTES_MAX, EXPR_DEPTH_MAX or EXPR_NODES_MAX was passed.
 */
stet_status expr_parse(struct arena *arena, stet_view text, const struct expr_options *options,
                       struct expr **out, stet_error *err);

/* What an operand is worth. Texts are borrowed. */
enum expr_kind {
    EXPR_NULL, /* Also what is absent. */
    EXPR_BOOL,
    EXPR_NUMBER, /* text: as JSON spells it. */
    EXPR_U64,
    EXPR_STRING, /* text, escaped */
    EXPR_TIME,   /* ns */
    EXPR_VALUE,  /* doc, node: an array or an object. */
    EXPR_TEXTS,  /* texts, text_count: the actor's roles. */
};

struct expr_value {
    enum expr_kind kind;
    bool boolean;
    bool escaped; /* text has JSON's escapes. */
    uint64_t u64;
    int64_t ns;
    stet_view text;
    const struct doc *doc;
    doc_node node;
    const stet_view *texts;
    size_t text_count;
};

struct expr_subject {
    const struct doc *data; /* NULL: every field is absent. */
    /* Sets *value; leaving it alone means null. NULL: all metadata is null. */
    void (*meta)(void *context, enum expr_meta meta, struct expr_value *value);
    void *context;
    /* For EXPR_ROOT_OLD_NEW and EXPR_ROOT_ACTOR. */
    const struct doc *old_data;
    const struct doc *new_data;
    stet_view actor_id;
    const stet_view *actor_roles;
    size_t actor_role_count;
};

bool expr_matches(const struct expr *expr, const struct expr_subject *subject);

/* What an expression is for an actor, as long as no record is known: settled, or dependent on the record. */
enum expr_truth { EXPR_FALSE, EXPR_TRUE, EXPR_DEPENDS };
/* actor: only actor_… of it are looked at. */
enum expr_truth expr_truth(const struct expr *expr, const struct expr_subject *actor);

/*
 * For expr_bounds: what is left of a rule that depends on the record, once the actor is known, and `also` (NULL: nothing) besides.
 * STET_OK, STET_NO_MEMORY.
 */
stet_status expr_for_actor(struct arena *arena, const struct expr *rule,
                           const struct expr_subject *actor, const struct expr *also,
                           struct expr **out);

/* Pointers of all fields of the data that it looks at, some perhaps several times: up to max of them. Returns how many there are. */
size_t expr_fields(const struct expr *expr, stet_view *pointers, size_t max);

/* Whether old.… or new.… stands in it. */
bool expr_names_old(const struct expr *expr);
bool expr_names_new(const struct expr *expr);

/* One field by itself, as sort and projection name it: a dotted path, a JSON pointer, or metadata. */
struct expr_field {
    enum expr_meta meta; /* EXPR_META_NONE: the data's field at `pointer`. */
    stet_view pointer;   /* A valid JSON pointer. */
};

/* As expr_parse; text is copied. */
stet_status expr_field_parse(struct arena *arena, stet_view text,
                             const struct expr_options *options, struct expr_field *out,
                             stet_error *err);

/*
 * What an expression demands of one field, whatever else it demands: for finding records through an index. A superset: who uses
 * it still matches each record. Only comparisons with constants at the top, joined by &&, count.
 */
enum expr_bounds_kind {
    EXPR_BOUNDS_NONE,
    EXPR_BOUNDS_POINT,  /* Equal to `point`. */
    EXPR_BOUNDS_POINTS, /* Equal to an element of the array `point`. */
    EXPR_BOUNDS_PREFIX, /* A string that starts with the string `point`. */
    EXPR_BOUNDS_RANGE,  /* Of the kind of low and high: a number or a string. */
};

struct expr_bounds {
    enum expr_bounds_kind kind;
    const struct doc *doc; /* Holds the constants; lives as long as the expression. */
    doc_node point;
    doc_node low, high; /* DOC_NONE: open on this side; not both. */
    bool low_exclusive, high_exclusive;
};

/* pointer: of a field of the data. */
void expr_bounds(const struct expr *expr, stet_view pointer, struct expr_bounds *out);

/* Pointers of up to max fields that expr_bounds may know something about, each once. Returns how many. */
size_t expr_bounded_fields(const struct expr *expr, stet_view *pointers, size_t max);

#endif
