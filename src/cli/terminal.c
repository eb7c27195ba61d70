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

/* The character that begins at this place, and its bytes; what is no UTF-8 is one byte each. */
static uint32_t character_at(stet_view text, size_t at, size_t *size) {
    unsigned char byte = (unsigned char)text.bytes[at];
    size_t count = byte < 0xc2 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 1;
    uint32_t code = count == 1 ? byte : byte & (0x7fu >> count);
    *size = 1;
    if (count > text.size - at) return byte;
    for (size_t i = 1; i < count; i++) {
        unsigned char next = (unsigned char)text.bytes[at + i];
        if ((next & 0xc0) != 0x80) return byte;
        code = code << 6 | (next & 0x3f);
    }
    *size = count;
    return code;
}

/* The bytes of a control character at this place (C0, DEL, C1), or of one that turns the direction of what follows on the
 * line, so that it says something else than what is there; 0 when there is none. */
static size_t control_size(stet_view text, size_t at) {
    size_t size;
    uint32_t code = character_at(text, at, &size);
    bool control = code < 0x20 || code == 0x7f || (size == 2 && code < 0xa0);
    bool turns = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return control || turns ? size : 0;
}

/* JSON's escape for it, so that what is printed inside a JSON text still means the same. */
static void control_write(FILE *stream, stet_view text, size_t at) {
    size_t size;
    fprintf(stream, "\\u%04x", (unsigned)character_at(text, at, &size));
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
        control_write(stream, text, at);
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

/* First and last of what terminals draw two columns wide (East Asian Width W and F, in blocks), and of what they draw on top of
 * the character before. wcwidth would need the user's locale, which this program does not take up. */
static const uint32_t wide[][2] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},  {0xa960, 0xa97c},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},  {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
static const uint32_t on_top[][2] = {{0x0300, 0x036f}, {0x200b, 0x200f}, {0x20d0, 0x20f0},
                                     {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};

static bool is_among(const uint32_t ranges[][2], size_t count, uint32_t code) {
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1]) return true;
    return false;
}

/* The columns of the character at this place, as write_text writes it. */
static size_t columns_at(stet_view text, size_t at, size_t *size) {
    uint32_t code = character_at(text, at, size);
    if (control_size(text, at) > 0) return strlen("\\u0000");
    if (code < 0x300 || is_among(on_top, sizeof on_top / sizeof on_top[0], code))
        return code < 0x300;
    return is_among(wide, sizeof wide / sizeof wide[0], code) ? 2 : 1;
}

size_t terminal_columns(stet_view text) {
    size_t columns = 0;
    for (size_t at = 0, size; at < text.size; at += size)
        columns += columns_at(text, at, &size);
    return columns;
}

stet_view terminal_cut(stet_view text, size_t columns) {
    size_t used = 0;
    for (size_t at = 0, size; at < text.size; at += size) {
        used += columns_at(text, at, &size);
        if (used > columns) return view_make(text.bytes, at);
    }
    return text;
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

void table_titles(struct table *table, const char *const *titles) {
    for (size_t i = 0; i < table->columns; i++)
        table_add(table, COLOR_DIM, view_of(titles[i]));
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
            terminal_text(terminal, cell.color, terminal_cut(cell.text, room - 1));
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
