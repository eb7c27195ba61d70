#include "base/error.h"

#include "base/view.h"

#include <stdarg.h>
#include <stdio.h>

enum { SUBJECT_BYTES_MAX = 48 };

struct row {
    const char *code;
    const char *words;
    int http;
    enum status_retry retry;
};

static const struct row rows[] = {
#define STATUS(name, value, http, retry, words)                                                    \
    [value] = {#name, words, http, STATUS_RETRY_##retry},
#include "base/status.def"
#undef STATUS
};

static const struct row *row_of(stet_status status) {
    size_t index = (size_t)status;
    if (index >= sizeof rows / sizeof rows[0] || rows[index].code == NULL) index = STET_INTERNAL;
    return &rows[index];
}

const char *status_code(stet_status status) { return row_of(status)->code; }
const char *status_words(stet_status status) { return row_of(status)->words; }
int status_http(stet_status status) { return row_of(status)->http; }
enum status_retry status_retry(stet_status status) { return row_of(status)->retry; }

/* A text that was cut after `size` bytes loses the character the cut went through. */
static void cut_whole(char *text, size_t size) {
    size_t first = size;
    while (first > 0 && ((unsigned char)text[first - 1] & 0xC0) == 0x80)
        first--;
    if (first == 0) return;
    unsigned char lead = (unsigned char)text[first - 1];
    size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (size - (first - 1) < wanted) text[first - 1] = '\0';
}

/* Messages quote what people sent, and cut it: what is no text any more is told as question marks, for answers are JSON. */
static void scrub(char *text) {
    size_t size = strlen(text);
    if (view_is_utf8(view_make(text, size))) return;
    for (size_t at = 0; at < size;) {
        size_t one = 1;
        while (one < 4 && at + one < size && !view_is_utf8(view_make(text + at, one)))
            one++;
        if (!view_is_utf8(view_make(text + at, one))) {
            text[at] = '?';
            one = 1;
        }
        at += one;
    }
}

__attribute__((format(printf, 3, 0))) static void print(char *text, size_t capacity,
                                                        const char *format, va_list args) {
    int size = vsnprintf(text, capacity, format, args);
    if (size < 0) {
        text[0] = '\0';
    } else if ((size_t)size >= capacity) {
        cut_whole(text, capacity - 1);
    }
    scrub(text);
}

stet_status error_set(stet_error *err, stet_status status, const char *format, ...) {
    if (err == NULL) return status;
    /* Printed aside first: an argument may point into err itself, when one message is wrapped in
     * another. */
    char message[sizeof err->message];
    va_list args;
    va_start(args, format);
    print(message, sizeof message, format, args);
    va_end(args);
    err->status = status;
    err->field[0] = '\0';
    err->limit = 0;
    err->cause[0] = '\0';
    memcpy(err->message, message, strlen(message) + 1);
    return status;
}

void error_field_view(stet_error *err, stet_view field, uint64_t limit) {
    if (err == NULL) return;
    size_t size = field.size < sizeof err->field ? field.size : sizeof err->field - 1;
    if (size > 0) memmove(err->field, field.bytes, size);
    err->field[size] = '\0';
    if (size < field.size) cut_whole(err->field, size);
    err->limit = limit;
}

void error_field(stet_error *err, const char *field, uint64_t limit) {
    error_field_view(err, view_of(field), limit);
}

void error_message(stet_error *err, stet_view message) {
    if (err == NULL) return;
    size_t size = message.size < sizeof err->message ? message.size : sizeof err->message - 1;
    if (size > 0) memcpy(err->message, message.bytes, size);
    err->message[size] = '\0';
    if (size < message.size) cut_whole(err->message, size);
}

void error_subject(stet_error *err, const char *whole) {
    if (err == NULL) return;
    char subject[SUBJECT_BYTES_MAX + 1];
    char message[sizeof subject + sizeof err->message + 4];
    const char *name = err->field[0] == '\0' ? whole : err->field;
    size_t size = strlen(name);
    bool cut = size > SUBJECT_BYTES_MAX;
    if (cut) size = SUBJECT_BYTES_MAX;
    memcpy(subject, name, size);
    subject[size] = '\0';
    if (cut) cut_whole(subject, size);
    snprintf(message, sizeof message, "%s%s %s", subject, cut ? "\u2026" : "", err->message);
    error_message(err, view_of(message));
}

void error_cause(stet_error *err, const char *format, ...) {
    if (err == NULL) return;
    char cause[sizeof err->cause];
    va_list args;
    va_start(args, format);
    print(cause, sizeof cause, format, args);
    va_end(args);
    memcpy(err->cause, cause, strlen(cause) + 1);
}
