#include "cli/address.h"

#include "base/error.h"
#include "base/view.h"

#include <string.h>

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c));
}

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void encode_byte(struct buffer *out, char c) {
    static const char digits[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)c;
    buffer_append_char(out, '%');
    buffer_append_char(out, digits[byte >> 4]);
    buffer_append_char(out, digits[byte & 15]);
}

void address_encode(struct buffer *out, stet_view text) {
    for (size_t i = 0; i < text.size; i++) {
        if (is_plain(text.bytes[i])) {
            buffer_append_char(out, text.bytes[i]);
        } else {
            encode_byte(out, text.bytes[i]);
        }
    }
}

/* One part, of which %XX is kept. False: a % stands alone. */
static bool part_append(struct buffer *out, stet_view part) {
    for (size_t i = 0; i < part.size; i++) {
        char c = part.bytes[i];
        if (c == '%') {
            if (part.size - i < 3 || !is_hex(part.bytes[i + 1]) || !is_hex(part.bytes[i + 2]))
                return false;
            buffer_append_char(out, c);
        } else if (is_plain(c)) {
            buffer_append_char(out, c);
        } else {
            encode_byte(out, c);
        }
    }
    return true;
}

stet_status address_path(struct buffer *out, stet_view address, stet_error *err) {
    const char *slash = address.size > 0 ? memchr(address.bytes, '/', address.size) : NULL;
    if (slash == NULL || slash == address.bytes || slash + 1 == address.bytes + address.size) {
        return error_set(err, STET_BAD_REQUEST, "\"%.*s\" is not an address; it must be TYPE/ID",
                         VIEW_ARG(address));
    }
    size_t size = (size_t)(slash - address.bytes);
    bool ok = part_append(out, view_make(address.bytes, size));
    buffer_append_char(out, '/');
    ok = part_append(out, view_make(slash + 1, address.size - size - 1)) && ok;
    if (!ok) {
        return error_set(err, STET_BAD_REQUEST,
                         "in \"%.*s\" a %% is not followed by two hexadecimal digits; write %%25 "
                         "for the sign itself",
                         VIEW_ARG(address));
    }
    return buffer_status(out) == STET_OK ? STET_OK
                                         : error_set(err, buffer_status(out), "out of memory");
}

stet_version address_version(stet_view *address) {
    uint64_t version;
    for (size_t at = address->size; at > 0; at--) {
        char c = address->bytes[at - 1];
        if (c == '@') {
            if (!view_parse_u64(view_make(address->bytes + at, address->size - at), &version) ||
                version == 0)
                return 0;
            address->size = at - 1;
            return version;
        }
        if (c < '0' || c > '9') return 0;
    }
    return 0;
}
