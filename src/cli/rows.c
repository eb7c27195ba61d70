#include "cli/rows.h"

#include "base/error.h"
#include "base/view.h"
#include "cli/csv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024 };

void rows_init(struct rows *rows, int fd, enum rows_format format, char separator,
               enum rows_encoding encoding) {
    *rows = (struct rows){
        .fd = fd, .format = format, .separator = separator, .encoding = encoding, .line = 1};
    buffer_init(&rows->window, NULL, 0);
    arena_init(&rows->arena, 16 * 1024);
}

void rows_done(struct rows *rows) {
    buffer_done(&rows->window);
    arena_done(&rows->arena);
}

/* ---- The window -------------------------------------------------------------------------- */

static stet_view rest_of(const struct rows *rows) {
    return view_make(rows->window.bytes + rows->at, rows->window.size - rows->at);
}

static stet_status more_read(struct rows *rows, stet_error *err) {
    if (rows->at > 0) {
        memmove(rows->window.bytes, rows->window.bytes + rows->at, rows->window.size - rows->at);
        rows->window.size -= rows->at;
        rows->at = 0;
    }
    char *room = buffer_reserve(&rows->window, READ_BYTES);
    if (room == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    ssize_t got;
    do {
        got = read(rows->fd, room, READ_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return error_set(err, STET_IO, "could not read the file: %s", strerror(errno));
    buffer_advance(&rows->window, (size_t)got);
    rows->ended = got == 0;
    return STET_OK;
}

static void take(struct rows *rows, size_t size) {
    const char *bytes = rows->window.bytes + rows->at;
    for (size_t i = 0; i < size; i++) {
        bool cr = bytes[i] == '\r' && rows->format == ROWS_CSV;
        if (bytes[i] == '\n' ||
            (cr && (rows->at + i + 1 >= rows->window.size || bytes[i + 1] != '\n')))
            rows->line += 1;
    }
    rows->at += size;
    rows->offset += size;
}

/* What tells the encoding apart before anything is read. */
static stet_status begin(struct rows *rows, stet_error *err) {
    stet_status status = STET_OK;
    while (status == STET_OK && !rows->ended && rows->window.size < 4)
        status = more_read(rows, err);
    if (status != STET_OK) return status;
    rows->begun = true;
    stet_view text = rest_of(rows);
    if (view_starts(text, VIEW("\xEF\xBB\xBF"))) {
        take(rows, 3);
        rows->encoding = ROWS_UTF8;
    } else if (view_starts(text, VIEW("\xFF\xFE")) || view_starts(text, VIEW("\xFE\xFF"))) {
        return error_set(err, STET_BAD_REQUEST,
                         "the file is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)");
    }
    return STET_OK;
}

/* ---- Encodings --------------------------------------------------------------------------- */

/* As browsers read latin1: 0x80 to 0x9F are those of windows-1252. */
static const unsigned short windows_1252[32] = {
    0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
    0x2039, 0x152,  0x8D,   0x17D,  0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

static bool latin1_decode(struct arena *arena, stet_view raw, stet_view *out) {
    size_t high = 0, size = 0;
    for (size_t i = 0; i < raw.size; i++)
        high += (unsigned char)raw.bytes[i] >= 0x80;
    if (high == 0) {
        *out = raw;
        return true;
    }
    char *bytes = arena_bytes(arena, raw.size + 2 * high);
    if (bytes == NULL) return false;
    for (size_t i = 0; i < raw.size; i++) {
        unsigned c = (unsigned char)raw.bytes[i];
        if (c >= 0x80 && c < 0xA0) c = windows_1252[c - 0x80];
        if (c < 0x80) {
            bytes[size++] = (char)c;
        } else if (c < 0x800) {
            bytes[size++] = (char)(0xC0 | c >> 6);
            bytes[size++] = (char)(0x80 | (c & 0x3F));
        } else {
            bytes[size++] = (char)(0xE0 | c >> 12);
            bytes[size++] = (char)(0x80 | (c >> 6 & 0x3F));
            bytes[size++] = (char)(0x80 | (c & 0x3F));
        }
    }
    *out = view_make(bytes, size);
    return true;
}

/* Where the first byte is that is not UTF-8. text: has one. */
static size_t utf8_fault(stet_view text) {
    size_t good = 0, size = 1;
    while (good + size <= text.size && size <= 4) {
        if (view_is_utf8(view_make(text.bytes + good, size))) {
            good += size;
            size = 1;
        } else {
            size++;
        }
    }
    return good;
}

/* True when all is well; else row->why says which byte is not. */
static bool encoding_check(const struct rows *rows, stet_view text, struct row *row) {
    const char *nul = memchr(text.bytes, '\0', text.size);
    if (nul != NULL) {
        snprintf(row->why, sizeof row->why, "byte %zu of it is NUL, which no text has",
                 (size_t)(nul - text.bytes) + 1);
        return false;
    }
    if (rows->encoding == ROWS_LATIN1 || view_is_utf8(text)) return true;
    size_t at = utf8_fault(text), line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column = text.bytes[i] == '\n' ? 1 : column + 1;
        line += text.bytes[i] == '\n';
    }
    snprintf(row->why, sizeof row->why, "byte %zu of line %llu, 0x%02X, is not UTF-8%s", column,
             (unsigned long long)(row->line + line - 1), (unsigned char)text.bytes[at],
             rows->format == ROWS_CSV ? " (--encoding latin1?)" : "");
    return false;
}

/* ---- CSV --------------------------------------------------------------------------------- */

/* Drops a row that is too long: its first line, however long that is. */
static stet_status line_drop(struct rows *rows, stet_error *err) {
    for (;;) {
        stet_view text = rest_of(rows);
        const char *end = memchr(text.bytes, '\n', text.size);
        take(rows, end == NULL ? text.size : (size_t)(end + 1 - text.bytes));
        if (end != NULL || rows->ended) return STET_OK;
        stet_status status = more_read(rows, err);
        if (status != STET_OK) return status;
    }
}

static enum rows_answer too_long(struct rows *rows, struct row *row, stet_error *err) {
    snprintf(row->why, sizeof row->why, "is longer than %d bytes%s", (int)ROWS_ROW_BYTES_MAX,
             rows->format == ROWS_CSV ? ": is there a quote that is never closed?" : "");
    if (line_drop(rows, err) != STET_OK) return ROWS_FAILED;
    row->end = rows->offset;
    return ROWS_BAD;
}

static bool ends_line(stet_view text) {
    return text.size > 0 &&
           (text.bytes[text.size - 1] == '\n' || text.bytes[text.size - 1] == '\r');
}

static enum rows_answer csv_take(struct rows *rows, struct row *row, enum csv_answer answer,
                                 const struct csv_row *read, stet_error *err) {
    stet_view text = view_make(rest_of(rows).bytes, read->size);
    take(rows, read->size);
    row->end = rows->offset;
    row->last_line = rows->line - ends_line(text);
    if (!encoding_check(rows, text, row)) return ROWS_BAD;
    if (answer == CSV_BROKEN) {
        int size = snprintf(row->why, sizeof row->why, "%s (cell %zu)", read->why, read->count + 1);
        if (row->last_line > row->line) /* Rows may have been taken for a cell of this one. */
            snprintf(row->why + size, sizeof row->why - (size_t)size,
                     "; lines %llu to %llu are left out", (unsigned long long)row->line,
                     (unsigned long long)row->last_line);
        return ROWS_BAD;
    }
    row->cells = read->cells;
    row->cell_count = read->count;
    for (size_t i = 0; rows->encoding == ROWS_LATIN1 && i < read->count; i++)
        if (!latin1_decode(&rows->arena, read->cells[i], &row->cells[i])) {
            error_set(err, STET_NO_MEMORY, "out of memory");
            return ROWS_FAILED;
        }
    return ROWS_ROW;
}

static enum rows_answer csv_next(struct rows *rows, struct row *row, stet_error *err) {
    for (;;) {
        struct csv_row read;
        stet_view text = rest_of(rows);
        if (text.size == 0 && rows->ended) return ROWS_END;
        enum csv_answer answer = CSV_MORE;
        row->line = rows->line;
        if (text.size > 0)
            answer = csv_row_read(&rows->arena, text, rows->ended, rows->separator, &read);
        if (answer == CSV_NO_MEMORY) {
            error_set(err, STET_NO_MEMORY, "out of memory");
            return ROWS_FAILED;
        }
        size_t size = answer == CSV_MORE ? text.size : read.size;
        if (size > ROWS_ROW_BYTES_MAX) return too_long(rows, row, err);
        if (answer == CSV_MORE) {
            arena_reset(&rows->arena);
            if (more_read(rows, err) != STET_OK) return ROWS_FAILED;
            continue;
        }
        bool blank = answer == CSV_ROW && read.count == 1 && read.cells[0].size == 0;
        if (!blank) return csv_take(rows, row, answer, &read, err);
        take(rows, read.size);
    }
}

/* ---- JSON -------------------------------------------------------------------------------- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static enum rows_answer json_give(struct rows *rows, struct row *row, size_t size) {
    row->json = view_make(rest_of(rows).bytes, size);
    bool good = encoding_check(rows, row->json, row);
    take(rows, size);
    row->end = rows->offset;
    return good ? ROWS_ROW : ROWS_BAD;
}

static enum rows_answer ndjson_next(struct rows *rows, struct row *row, stet_error *err) {
    for (;;) {
        stet_view text = rest_of(rows);
        size_t blanks = 0;
        while (blanks < text.size && is_blank(text.bytes[blanks]))
            blanks++;
        take(rows, blanks);
        text = rest_of(rows);
        row->line = rows->line;
        if (text.size == 0 && rows->ended) return ROWS_END;
        const char *end = text.size == 0 ? NULL : memchr(text.bytes, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.bytes);
        if (size > ROWS_ROW_BYTES_MAX) return too_long(rows, row, err);
        if (end != NULL || (rows->ended && text.size > 0)) return json_give(rows, row, size);
        if (more_read(rows, err) != STET_OK) return ROWS_FAILED;
    }
}

/* Looks for the end of the element that begins the text; 0: it is not there. */
static size_t element_end(struct rows *rows, stet_view text) {
    for (size_t i = rows->scan.scanned; i < text.size; i++) {
        char c = text.bytes[i];
        if (rows->scan.text) {
            if (rows->scan.escaped) {
                rows->scan.escaped = false;
            } else if (c == '\\') {
                rows->scan.escaped = true;
            } else if (c == '"') {
                rows->scan.text = false;
            }
            continue;
        }
        if (rows->scan.depth == 0 && (c == ',' || c == ']')) return i;
        if (c == '"') rows->scan.text = true;
        if (c == '{' || c == '[') rows->scan.depth++;
        if ((c == '}' || c == ']') && rows->scan.depth > 0) rows->scan.depth--;
    }
    rows->scan.scanned = text.size;
    return 0;
}

static enum rows_answer bad(struct rows *rows, struct row *row, const char *why) {
    snprintf(row->why, sizeof row->why, "%s", why);
    row->end = rows->offset;
    return ROWS_BAD;
}

/* The element that begins here. Its end is the comma or bracket behind it, so that nonsense ends somewhere, too. */
static enum rows_answer element_take(struct rows *rows, struct row *row, stet_error *err) {
    row->line = rows->line;
    rows->scan.scanned = rows->scan.depth = 0;
    rows->scan.text = rows->scan.escaped = rows->scan.too_long = false;
    for (;;) {
        stet_view text = rest_of(rows);
        size_t size = element_end(rows, text);
        if (size > 0) {
            rows->element = true;
            if (!rows->scan.too_long && size <= ROWS_ROW_BYTES_MAX)
                return json_give(rows, row, size);
            take(rows, size);
            snprintf(row->why, sizeof row->why, "is longer than %d bytes", (int)ROWS_ROW_BYTES_MAX);
            row->end = rows->offset;
            return ROWS_BAD;
        }
        if (text.size > ROWS_ROW_BYTES_MAX) {
            rows->scan.too_long = true;
            take(rows, text.size);
            rows->scan.scanned = 0;
        }
        if (rows->ended) {
            take(rows, rest_of(rows).size);
            rows->cut = true;
            return bad(rows, row, "the file ends in the middle of this element");
        }
        if (more_read(rows, err) != STET_OK) return ROWS_FAILED;
    }
}

static enum rows_answer array_next(struct rows *rows, struct row *row, stet_error *err) {
    bool comma = false; /* One was read that nothing follows yet. */
    for (;;) {
        stet_view text = rest_of(rows);
        row->line = rows->line;
        if (text.size == 0 && rows->ended) {
            if (rows->closed || rows->cut) return ROWS_END;
            rows->cut = true;
            return bad(rows, row, "the array is not closed: the file is cut off");
        }
        if (text.size == 0) {
            if (more_read(rows, err) != STET_OK) return ROWS_FAILED;
            continue;
        }
        char c = text.bytes[0];
        if (is_blank(c)) {
            take(rows, 1);
        } else if (rows->closed) {
            while (!rows->ended) {
                take(rows, rest_of(rows).size);
                if (more_read(rows, err) != STET_OK) return ROWS_FAILED;
            }
            take(rows, rest_of(rows).size);
            return bad(rows, row, "there is something behind the end of the array");
        } else if (!rows->opened) {
            rows->opened = true;
            take(rows, 1);
        } else if (c == ']') {
            rows->closed = true;
            take(rows, 1);
            if (comma) return bad(rows, row, "there is a comma behind the last element");
        } else if (c == ',') {
            bool second = comma || !rows->element;
            take(rows, 1);
            rows->element = false;
            comma = true;
            if (second) return bad(rows, row, "there is no element before this comma");
        } else {
            return element_take(rows, row, err);
        }
    }
}

enum rows_answer rows_next(struct rows *rows, struct row *row, stet_error *err) {
    *row = (struct row){.line = rows->line};
    arena_reset(&rows->arena);
    if (!rows->begun) {
        if (begin(rows, err) != STET_OK) return ROWS_FAILED;
        stet_view text = rest_of(rows);
        size_t i = 0;
        while (i < text.size && is_blank(text.bytes[i]))
            i++;
        rows->is_array = rows->format == ROWS_JSON && i < text.size && text.bytes[i] == '[';
    }
    if (rows->format == ROWS_CSV) return csv_next(rows, row, err);
    return rows->is_array ? array_next(rows, row, err) : ndjson_next(rows, row, err);
}
