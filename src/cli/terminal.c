#include "cli/terminal.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TABLE_COLUMNS_MAX = 16, TABLE_CELL_COLUMNS_MIN = 8 };

void terminal_init(struct terminal *terminal, FILE *stream) {
    const char *no_color = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    *terminal = (struct terminal){.stream = stream};
    if (!isatty(fileno(stream))) return;
    struct winsize size;
    terminal->width = 80;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        terminal->width = size.ws_col;
    terminal->color =
        (no_color == NULL || no_color[0] == '\0') && (kind == NULL || strcmp(kind, "dumb") != 0);
}

static const char *color_code(enum color color) {
    switch (color) {
    case COLOR_NONE: return "";
    case COLOR_DIM: return "\033[2m";
    case COLOR_BOLD: return "\033[1m";
    case COLOR_RED: return "\033[31m";
    case COLOR_GREEN: return "\033[32m";
    case COLOR_YELLOW: return "\033[33m";
    case COLOR_BLUE: return "\033[34m";
    }
    return "";
}

/* The bytes of a control character at this place (C0, DEL, or C1 in UTF-8), 0 when there is none. */
static size_t control_size(stet_view text, size_t at) {
    unsigned char byte = (unsigned char)text.bytes[at];
    if (byte < 0x20 || byte == 0x7f) return 1;
    if (byte == 0xc2 && at + 1 < text.size && (unsigned char)text.bytes[at + 1] < 0xa0) return 2;
    return 0;
}

/* JSON's escape for it, so that what is printed inside a JSON text still means the same. */
static void control_write(FILE *stream, stet_view text, size_t at, size_t size) {
    unsigned code = (unsigned char)text.bytes[at + size - 1];
    fprintf(stream, "\\u%04x", code);
}

static void write_text(FILE *stream, stet_view text) {
    size_t from = 0;
    for (size_t at = 0; at < text.size;) {
        size_t size = control_size(text, at);
        if (size == 0) {
            at += 1;
            continue;
        }
        fwrite(text.bytes + from, 1, at - from, stream);
        control_write(stream, text, at, size);
        at += size;
        from = at;
    }
    if (text.size > from) fwrite(text.bytes + from, 1, text.size - from, stream);
}

void terminal_text(struct terminal *terminal, enum color color, stet_view text) {
    bool colored = terminal->color && color != COLOR_NONE;
    if (colored) fputs(color_code(color), terminal->stream);
    write_text(terminal->stream, text);
    if (colored) fputs("\033[0m", terminal->stream);
}

static void write_indent(FILE *stream, unsigned depth) {
    fputc('\n', stream);
    for (unsigned i = 0; i < depth; i++)
        fputs("  ", stream);
}

/* Recursion is bounded by the depth the parser lets through. */
static void write_json(struct terminal *terminal, const struct doc *doc, doc_node node,
                       unsigned depth) {
    FILE *stream = terminal->stream;
    enum doc_kind kind = doc_kind(doc, node);
    if (kind != DOC_OBJECT && kind != DOC_ARRAY) {
        terminal_text(terminal, kind == DOC_STRING ? COLOR_GREEN : COLOR_YELLOW,
                      doc_text(doc, node));
        return;
    }
    fputc(kind == DOC_OBJECT ? '{' : '[', stream);
    bool first = true;
    for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child)) {
        if (!first) fputc(',', stream);
        first = false;
        write_indent(stream, depth + 1);
        if (kind == DOC_OBJECT) {
            if (terminal->color) fputs(color_code(COLOR_BLUE), stream);
            fputc('"', stream);
            write_text(stream, doc_key_raw(doc, child));
            fputc('"', stream);
            if (terminal->color) fputs("\033[0m", stream);
            fputs(": ", stream);
        }
        write_json(terminal, doc, child, depth + 1);
    }
    if (!first) write_indent(stream, depth);
    fputc(kind == DOC_OBJECT ? '}' : ']', stream);
}

