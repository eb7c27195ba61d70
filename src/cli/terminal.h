/*
 * What people read: tables, JSON with indentation, colours. Colours only where standard output is a terminal and
 * NO_COLOR is unset. Whatever comes from records is shown so that it cannot steer the terminal: control characters are
 * escaped.
 *
 * Thread: one.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "base/arena.h"
#include "doc/doc.h"
#include "stet.h"

#include <stdio.h>

struct terminal {
    FILE *stream;
    bool color;
    unsigned width; /* Columns; 0: not a terminal, nothing is cut. */
};

void terminal_init(struct terminal *terminal, FILE *stream);

enum color { COLOR_NONE, COLOR_DIM, COLOR_BOLD, COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_BLUE };

/* Text from outside, with control characters escaped. */
void terminal_text(struct terminal *terminal, enum color color, stet_view text);

/* JSON with two spaces of indentation and a newline at the end. Numbers keep their spelling, members their order. */
void terminal_json(struct terminal *terminal, const struct doc *doc, doc_node node);

/* Columns a text takes when terminal_text writes it. */
size_t terminal_columns(stet_view text);

/* Its longest beginning that takes at most so many. */
stet_view terminal_cut(stet_view text, size_t columns);

/*
 * Rows of cells, printed with aligned columns once all are there. The last column is cut to the terminal's width. A row
 * may have a note, printed below it from the second column on; it takes part in no column's width.
 */
struct table_cell {
    stet_view text;
    enum color color;
    stet_view note; /* Of a row's last cell. */
};

struct table {
    struct arena *arena;
    size_t columns;
    struct table_cell *cells;
    size_t count;
    size_t capacity;
    bool failed; /* Memory ran out. */
};

void table_init(struct table *table, struct arena *arena, size_t columns);
void table_add(struct table *table, enum color color, stet_view text); /* Copied. */
void table_titles(struct table *table, const char *const *titles);     /* One for each column. */
void table_note(struct table *table,
                stet_view text);               /* Of the row just ended, in its color. Copied. */
size_t table_width(const struct table *table); /* Columns of its longest row. */
stet_status table_print(const struct table *table, struct terminal *terminal, const char *indent,
                        stet_error *err);

#endif
