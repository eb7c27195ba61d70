#include "core/cursor.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/view.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum {
    CURSOR_PLAIN = 1,
    CURSOR_QUERY = 2,
    CURSOR_PLAIN_HEADER = 9,
    CURSOR_QUERY_HEADER = 22,
    CURSOR_CLEAR = 1, /* Of a query's: what kind it is. */
    CURSOR_MAC = crypto_shorthash_BYTES,
    /* The longest key is an index's; an id is shorter. */
    CURSOR_KEY_MAX = INDEX_KEY_BYTES_MAX + 64,
    CURSOR_BYTES_MAX = CURSOR_QUERY_HEADER + CURSOR_KEY_MAX + CURSOR_MAC,
    CURSOR_TEXT_MAX = (CURSOR_BYTES_MAX + 2) / 3 * 4 + 1,
    CURSOR_BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
    FLAG_REVERSE = 1,
    FLAG_BY_ID = 2,
};

static_assert(ID_BYTES_MAX <= CURSOR_KEY_MAX, "an id is a key");

static void put_number(uint8_t *out, uint64_t value, int bytes) {
    for (int index = bytes; index-- > 0; value >>= 8)
        out[index] = (uint8_t)value;
}

static uint64_t get_number(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int index = 0; index < count; index++)
        value = value << 8 | bytes[index];
    return value;
}

/* Over everything before it and the list it belongs to. size: without the MAC. */
static void seal(const struct space *space, uint64_t query, const uint8_t *bytes, size_t size,
                 uint8_t mac[CURSOR_MAC]) {
    uint8_t sealed[CURSOR_BYTES_MAX + 8];
    static_assert(sizeof space->secret >= crypto_shorthash_KEYBYTES, "a key");
    memcpy(sealed, bytes, size);
    put_number(sealed + size, query, 8);
    crypto_shorthash(mac, sealed, size + 8, space->secret);
}

/*
 * To and fro: a page may end at a record that its reader may not see, so nobody reads what a cursor says. The MAC is of the plain bytes, which
 * makes it a nonce of its own for each of them.
 */
static void veil_bytes(const struct space *space, uint8_t *bytes, size_t size,
                       const uint8_t mac[CURSOR_MAC]) {
    static_assert(sizeof space->secret == crypto_stream_chacha20_KEYBYTES, "a key");
    static_assert(CURSOR_MAC == crypto_stream_chacha20_NONCEBYTES, "a nonce");
    crypto_stream_chacha20_xor(bytes + CURSOR_CLEAR, bytes + CURSOR_CLEAR, size - CURSOR_CLEAR, mac,
                               space->secret);
}

stet_status cursor_render(struct json_writer *writer, const struct space *space,
                          const uint64_t *query, const struct cursor *cursor, stet_error *err) {
    uint8_t bytes[CURSOR_BYTES_MAX];
    char text[CURSOR_TEXT_MAX];
    size_t size = query == NULL ? CURSOR_PLAIN_HEADER : CURSOR_QUERY_HEADER;
    if (cursor->key.size > CURSOR_KEY_MAX)
        return error_set(err, STET_INTERNAL, "the cursor of a list would be too long");
    if (query == NULL) {
        bytes[0] = CURSOR_PLAIN;
        put_number(bytes + 1, cursor->snapshot, 8);
    } else {
        bytes[0] = CURSOR_QUERY;
        bytes[1] =
            (uint8_t)((cursor->reverse ? FLAG_REVERSE : 0) | (cursor->by_id ? FLAG_BY_ID : 0));
        put_number(bytes + 2, cursor->snapshot, 8);
        put_number(bytes + 10, cursor->index, 4);
        put_number(bytes + 14, cursor->record, 8);
    }
    if (cursor->key.size > 0) memcpy(bytes + size, cursor->key.bytes, cursor->key.size);
    size += cursor->key.size;
    if (query != NULL) {
        seal(space, *query, bytes, size, bytes + size);
        veil_bytes(space, bytes, size, bytes + size);
        size += CURSOR_MAC;
    }
    sodium_bin2base64(text, sizeof text, bytes, size, CURSOR_BASE64);
    json_member_text(writer, VIEW("next"), view_of(text));
    return STET_OK;
}

static stet_status not_a_cursor(const char *message, stet_error *err) {
    error_set(err, STET_BAD_REQUEST, "%s", message);
    error_field(err, "after", 0);
    return STET_BAD_REQUEST;
}

static stet_status parse_sealed(const struct space *space, uint64_t query, uint8_t *bytes,
                                size_t size, struct cursor *cursor, stet_error *err) {
    uint8_t mac[CURSOR_MAC];
    if (size < CURSOR_QUERY_HEADER + CURSOR_MAC)
        return not_a_cursor("the cursor is not one that a list gave out", err);
    size -= CURSOR_MAC;
    veil_bytes(space, bytes, size, bytes + size);
    seal(space, query, bytes, size, mac);
    if (sodium_memcmp(mac, bytes + size, CURSOR_MAC) != 0)
        return not_a_cursor("the cursor is not one that this list gave out: type, where and sort "
                            "must be the same for each page",
                            err);
    *cursor = (struct cursor){
        .snapshot = get_number(bytes + 2, 8),
        .index = (uint32_t)get_number(bytes + 10, 4),
        .record = get_number(bytes + 14, 8),
        .key = view_make(bytes + CURSOR_QUERY_HEADER, size - CURSOR_QUERY_HEADER),
        .by_id = (bytes[1] & FLAG_BY_ID) != 0,
        .reverse = (bytes[1] & FLAG_REVERSE) != 0,
    };
    return STET_OK;
}

stet_status cursor_parse(struct arena *arena, stet_view text, const struct space *space,
                         const uint64_t *query, struct cursor *cursor, stet_error *err) {
    uint8_t *bytes = arena_alloc(arena, CURSOR_BYTES_MAX);
    size_t size = 0;
    if (bytes == NULL) return error_set(err, STET_NO_MEMORY, "could not read a cursor");
    if (sodium_base642bin(bytes, CURSOR_BYTES_MAX, text.bytes, text.size, NULL, &size, NULL,
                          CURSOR_BASE64) != 0 ||
        size <= CURSOR_PLAIN_HEADER || bytes[0] != (query == NULL ? CURSOR_PLAIN : CURSOR_QUERY))
        return not_a_cursor("the cursor is not one that such a list gave out", err);
    if (query != NULL) return parse_sealed(space, *query, bytes, size, cursor, err);
    *cursor = (struct cursor){
        .snapshot = get_number(bytes + 1, 8),
        .key = view_make(bytes + CURSOR_PLAIN_HEADER, size - CURSOR_PLAIN_HEADER),
        .by_id = true,
    };
    if (cursor->key.size > ID_BYTES_MAX)
        return not_a_cursor("the cursor is not one that a list gave out", err);
    return STET_OK;
}
