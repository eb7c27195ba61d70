/*
 * Statuses and errors: what the one table (status.def) says about a status, and filling a
 * stet_error where a failure is first known. Fill once and return; only the edge of the server
 * logs.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "stet.h"

enum status_retry { STATUS_RETRY_NO, STATUS_RETRY_LATER, STATUS_RETRY_SAME_KEY };

/* All four are total: a value outside the table reads as INTERNAL. The texts live for ever. */
const char *status_code(stet_status status);  /* "CONCURRENT_MODIFICATION" */
const char *status_words(stet_status status); /* "somebody else changed the record" */
int status_http(stet_status status);
enum status_retry status_retry(stet_status status);

/*
 * Fills err (may be NULL) and returns status, so that a failure is one line: return error_set(err,
 * STET_TOO_LARGE, "…"). The message is for the caller: lower case, no full stop, names in quotes,
 * what was tried. Cut at its size, on a whole UTF-8 character. Clears field, limit and cause.
 */
stet_status error_set(stet_error *err, stet_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds the name of what was wrong and the limit passed (0: none). Accepts NULL. */
void error_field(stet_error *err, const char *field, uint64_t limit);
void error_field_view(stet_error *err, stet_view field, uint64_t limit);

/* Puts another message in the place of the one there; cut at its size on a whole character. Accepts NULL. */
void error_message(stet_error *err, stet_view message);

/*
 * Puts what err is about before a message that only says what that should be: "is missing" becomes "/on is missing". The field, or
 * `whole` where that is empty. A long one is cut, so that the rest can be read. Accepts NULL.
 */
void error_subject(stet_error *err, const char *whole);

/* Adds what only the operator's log may show. Accepts NULL. */
void error_cause(stet_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
