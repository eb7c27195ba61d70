/*
 * What a request says besides its body: percent-encoding, query parameters, entity tags, Prefer,
 * media types, mutation keys. All of it is strict: what is not understood is refused by name,
 * because a misspelt precondition that is ignored loses an edit.
 *
 * Pure: bytes in, values out. Thread: any.
 */
#ifndef HTTP_PARAMS_H
#define HTTP_PARAMS_H

#include "base/arena.h"
#include "stet.h"

/* ---- Text ---- */

/**
 * Decodes percent-encoding into the arena, or borrows raw when nothing is encoded.
 *
 * @param field  The name an error carries.
 * @return STET_OK, STET_BAD_REQUEST: a malformed escape, bad UTF-8 or a control character.
 */
stet_status percent_decode(struct arena *arena, stet_view raw, bool plus_is_space,
                           const char *field, stet_view *out, stet_error *err);

/* STET_BAD_REQUEST unless text is UTF-8 without control characters. */
stet_status text_check(stet_view text, const char *field, stet_error *err);

/* Appends text to an arena-built path, encoded so that percent_decode gives it back. */
stet_view percent_encode(struct arena *arena, stet_view text);

/* Cuts the next piece off *rest at the separator, without surrounding blanks. False at the end. */
bool text_next(stet_view *rest, char separator, stet_view *piece);
stet_view text_trim(stet_view text);

/* ---- Query ---- */

enum { PARAMS_MAX = 128 };

struct params_item {
    stet_view name;
    stet_view value;
    bool used;
};

struct params {
    struct params_item *items; /* In the arena. */
    unsigned count;
};

/* STET_BAD_REQUEST, STET_TOO_LARGE (more than PARAMS_MAX). query: without the question mark. */
stet_status params_parse(struct arena *arena, stet_view query, struct params *params,
                         stet_error *err);

/*
 * Each takes one parameter, leaves *out alone when it is absent and refuses it when it stands there
 * twice. They return STET_OK or STET_BAD_REQUEST with the name in err->field.
 */
stet_status params_text(struct params *params, const char *name, stet_view *out, stet_error *err);
/* May be there without a value. *given says whether it is there. */
stet_status params_maybe(struct params *params, const char *name, bool *given, stet_view *out,
                         stet_error *err);
stet_status params_u64(struct params *params, const char *name, uint64_t max, uint64_t *out,
                       stet_error *err);
stet_status params_flag(struct params *params, const char *name, bool *out, stet_error *err);
stet_status params_time(struct params *params, const char *name, stet_time *out, stet_error *err);
bool params_has(const struct params *params, const char *name);

/* The next value of a parameter that may be repeated. *cursor starts at 0. */
bool params_next(struct params *params, const char *name, unsigned *cursor, stet_view *out);

/* STET_BAD_REQUEST naming the first parameter that nobody took. */
stet_status params_finish(const struct params *params, stet_error *err);

/* ---- Headers ---- */

/* If-Match: one tag, "12" or W/"12"; `*` gives *version = STET_VERSION_NONE, which counts as not
 * given. STET_BAD_REQUEST for several or for anything else. */
stet_status etag_parse(stet_view text, stet_version *version, stet_error *err);

/* If-None-Match of a read: does the list, or `*`, name this version? Foreign tags match nothing. */
bool etag_list_has(stet_view text, stet_version version);
/* Likewise for what is no record: tag stands in its quotes. */
bool etag_list_names(stet_view text, stet_view tag);

enum prefer { PREFER_NONE, PREFER_MINIMAL, PREFER_REPRESENTATION };
enum prefer prefer_parse(stet_view text);

/* Idempotency-Key, quoted or bare. */
stet_status key_parse(stet_view text, const char *field, stet_view *out, stet_error *err);

enum media {
    MEDIA_NONE, /* No Content-Type. */
    MEDIA_OTHER,
    MEDIA_JSON,        /* application/json */
    MEDIA_STET,        /* application/stet+json */
    MEDIA_MERGE_PATCH, /* application/merge-patch+json */
    MEDIA_JSON_PATCH,  /* application/json-patch+json */
    MEDIA_NDJSON,      /* application/x-ndjson, application/ndjson, application/jsonl */
};
/* A charset other than UTF-8 makes it MEDIA_OTHER. */
enum media media_parse(stet_view text);

/* Would a client that sent this Accept header take type/subtype? An empty header takes all. */
bool accept_allows(stet_view accept, const char *type, const char *subtype);
/* Names it, not only by a wildcard. */
bool accept_names(stet_view accept, const char *type, const char *subtype);

/* RFC 3339, or decimal nanoseconds. */
bool time_parse(stet_view text, stet_time *out);

/* An id a client gave its request: 1 to 64 of A-Z a-z 0-9 . _ - */
bool request_id_is_valid(stet_view text);

#endif
