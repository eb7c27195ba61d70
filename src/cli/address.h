/*
 * Addresses as people type them, made into paths of the HTTP interface.
 */
#ifndef CLI_ADDRESS_H
#define CLI_ADDRESS_H

#include "base/buffer.h"
#include "stet.h"

/* Appends a text with everything percent-encoded that a path segment or a query value may not hold. */
void address_encode(struct buffer *out, stet_view text);

/*
 * Appends "TYPE/ID" of an address: the first slash divides, %XX stays as it is, whatever else a path may not hold is
 * encoded, further slashes too. STET_BAD_REQUEST: no slash, an empty part, or a % without two hexadecimal digits.
 */
stet_status address_path(struct buffer *out, stet_view address, stet_error *err);

/* Takes "@12" off the end of an address; 0 when there is none. */
stet_version address_version(stet_view *address);

#endif
