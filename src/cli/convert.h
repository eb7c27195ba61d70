/*
 * From a cell's text to a JSON value, as told. A cell that does not fit is refused; nothing is guessed.
 *
 * Thread: any; nothing is kept.
 */
#ifndef CLI_CONVERT_H
#define CLI_CONVERT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "stet.h"

enum convert_kind {
    CONVERT_TEXT,
    CONVERT_NUMBER,
    CONVERT_BOOLEAN,
    CONVERT_DATE,
    CONVERT_LIST,
    CONVERT_JSON,
};

struct convert {
    enum convert_kind kind;
    char decimal, thousands; /* Of a number; thousands '\0': none are allowed. */
    stet_view yes, no;       /* Of a boolean; empty: the usual words. */
    stet_view pattern;       /* Of a date: "yyyy-mm-dd". */
    stet_view separator;     /* Of a list. */
};

/**
 * Reads what a field is to become: text, number, number(,), number(.,), boolean, boolean(ja/nein), date, date(dd.mm.yyyy), list,
 * list(|), json. Its texts point into `words`.
 *
 * @return STET_OK
 *         STET_BAD_REQUEST  it is none of these.
 */
stet_status convert_parse(stet_view words, struct convert *convert, stet_error *err);

/**
 * Appends the value of a text to `out`.
 *
 * @param text  Valid UTF-8.
 * @return STET_OK
 *         STET_BAD_REQUEST  it does not fit; the message says why.
 */
stet_status convert_write(const struct convert *convert, struct arena *arena, stet_view text,
                          struct buffer *out, stet_error *err);

#endif
