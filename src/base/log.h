/*
 * Log: one structured line per event to stderr, in logfmt (key=value). Only the server's edge logs;
 * the library never does: it reports through stet_error, and through the log callback of
 * stet_options for what no call returns.
 *
 *   2026-03-01T12:00:00.000000000Z info msg="listening" url=http://127.0.0.1:7838
 *
 * A line is written with one write(2), so lines of several threads do not mix; what passes
 * LOG_LINE_BYTES_MAX is cut, and the line then ends in cut=true. Any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "stet.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Process-wide; the default is LOG_INFO to descriptor 2. Set before threads start. */
void log_set_level(enum log_level level);
bool log_parse_level(stet_view text, enum log_level *level); /* "debug" … "error" */
bool log_enabled(enum log_level level);

/* A key, plain ASCII, and its value, which may come from outside: it is quoted and escaped when
 * needed. */
struct log_field {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_U64, LOG_FIELD_I64 } kind;
    union {
        stet_view text;
        uint64_t u64;
        int64_t i64;
    } value;
};

static inline struct log_field log_text(const char *key, stet_view value) {
    return (struct log_field){.key = key, .kind = LOG_FIELD_TEXT, .value.text = value};
}
static inline struct log_field log_u64(const char *key, uint64_t value) {
    return (struct log_field){.key = key, .kind = LOG_FIELD_U64, .value.u64 = value};
}
static inline struct log_field log_i64(const char *key, int64_t value) {
    return (struct log_field){.key = key, .kind = LOG_FIELD_I64, .value.i64 = value};
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields,
                size_t count);

/* LOG(LOG_INFO, "listening", log_text("url", url), log_u64("pid", pid)); */
#define LOG(level, message, ...)                                                                   \
    do {                                                                                           \
        const struct log_field log_fields_[] = {__VA_ARGS__};                                      \
        log_fields((level), (message), log_fields_, sizeof log_fields_ / sizeof log_fields_[0]);   \
    } while (0)

#endif
