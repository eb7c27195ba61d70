/*
 * What a compiled validator looks like, for validate.c and validator.c only.
 */
#ifndef CORE_VALIDATOR_H
#define CORE_VALIDATOR_H

#include "core/validate.h"
#include "doc/decimal.h"
#include "doc/pointer.h"
#include "expr/expr.h"

/* Kinds of values, as bits. An integer is a number, too. */
enum {
    VALUE_NULL = 1,
    VALUE_BOOLEAN = 2,
    VALUE_NUMBER = 4, /* With or without a fraction. */
    VALUE_INTEGER = 8,
    VALUE_STRING = 16,
    VALUE_ARRAY = 32,
    VALUE_OBJECT = 64,
    VALUE_ANY = 127,
};

struct validator {
    struct validator *next;  /* Sibling. */
    struct validator *first; /* Child; exact names before "*". */
    stet_view token;         /* Decoded. The root has none. */
    bool any;                /* "*" */
    bool starred;            /* It is "*", or below one. */
    bool declared;           /* It has an entry of its own, `entry`. */
    doc_node entry;
    stet_view where;        /* That entry in the definition: "/fields/~1amount". */
    unsigned kinds;         /* What may stand there. */
    const char *kinds_name; /* In words. */
    bool required;
    bool immutable;
    const struct expr *immutable_when; /* While the record before matches. NULL: never. */
    bool has_minimum, has_maximum;
    struct decimal minimum, maximum;
    stet_view minimum_text, maximum_text;
    bool has_bytes; /* min_bytes or max_bytes is given. */
    uint64_t min_bytes, max_bytes;
    const struct doc *definition; /* Holds `values`. */
    doc_node values;              /* "enum"; DOC_NONE: not given. */
    stet_view key;                /* Of a by_key list: the pointer inside an element; else empty. */
    bool has_default;
    struct doc fallback; /* The default. */
    uint32_t depth;      /* Tokens. */
    /* Of this node or one below it. */
    bool immutable_within;
    bool default_within;
    uint32_t default_depth_max; /* Of the root: the deepest default. */
};

/* The kind of a value, as a bit; an integer has VALUE_INTEGER and VALUE_NUMBER. */
unsigned value_kinds(const struct doc *doc, doc_node node);

/* As validate, for one value that a node describes; `where` is its place for err->field. */
stet_status validate_value(struct arena *arena, const struct validator *validator,
                           const struct doc *doc, doc_node node, const struct pointer_path *where,
                           stet_error *err);

/* As validate_fill, for the value a node describes and with defaults down to depth_max tokens from the root. */
stet_status validate_fill_below(struct arena *arena, const struct validator *validator,
                                uint32_t depth_max, const struct doc *doc, stet_view *filled,
                                stet_error *err);

#endif