void terminal_json(struct terminal *terminal, const struct doc *doc, doc_node node) {
    write_json(terminal, doc, node, 0);
    fputc('\n', terminal->stream);
}

static bool begins_character(char byte) { return ((unsigned char)byte & 0xc0) != 0x80; }

size_t terminal_columns(stet_view text) {
    size_t columns = 0;
    for (size_t at = 0; at < text.size;) {
        size_t size = control_size(text, at);
        if (size > 0) {
            columns += strlen("\\u0000");
            at += size;
        } else {
            columns += begins_character(text.bytes[at]);
            at += 1;
        }
    }
    return columns;
}

void table_init(struct table *table, struct arena *arena, size_t columns) {
    *table = (struct table){.arena = arena, .columns = columns};
}

void table_add(struct table *table, enum color color, stet_view text) {
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        struct table_cell *cells = arena_alloc(table->arena, capacity * sizeof *cells);
        if (cells == NULL) {
            table->failed = true;
            return;
        }
        if (table->count > 0) memcpy(cells, table->cells, table->count * sizeof *cells);
        table->cells = cells;
        table->capacity = capacity;
    }
    stet_view copy = arena_copy(table->arena, text);
    if (copy.bytes == NULL) {
        table->failed = true;
        return;
    }
    table->cells[table->count++] = (struct table_cell){.text = copy, .color = color};
}

void table_note(struct table *table, stet_view text) {
    stet_view copy = arena_copy(table->arena, text);
    if (copy.bytes == NULL || table->count == 0) {
        table->failed = true;
        return;
    }
    table->cells[table->count - 1].note = copy;
}

static void measure(const struct table *table, size_t widths[TABLE_COLUMNS_MAX]) {
    for (size_t i = 0; i < table->count; i++) {
        size_t columns = terminal_columns(table->cells[i].text);
        if (columns > widths[i % table->columns]) widths[i % table->columns] = columns;
    }
}

size_t table_width(const struct table *table) {
    size_t widths[TABLE_COLUMNS_MAX] = {0}, width = 0;
    measure(table, widths);
    for (size_t i = 0; i < table->columns; i++)
        width += widths[i] + (i > 0 ? 2 : 0);
    return width;
}

/* The longest beginning that takes at most so many columns. */
static stet_view cut(stet_view text, size_t columns) {
    size_t used = 0;
    for (size_t at = 0; at < text.size;) {
        size_t size = control_size(text, at);
        used += size > 0 ? strlen("\\u0000") : begins_character(text.bytes[at]);
        if (used > columns) return view_make(text.bytes, at);
        at += size > 0 ? size : 1;
    }
    return text;
}

stet_status table_print(const struct table *table, struct terminal *terminal, const char *indent,
                        stet_error *err) {
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    if (table->failed) return error_set(err, STET_NO_MEMORY, "out of memory");
    measure(table, widths);
    for (size_t i = 0, used = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        bool last = column + 1 == table->columns;
        struct table_cell cell = table->cells[i];
        if (column == 0) {
            fputs(indent, terminal->stream);
            used = strlen(indent);
        }
        size_t columns = terminal_columns(cell.text);
        if (last && terminal->width > 0 && used + columns > terminal->width) {
            size_t room = terminal->width > used + TABLE_CELL_COLUMNS_MIN ? terminal->width - used
                                                                          : TABLE_CELL_COLUMNS_MIN;
            terminal_text(terminal, cell.color, cut(cell.text, room - 1));
            fputs("…", terminal->stream);
        } else {
            terminal_text(terminal, cell.color, cell.text);
        }
        for (size_t pad = columns; !last && pad < widths[column] + 2; pad++)
            fputc(' ', terminal->stream);
        used += widths[column] + 2;
        if (last) fputc('\n', terminal->stream);
        if (cell.note.size == 0) continue;
        fprintf(terminal->stream, "%s%*s", indent, (int)widths[0] + 2, "");
        terminal_text(terminal, cell.color, cell.note);
        fputc('\n', terminal->stream);
    }
    return STET_OK;
}
