/*
 * What an import makes of a row: which column goes where in a record and as what, and what its id is. Said by a file (--map), by
 * options, or by both; without any, every column becomes a member of its own name.
 *
 *     {"type": "customers", "id": ["No"],
 *      "fields": {"Name": "/name", "Due": {"to": "/due", "as": "date(dd.mm.yyyy)"}},
 *      "constants": {"/source": "old system"}, "empty": "skip"}
 *
 * Thread: one.
 */
#ifndef CLI_IMPORT_MAP_H
#define CLI_IMPORT_MAP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "cli/convert.h"
#include "cli/rows.h"
#include "stet.h"

#include <stdbool.h>

enum {
    MAP_FIELDS_MAX = 1024,
    MAP_BYTES_MAX = 1024 * 1024,
    MAP_ID_PARTS_MAX = 16,
};

/* What an empty cell means. */
enum map_empty {
    EMPTY_SKIP,   /* Nothing: the field is left out, and an update leaves it alone. */
    EMPTY_REMOVE, /* The field is left out, and an update removes it. */
    EMPTY_TEXT,   /* It is an empty text, converted as any other. */
};

struct map_field {
    stet_view column; /* Name of a column or member; of JSON a pointer, too. Empty: a constant. */
    stet_view pointer;
    struct convert convert;
    bool converts; /* Of JSON: whether told what to become. */
    bool empty_set;
    enum map_empty empty;
    stet_view constant; /* JSON. */
    size_t cell;        /* Of a CSV: which one, from 0. */
};

/* The places in the record, as a tree: siblings linked, in the order in which they were named. */
struct map_place {
    stet_view token; /* Decoded. */
    struct map_place *next, *first;
    const struct map_field *field; /* At the leaves. */
};

/* An id: texts and columns in turn. */
struct map_id_part {
    stet_view text;   /* Before the column. */
    stet_view column; /* Empty: none. */
    size_t cell;
};

struct import_map {
    struct arena arena;
    stet_view type;
    bool json; /* Of JSON rows. */
    struct map_field *fields;
    size_t field_count;
    struct map_place root;
    struct map_id_part *id;
    size_t id_parts;
    enum map_empty empty;
    bool updates;   /* A removed field is said to be removed. */
    char separator; /* Of the file's; '\0': does not say. */
    bool encoding_set;
    enum rows_encoding encoding;
    stet_view *header;
    size_t header_count;
};

void import_map_init(struct import_map *map);
void import_map_done(struct import_map *map);

/* STET_BAD_REQUEST: it says something twice, or what nobody understands. */
stet_status import_map_read(struct import_map *map, stet_view text, stet_error *err);

/* "Column=/pointer", "Column=/pointer:number(.,)" */
stet_status import_map_field(struct import_map *map, stet_view words, stet_error *err);
/* "/pointer=text" */
stet_status import_map_constant(struct import_map *map, stet_view words, stet_error *err);
/* One more column of the id; they are joined with "-". */
stet_status import_map_id_column(struct import_map *map, stet_view column, stet_error *err);
/* "{Country}-{No}"; {{ and }} stand for a brace. */
stet_status import_map_id_template(struct import_map *map, stet_view words, stet_error *err);
/* "skip", "remove" or "text". */
stet_status import_map_empty(struct import_map *map, stet_view words, stet_error *err);
/* One ASCII character, or "tab". */
stet_status import_separator_parse(stet_view words, char *separator, stet_error *err);
stet_status import_encoding_parse(stet_view words, enum rows_encoding *encoding, stet_error *err);

/**
 * All was said: the columns are looked up.
 *
 * @param cells  Of a CSV, its header: names, each once. NULL for JSON. Copied.
 */
stet_status import_map_begin(struct import_map *map, const stet_view *cells, size_t count,
                             stet_error *err);

/**
 * Appends the line of a row: {"type", "id", "data"}.
 *
 * @param id      Out: in the arena.
 * @param column  Out, on STET_BAD_REQUEST: which one is at fault; empty: none in particular.
 * @return STET_OK
 *         STET_BAD_REQUEST, STET_BAD_JSON  the row is no good; the message says why.
 */
stet_status import_map_line(const struct import_map *map, struct arena *arena,
                            const struct row *row, struct buffer *line, stet_view *id,
                            stet_view *column, stet_error *err);

/* The column from which the place of a pointer into the data was made; empty: none. */
stet_view import_map_column_of(const struct import_map *map, stet_view pointer);

#endif
