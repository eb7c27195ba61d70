/*
 * From text to tokens, for this folder only. A path is one token, with its JSON pointer; so is a string, decoded.
 */
#ifndef EXPR_SCAN_H
#define EXPR_SCAN_H

#include "base/arena.h"
#include "base/buffer.h"
#include "stet.h"

enum token_kind {
    TOKEN_END,
    TOKEN_PATH,   /* value: the JSON pointer. */
    TOKEN_META,   /* text: with its $. */
    TOKEN_STRING, /* value: decoded. */
    TOKEN_NUMBER,
    TOKEN_SYMBOL, /* text: one of = != < <= > >= && || ! ( ) [ ] , */
};

struct token {
    enum token_kind kind;
    size_t at; /* Its first byte in the source. */
    stet_view text;
    stet_view value;
    bool plain; /* A path of one name and nothing else: perhaps an operator that is a word. */
};

struct scanner {
    struct arena *arena;
    stet_view text;
    size_t at;
    const char *field; /* Of errors; NULL: none. */
    stet_error *err;
};

/* The next token. STET_OK, STET_BAD_REQUEST, STET_NO_MEMORY. */
stet_status scan_token(struct scanner *scanner, struct token *token);

/* "expected <what> at byte <at>, found …" */
stet_status scan_fail(struct scanner *scanner, size_t at, const char *expected);

#endif
