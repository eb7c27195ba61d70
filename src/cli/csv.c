#include "cli/csv.h"

#include "base/view.h"

#include <string.h>

struct reading {
    struct arena *arena;
    stet_view text;
    size_t at;
    bool last;
    char separator;
    struct csv_row *row;
    size_t capacity;
};

static bool cell_add(struct reading *reading, stet_view cell) {
    struct csv_row *row = reading->row;
    if (row->count == reading->capacity) {
        size_t capacity = reading->capacity == 0 ? 32 : reading->capacity * 2;
        stet_view *cells = arena_alloc(reading->arena, capacity * sizeof *cells);
        if (cells == NULL) return false;
        if (row->count > 0) memcpy(cells, row->cells, row->count * sizeof *cells);
        row->cells = cells;
        reading->capacity = capacity;
    }
    row->cells[row->count++] = cell;
    return true;
}

/* Behind the line in which `from` stands, so that one broken row does not take the others with it. */
static enum csv_answer broken(struct reading *reading, size_t from, const char *why) {
    const char *rest = reading->text.bytes + from;
    const char *end = memchr(rest, '\n', reading->text.size - from);
    if (end == NULL && !reading->last) return CSV_MORE;
    reading->row->why = why;
    reading->row->size = end == NULL ? reading->text.size : (size_t)(end + 1 - reading->text.bytes);
    return CSV_BROKEN;
}

static bool ends_cell(const struct reading *reading, char c) {
    return c == reading->separator || c == '\r' || c == '\n';
}

static bool undouble(struct arena *arena, stet_view raw, stet_view *cell) {
    char *bytes = arena_bytes(arena, raw.size);
    size_t size = 0;
    if (bytes == NULL) return false;
    for (size_t i = 0; i < raw.size; i++) {
        bytes[size++] = raw.bytes[i];
        if (raw.bytes[i] == '"') i++;
    }
    *cell = view_make(bytes, size);
    return true;
}

/* The cell whose first byte is a quote. CSV_ROW: it was read, and its end is next. */
static enum csv_answer quoted_read(struct reading *reading) {
    stet_view text = reading->text;
    size_t begin = reading->at + 1, at = begin;
    bool doubled = false;
    for (;;) {
        const char *quote = at < text.size ? memchr(text.bytes + at, '"', text.size - at) : NULL;
        if (quote == NULL)
            return reading->last ? broken(reading, 0, "a quote is opened and never closed")
                                 : CSV_MORE;
        at = (size_t)(quote - text.bytes) + 1;
        if (at == text.size && !reading->last) return CSV_MORE;
        if (at == text.size || text.bytes[at] != '"') break;
        doubled = true;
        at++;
    }
    stet_view cell = view_make(text.bytes + begin, at - 1 - begin);
    reading->at = at;
    if (at < text.size && !ends_cell(reading, text.bytes[at]))
        return broken(reading, at, "there is text behind a closing quote");
    if (doubled && !undouble(reading->arena, cell, &cell)) return CSV_NO_MEMORY;
    return cell_add(reading, cell) ? CSV_ROW : CSV_NO_MEMORY;
}

static enum csv_answer bare_read(struct reading *reading) {
    stet_view text = reading->text;
    size_t begin = reading->at, at = begin;
    while (at < text.size && !ends_cell(reading, text.bytes[at])) {
        if (text.bytes[at] == '"')
            return broken(reading, at, "there is a quote inside a cell that has none around it");
        at++;
    }
    if (at == text.size && !reading->last) return CSV_MORE;
    reading->at = at;
    return cell_add(reading, view_make(text.bytes + begin, at - begin)) ? CSV_ROW : CSV_NO_MEMORY;
}

enum csv_answer csv_row_read(struct arena *arena, stet_view text, bool last, char separator,
                             struct csv_row *row) {
    struct reading reading = {
        .arena = arena, .text = text, .last = last, .separator = separator, .row = row};
    *row = (struct csv_row){0};
    for (;;) {
        bool quoted = reading.at < text.size && text.bytes[reading.at] == '"';
        enum csv_answer answer = quoted ? quoted_read(&reading) : bare_read(&reading);
        if (answer != CSV_ROW) return answer;
        if (reading.at == text.size || text.bytes[reading.at] != separator) break;
        if (row->count == CSV_CELLS_MAX)
            return broken(&reading, reading.at, "there are more cells than a row may have");
        reading.at++;
    }
    if (reading.at < text.size) {
        bool cr = text.bytes[reading.at++] == '\r';
        if (cr && reading.at == text.size && !last) return CSV_MORE; /* An LF may follow. */
        if (cr && reading.at < text.size && text.bytes[reading.at] == '\n') reading.at++;
    }
    row->size = reading.at;
    return CSV_ROW;
}
