/*
 * The buffer a new document is written into: bounded like any document, in the arena. For this folder.
 */
#ifndef DOC_RESULT_H
#define DOC_RESULT_H

#include "base/buffer.h"
#include "base/error.h"
#include "doc/doc.h"

/* expected_bytes: a guess, so that the buffer need not move. */
static inline void result_begin(struct buffer *buffer, struct arena *arena, size_t expected_bytes) {
    buffer_init(buffer, arena, doc_limits_default.bytes_max);
    if (expected_bytes > doc_limits_default.bytes_max)
        expected_bytes = doc_limits_default.bytes_max;
    (void)buffer_reserve(buffer, expected_bytes); /* A failure sticks. */
}

static inline stet_status result_end(struct buffer *buffer, const char *what, stet_view *out,
                                     stet_error *err) {
    stet_status status = buffer_status(buffer);
    if (status == STET_OK) {
        *out = buffer_view(buffer);
        return STET_OK;
    }
    if (status != STET_TOO_LARGE) return error_set(err, status, "could not write %s", what);
    error_set(err, status, "%s would have more than %zu bytes", what, doc_limits_default.bytes_max);
    error_field(err, "bytes", doc_limits_default.bytes_max);
    return status;
}

#endif
