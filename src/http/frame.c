#include "http/frame.h"

#include "base/view.h"

#include <string.h>

stet_view frame_event_name(stet_event_kind kind) {
    switch (kind) {
    case STET_EVENT_CHANGE: return VIEW("change");
    case STET_EVENT_CONFLICT: return VIEW("conflict");
    case STET_EVENT_OPERATION: return VIEW("operation");
    case STET_EVENT_REVOKED: return VIEW("revoked");
    case STET_EVENT_READY: return VIEW("ready");
    case STET_EVENT_BOOKMARK: return VIEW("bookmark");
    case STET_EVENT_RESET: return VIEW("reset");
    case STET_EVENT_END: return VIEW("end");
    }
    return VIEW("unknown");
}

static char *put(char *out, const char *bytes, size_t size) {
    memcpy(out, bytes, size);
    return out + size;
}

#define PUT_TEXT(out, literal) put(out, (literal), sizeof(literal) - 1)

static char *put_u64(char *out, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return put(out, digits + at, sizeof digits - at);
}

/* The end of the line that begins at `at`. */
static const char *line_end(const char *at, const char *end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const char *stop = newline == NULL ? end : newline;
    const char *carriage = memchr(at, '\r', (size_t)(stop - at));
    return carriage == NULL ? stop : carriage;
}

static char *put_line(char *out, stet_view line) {
    out = PUT_TEXT(out, "data: ");
    out = put(out, line.bytes, line.size);
    *out++ = '\n';
    return out;
}

/* JSON may hold line breaks between its tokens; each line gets its own field. */
static char *put_lines(char *out, stet_view data) {
    const char *at = data.bytes;
    const char *end = data.bytes + data.size;
    do {
        const char *stop = line_end(at, end);
        out = put_line(out, (stet_view){at, (size_t)(stop - at)});
        at = stop + 1;
    } while (at < end);
    return out;
}

/* All of an event but its data: the id's digits, the names, and the ends of lines. */
enum { FRAME_BYTES = 64, LINE_BYTES = 7 };

static size_t count_byte(stet_view data, char byte) {
    const char *at = data.bytes;
    const char *end = data.bytes + data.size;
    size_t count = 0;
    while (at < end && (at = memchr(at, byte, (size_t)(end - at))) != NULL) {
        count++;
        at++;
    }
    return count;
}

static size_t breaks_of(stet_view data) { return count_byte(data, '\n') + count_byte(data, '\r'); }

size_t frame_bytes_max(const stet_event *event, size_t *breaks) {
    *breaks = breaks_of(event->data);
    return FRAME_BYTES + event->data.size + *breaks * LINE_BYTES;
}

char *frame_put(char *out, const stet_event *event, size_t breaks) {
    stet_view name = frame_event_name(event->kind);
    /* No id inside a transaction: a client that loses the line there resumes before it. */
    if (event->resume != 0) {
        out = PUT_TEXT(out, "id: ");
        out = put_u64(out, event->resume);
        *out++ = '\n';
    }
    out = PUT_TEXT(out, "event: ");
    out = put(out, name.bytes, name.size);
    *out++ = '\n';
    out = breaks > 0 ? put_lines(out, event->data) : put_line(out, event->data);
    *out++ = '\n';
    return out;
}

size_t frame_named_bytes_max(stet_view name, stet_view data) {
    return FRAME_BYTES + name.size + data.size;
}

char *frame_put_named(char *out, stet_view name, stet_view data) {
    out = PUT_TEXT(out, "event: ");
    out = put(out, name.bytes, name.size);
    *out++ = '\n';
    out = put_line(out, data);
    *out++ = '\n';
    return out;
}
