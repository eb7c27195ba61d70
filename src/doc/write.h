/*
 * Writing JSON into a buffer. Failures stick in the buffer: write everything, then ask buffer_status once.
 *
 * Thread: one at a time.
 */
#ifndef DOC_WRITE_H
#define DOC_WRITE_H

#include "base/buffer.h"
#include "stet.h"

/* Appends text as a JSON string with quotes; escapes only what must be. text: valid UTF-8. */
void json_string(struct buffer *buffer, stet_view text);

/* The same without the quotes. */
void json_string_body(struct buffer *buffer, stet_view text);

/*
 * A writer that places commas, colons and quotes itself. What would not be JSON (a value in an object without a key, an end
 * without its begin) is our bug and asserted.
 *
 *     struct json_writer writer;
 *     json_begin(&writer, &buffer);
 *     json_object_begin(&writer);
 *     json_key(&writer, VIEW("version"));
 *     json_u64(&writer, 12);
 *     json_object_end(&writer);
 *     status = json_end(&writer);
 */
enum { JSON_WRITER_DEPTH_MAX = 64 };

struct json_writer {
    struct buffer *buffer;
    uint32_t depth;
    bool comma;       /* A value stands before the place where the next one goes. */
    bool keyed;       /* A key was written; its value is due. */
    uint64_t objects; /* A bit for each open level: set for an object. */
};

/* Starts one JSON value at the end of the buffer; json_end says whether everything was written, STET_OK or the first failure. */
void json_begin(struct json_writer *writer, struct buffer *buffer);
stet_status json_end(struct json_writer *writer);

void json_object_begin(struct json_writer *writer);
void json_object_end(struct json_writer *writer);
void json_array_begin(struct json_writer *writer);
void json_array_end(struct json_writer *writer);

/* key: valid UTF-8, decoded. json_key_raw takes it as it stands between the quotes of a source. */
void json_key(struct json_writer *writer, stet_view key);
void json_key_raw(struct json_writer *writer, stet_view key);

void json_text(struct json_writer *writer, stet_view text); /* A string. */
void json_u64(struct json_writer *writer, uint64_t value);
void json_u64_text(struct json_writer *writer,
                   uint64_t value); /* A decimal string, for numbers past 2^53. */
void json_bool(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
void json_raw(struct json_writer *writer, stet_view json); /* One valid JSON value, copied. */
/* Members as they stand between the braces of a source, at least one. */
void json_members_raw(struct json_writer *writer, stet_view members);
void json_rfc3339(struct json_writer *writer,
                  int64_t ns); /* An instant with nine digits; ns ≥ 0. */

/* Key and value in one call. */
static inline void json_member_text(struct json_writer *writer, stet_view key, stet_view text) {
    json_key(writer, key);
    json_text(writer, text);
}
static inline void json_member_u64(struct json_writer *writer, stet_view key, uint64_t value) {
    json_key(writer, key);
    json_u64(writer, value);
}
static inline void json_member_bool(struct json_writer *writer, stet_view key, bool value) {
    json_key(writer, key);
    json_bool(writer, value);
}
static inline void json_member_raw(struct json_writer *writer, stet_view key, stet_view json) {
    json_key(writer, key);
    json_raw(writer, json);
}

#endif
