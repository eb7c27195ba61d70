#include "base/log.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/view.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static _Atomic int level_now = LOG_INFO;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level) {
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

bool log_parse_level(stet_view text, enum log_level *level) {
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (!view_equal(text, view_of(level_names[i]))) continue;
        *level = (enum log_level)i;
        return true;
    }
    return false;
}

bool log_enabled(enum log_level level) {
    return (int)level >= atomic_load_explicit(&level_now, memory_order_relaxed);
}

/* A line in the making. Past its bound it is cut and says so: a longer write to a pipe could mix
 * with another's. */
struct line {
    char bytes[LOG_LINE_BYTES_MAX];
    size_t size;
    bool cut;
};

static const char cut_mark[] = " cut=true\n";

static void put(struct line *line, const char *bytes, size_t size) {
    size_t room = sizeof line->bytes - sizeof cut_mark - line->size; /* sizeof: and a last quote. */
    if (line->cut || size > room) {
        line->cut = true;
        return;
    }
    memcpy(line->bytes + line->size, bytes, size);
    line->size += size;
}

static void put_text(struct line *line, const char *text) { put(line, text, strlen(text)); }

static void put_escaped(struct line *line, unsigned char c) {
    static const char digits[] = "0123456789abcdef";
    switch (c) {
    case '"': put_text(line, "\\\""); return;
    case '\\': put_text(line, "\\\\"); return;
    case '\n': put_text(line, "\\n"); return;
    case '\r': put_text(line, "\\r"); return;
    case '\t': put_text(line, "\\t"); return;
    default: put(line, (char[]){'\\', 'x', digits[c >> 4], digits[c & 0x0F]}, 4); return;
    }
}

/* A long value goes between quotes, where it can be cut. */
static bool is_plain(stet_view value) {
    if (value.size > 1024) return false;
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.bytes[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '=' || c == '\\') return false;
    }
    return value.size > 0;
}

/* What a client sent may stand here: nothing gets out that could end the line or steer a
 * terminal. */
static void put_quoted(struct line *line, stet_view value) {
    bool utf8 = view_is_utf8(value);
    put_text(line, "\"");
    if (line->cut) return;
    for (size_t i = 0; i < value.size && !line->cut; i++) {
        unsigned char c = (unsigned char)value.bytes[i];
        /* U+0080 to U+009F, C1 controls, are C2 80 to C2 9F. */
        bool c1 = c == 0xC2 && i + 1 < value.size && (unsigned char)value.bytes[i + 1] < 0xA0;
        if (c < ' ' || c == 0x7F || c == '"' || c == '\\' || (c >= 0x80 && !utf8)) {
            put_escaped(line, c);
        } else if (c1) {
            put_escaped(line, c);
            put_escaped(line, (unsigned char)value.bytes[++i]);
        } else {
            put(line, (const char *)&c, 1);
        }
    }
    put_text(line, "\"");
    if (!line->cut) return;
    while ((unsigned char)line->bytes[line->size - 1] >= 0x80)
        line->size--; /* Half a character. */
    line->bytes[line->size++] = '"';
}

static void put_field(struct line *line, const struct log_field *field) {
    char number[24];
    put_text(line, " ");
    put_text(line, field->key);
    put_text(line, "=");
    switch (field->kind) {
    case LOG_FIELD_TEXT:
        if (is_plain(field->value.text)) {
            put(line, field->value.text.bytes, field->value.text.size);
        } else {
            put_quoted(line, field->value.text);
        }
        return;
    case LOG_FIELD_U64:
        snprintf(number, sizeof number, "%llu", (unsigned long long)field->value.u64);
        put_text(line, number);
        return;
    case LOG_FIELD_I64:
        snprintf(number, sizeof number, "%lld", (long long)field->value.i64);
        put_text(line, number);
        return;
    }
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields,
                size_t count) {
    if (!log_enabled(level)) return;
    struct line line;
    line.size = CLOCK_RFC3339_BYTES;
    line.cut = false;
    clock_format_rfc3339(clock_wall_ns(clock_system()), line.bytes);
    put_text(&line, " ");
    put_text(&line, level_names[level]);
    put_text(&line, " msg=");
    put_quoted(&line, view_of(message));
    for (size_t i = 0; i < count && !line.cut; i++)
        put_field(&line, &fields[i]);

    const char *end = line.cut ? cut_mark : "\n";
    memcpy(line.bytes + line.size, end, strlen(end));
    line.size += strlen(end);

    const char *next = line.bytes;
    while (line.size > 0) {
        ssize_t written = write(STDERR_FILENO, next, line.size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return; /* Nobody is left to tell. */
        next += written;
        line.size -= (size_t)written;
    }
}
