/*
 * A fuzz target: one function that gets any bytes at all and stops the program when a promise is broken.
 *
 * The same source is linked with libFuzzer (scripts/fuzz) and, in every ordinary build, with replay.c, which gives it the kept
 * corpus.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include "base/view.h"
#include "doc/doc.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The next of several texts in one input: up to a NUL byte, which no JSON text holds. In memory of exactly its size, so that
 * reading past it is caught; the caller frees it. */
static inline stet_view fuzz_text(const uint8_t **bytes, size_t *size) {
    const uint8_t *end = *size == 0 ? NULL : memchr(*bytes, '\0', *size);
    size_t text_size = end == NULL ? *size : (size_t)(end - *bytes);
    char *text = malloc(text_size == 0 ? 1 : text_size);
    REQUIRE(text != NULL);
    if (text_size > 0) memcpy(text, *bytes, text_size);
    size_t taken = end == NULL ? text_size : text_size + 1;
    *bytes += taken;
    *size -= taken;
    return view_make(text, text_size);
}

static inline void fuzz_text_free(stet_view text) { free((char *)(uintptr_t)text.bytes); }

/* Our own results must parse. Returns false for the one excuse: a result can have more values than a document may. */
static inline bool fuzz_parse_result(struct arena *arena, stet_view text, struct doc *doc) {
    stet_status status = doc_parse(arena, text, NULL, doc, NULL);
    REQUIRE(status == STET_OK || status == STET_TOO_LARGE);
    return status == STET_OK;
}

#endif
