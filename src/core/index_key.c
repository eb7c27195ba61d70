/*
 * Keys of indexes: the bytes of a tuple of values. core/index.h tells the order and what is cut.
 *
 * A field's text, before it is turned over for a descending field:
 *
 *     absent, null, false, true    a tag
 *     number                       a tag for its sign; the exponent; digits, two a byte. Below zero the bytes behind the tag are turned
 *                                  over. Zero is a tag.
 *     string                       a tag, the bytes with 00 as 00 FF, then 00 00; of a cut one 00 01 and a hash
 *     array, object                a tag, doc_hash
 *
 * The exponent of 10 is one byte from -64 to 63, else a count of bytes and so many. A byte of digits is twice their value, plus one when
 * more digits follow: a number that ends sorts before one that goes on. Behind the last field stands one byte, 1 when a field
 * was cut or is an array or object.
 */
#include "core/index.h"
#include "core/index_internal.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/decimal.h"

#include <assert.h>
#include <sodium.h>

enum tag {
    TAG_ABSENT = 0x10,
    TAG_NULL = 0x20,
    TAG_FALSE = 0x28,
    TAG_TRUE = 0x30,
    TAG_NEGATIVE = 0x40,
    TAG_ZERO = 0x48,
    TAG_POSITIVE = 0x50,
    TAG_STRING = 0x60,
    TAG_OTHER = 0x70,
};

enum {
    HASH_BYTES = 16,
    EXPONENT_SMALL = 64,
    EXPONENT_BYTES_MAX = 9,
    STRING_END = 0x00,
    STRING_CUT = 0x01,
    ZERO_BYTE_ESCAPE = 0xff,
    FLAG_INEXACT = 1,
};

static_assert((INDEX_KEY_BYTES_MAX - 1) / INDEX_FIELDS_MAX >=
                  1 + EXPONENT_BYTES_MAX + 2 * HASH_BYTES + 2,
              "a field has room for what is fixed, and for some of the value");

/* A key being written; the room was reckoned beforehand, so writing cannot fail. */
struct writer {
    uint8_t *bytes;
    size_t size;
    bool inexact;
};

static void put(struct writer *writer, uint8_t byte) {
    assert(writer->size < INDEX_KEY_BYTES_MAX);
    writer->bytes[writer->size++] = byte;
}

static void put_bytes(struct writer *writer, const void *bytes, size_t size) {
    assert(size <= INDEX_KEY_BYTES_MAX - writer->size);
    memcpy(writer->bytes + writer->size, bytes, size);
    writer->size += size;
}

static void turn_over(struct writer *writer, size_t from) {
    for (size_t i = from; i < writer->size; i++)
        writer->bytes[i] = (uint8_t)~writer->bytes[i];
}

/* ---- Numbers --------------------------------------------------------------------------------------------------------- */

static void put_exponent(struct writer *writer, int64_t exponent) {
    if (exponent >= -EXPONENT_SMALL && exponent < EXPONENT_SMALL) {
        put(writer, (uint8_t)(0x80 + exponent));
        return;
    }
    uint64_t size = exponent < 0 ? (uint64_t)-exponent : (uint64_t)exponent;
    unsigned count = 1;
    while (count < 8 && size >> (8 * count) != 0)
        count++;
    put(writer, (uint8_t)(exponent < 0 ? 0x40 - count : 0xc0 + count));
    for (unsigned i = count; i-- > 0;) {
        uint8_t byte = (uint8_t)(size >> (8 * i));
        put(writer, exponent < 0 ? (uint8_t)~byte : byte);
    }
}

/* The next digit of a normalised number, which may have a point among them; -1 at the end. */
static int next_digit(stet_view digits, size_t *at) {
    if (*at < digits.size && digits.bytes[*at] == '.') ++*at;
    return *at < digits.size ? digits.bytes[(*at)++] - '0' : -1;
}

/* What a number with too many digits to keep them all is told apart by. */
static void put_digits_hash(struct writer *writer, stet_view digits) {
    crypto_generichash_state state;
    uint8_t hash[HASH_BYTES];
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    const char *point = memchr(digits.bytes, '.', digits.size);
    size_t whole = point == NULL ? digits.size : (size_t)(point - digits.bytes);
    crypto_generichash_update(&state, (const unsigned char *)digits.bytes, whole);
    if (point != NULL)
        crypto_generichash_update(&state, (const unsigned char *)point + 1,
                                  digits.size - whole - 1);
    crypto_generichash_final(&state, hash, sizeof hash);
    put_bytes(writer, hash, sizeof hash);
}

static void put_number(struct writer *writer, stet_view text, size_t room) {
    const struct decimal decimal = decimal_normalise(text);
    if (decimal.digits.size == 0) {
        put(writer, TAG_ZERO);
        return;
    }
    put(writer, decimal.negative ? TAG_NEGATIVE : TAG_POSITIVE);
    size_t behind_tag = writer->size;
    if (decimal.huge) {
        /* Numbers past any use: all of them on one side of the others share a key. */
        put(writer, decimal.exponent < 0 ? 0x00 : 0xff);
        writer->inexact = true;
    } else {
        size_t pairs_max = room - 1 - EXPONENT_BYTES_MAX - HASH_BYTES, at = 0;
        size_t pairs = (decimal.digit_count + 1) / 2;
        put_exponent(writer, decimal.exponent);
        for (size_t pair = 0; pair < pairs && pair < pairs_max; pair++) {
            int high = next_digit(decimal.digits, &at), low = next_digit(decimal.digits, &at);
            int value = high * 10 + (low < 0 ? 0 : low);
            put(writer, (uint8_t)(2 * value + (pair + 1 < pairs ? 1 : 0)));
        }
        if (pairs > pairs_max) {
            put_digits_hash(writer, decimal.digits);
            writer->inexact = true;
        }
    }
    if (decimal.negative) turn_over(writer, behind_tag);
}

/* ---- Strings --------------------------------------------------------------------------------------------------------- */

/* As many of the bytes as fit. Returns how many. */
static size_t put_text(struct writer *writer, stet_view text, size_t room) {
    size_t at = 0, used = 0;
    for (; at < text.size; at++) {
        uint8_t byte = (uint8_t)text.bytes[at];
        used += byte == 0 ? 2 : 1;
        if (used > room) break;
        put(writer, byte);
        if (byte == 0) put(writer, ZERO_BYTE_ESCAPE);
    }
    return at;
}

static size_t text_room(size_t room) { return room - 1 - 2 - HASH_BYTES; }

/* with_hash false leaves a cut one's hash away: what all strings with that beginning share. */
static void put_string(struct writer *writer, stet_view text, size_t room, bool with_hash) {
    uint8_t hash[HASH_BYTES];
    put(writer, TAG_STRING);
    size_t kept = put_text(writer, text, text_room(room));
    put(writer, STRING_END);
    put(writer, kept == text.size ? 0x00 : STRING_CUT);
    if (kept == text.size) return;
    writer->inexact = true;
    if (!with_hash) return;
    crypto_generichash(hash, sizeof hash, (const unsigned char *)text.bytes, text.size, NULL, 0);
    put_bytes(writer, hash, sizeof hash);
}

/* ---- Fields ---------------------------------------------------------------------------------------------------------- */

static size_t field_room(const struct index_def *def) {
    assert(def->field_count >= 1 && def->field_count <= INDEX_FIELDS_MAX);
    return (INDEX_KEY_BYTES_MAX - 1) / def->field_count;
}

static void put_value(struct writer *writer, const struct index_value *value, size_t room,
                      bool with_hash) {
    switch (value->kind) {
    case INDEX_ABSENT: put(writer, TAG_ABSENT); break;
    case INDEX_NULL: put(writer, TAG_NULL); break;
    case INDEX_FALSE: put(writer, TAG_FALSE); break;
    case INDEX_TRUE: put(writer, TAG_TRUE); break;
    case INDEX_NUMBER: put_number(writer, value->text, room); break;
    case INDEX_STRING: put_string(writer, value->text, room, with_hash); break;
    }
}

static void put_other(struct writer *writer, const struct doc *doc, doc_node node) {
    uint8_t hash[STORE_NUMBER_BYTES];
    put(writer, TAG_OTHER);
    store_number_key(doc_hash(doc, node), hash);
    put_bytes(writer, hash, sizeof hash);
    writer->inexact = true;
}

static stet_status put_field(struct arena *arena, struct writer *writer, const struct doc *doc,
                             doc_node node, size_t room, bool *gap) {
    struct index_value value = {.kind = INDEX_ABSENT};
    *gap = *gap || node == DOC_NONE || doc_kind(doc, node) == DOC_NULL;
    if (node != DOC_NONE) {
        switch (doc_kind(doc, node)) {
        case DOC_NULL: value.kind = INDEX_NULL; break;
        case DOC_FALSE: value.kind = INDEX_FALSE; break;
        case DOC_TRUE: value.kind = INDEX_TRUE; break;
        case DOC_NUMBER:
            value = (struct index_value){.kind = INDEX_NUMBER, .text = doc_text(doc, node)};
            break;
        case DOC_STRING:
            value.kind = INDEX_STRING;
            if (doc_string(arena, doc, node, &value.text) != STET_OK) return STET_NO_MEMORY;
            break;
        case DOC_ARRAY:
        case DOC_OBJECT: put_other(writer, doc, node); return STET_OK;
        }
    }
    put_value(writer, &value, room, true);
    return STET_OK;
}

stet_status index_key_make(struct arena *arena, const struct index_def *def, const struct doc *doc,
                           struct index_key_parts *parts) {
    uint8_t bytes[INDEX_KEY_BYTES_MAX];
    struct writer writer = {.bytes = bytes};
    size_t room = field_room(def);
    bool gap = false;
    for (size_t i = 0; i < def->field_count; i++) {
        size_t from = writer.size;
        doc_node node = doc_pointer(doc, def->fields[i].pointer);
        if (put_field(arena, &writer, doc, node, room, &gap) != STET_OK) return STET_NO_MEMORY;
        assert(writer.size - from <= room);
        if (def->fields[i].descending) turn_over(&writer, from);
    }
    put(&writer, writer.inexact ? FLAG_INEXACT : 0);
    parts->key = arena_copy(arena, view_make(bytes, writer.size));
    parts->gap = gap;
    parts->exact = !writer.inexact;
    return parts->key.bytes == NULL ? STET_NO_MEMORY : STET_OK;
}

stet_status index_key(struct arena *arena, const struct index_def *def, const struct doc *doc,
                      stet_view *key) {
    struct index_key_parts parts;
    stet_status status = index_key_make(arena, def, doc, &parts);
    if (status == STET_OK) *key = parts.key;
    return status;
}

bool index_key_is_exact(stet_view key) { return key.size > 0 && key.bytes[key.size - 1] == 0; }

/* ---- Ranges ---------------------------------------------------------------------------------------------------------- */

/* The first text behind all that begin with this one. No text of ours is FF only, so there is one. */
static void advance(struct writer *writer, size_t from) {
    while (writer->size > from && writer->bytes[writer->size - 1] == 0xff)
        writer->size--;
    assert(writer->size > from);
    writer->bytes[writer->size - 1]++;
}

static void tags_of(enum index_kind kind, uint8_t *first, uint8_t *last) {
    *first = *last = TAG_ABSENT;
    switch (kind) {
    case INDEX_ABSENT: break;
    case INDEX_NULL: *first = *last = TAG_NULL; break;
    case INDEX_FALSE: *first = *last = TAG_FALSE; break;
    case INDEX_TRUE: *first = *last = TAG_TRUE; break;
    case INDEX_NUMBER:
        *first = TAG_NEGATIVE;
        *last = TAG_POSITIVE;
        break;
    case INDEX_STRING: *first = *last = TAG_STRING; break;
    }
}

/* Where the field's texts begin, inclusive, before they are turned over. */
static void put_low(struct writer *writer, const struct index_query *query, size_t room) {
    size_t from = writer->size;
    uint8_t first, last;
    writer->inexact = false;
    if (query->low == NULL) {
        tags_of(query->high->kind, &first, &last);
        put(writer, first);
    } else if (query->prefix) {
        put(writer, TAG_STRING);
        put_text(writer, query->low->text, text_room(room));
    } else {
        put_value(writer, query->low, room, false);
        if (query->above_low && !writer->inexact) advance(writer, from);
    }
}

/* Where they end, exclusive. */
static void put_high(struct writer *writer, const struct index_query *query, size_t room) {
    size_t from = writer->size;
    uint8_t first, last;
    writer->inexact = false;
    if (query->prefix) {
        put(writer, TAG_STRING);
        put_text(writer, query->low->text, text_room(room));
        advance(writer, from);
    } else if (query->high == NULL) {
        tags_of(query->low->kind, &first, &last);
        put(writer, last);
        advance(writer, from);
    } else {
        put_value(writer, query->high, room, false);
        if (!query->below_high || writer->inexact) advance(writer, from);
    }
}

/* Numbers and strings compare only among themselves. */
static bool is_possible(const struct index_query *query) {
    if (query->prefix) return query->low != NULL && query->low->kind == INDEX_STRING;
    if (query->low == NULL || query->high == NULL) return true;
    bool low_is_kind = query->low->kind <= INDEX_TRUE,
         high_is_kind = query->high->kind <= INDEX_TRUE;
    return query->low->kind == query->high->kind || (low_is_kind && high_is_kind);
}

static stet_status give(struct arena *arena, const struct writer *writer, stet_view *out) {
    *out = (stet_view){0};
    if (writer->size == 0) return STET_OK;
    *out = arena_copy(arena, view_make(writer->bytes, writer->size));
    return out->bytes == NULL ? STET_NO_MEMORY : STET_OK;
}

stet_status index_range(struct arena *arena, const struct index_def *def,
                        const struct index_query *query, stet_view *from, stet_view *to) {
    uint8_t from_bytes[INDEX_KEY_BYTES_MAX], to_bytes[INDEX_KEY_BYTES_MAX];
    struct writer low = {.bytes = from_bytes}, high = {.bytes = to_bytes};
    size_t room = field_room(def);
    bool bounded = query->low != NULL || query->high != NULL;
    assert(query->equal_count + (bounded ? 1 : 0) <= def->field_count);
    for (size_t i = 0; i < query->equal_count; i++) {
        size_t start = low.size;
        put_value(&low, &query->equal[i], room, true);
        if (def->fields[i].descending) turn_over(&low, start);
    }
    put_bytes(&high, low.bytes, low.size);
    size_t start = low.size;
    if (bounded && !is_possible(query)) {
        put(&low, TAG_ABSENT);
        put(&high, TAG_ABSENT);
    } else if (bounded && def->fields[query->equal_count].descending) {
        /* Turned over, the end comes first; what begins with a bound is on its other side. */
        put_high(&low, query, room);
        turn_over(&low, start);
        advance(&low, start);
        put_low(&high, query, room);
        turn_over(&high, start);
        advance(&high, start);
    } else if (bounded) {
        put_low(&low, query, room);
        put_high(&high, query, room);
    } else if (query->equal_count > 0) {
        advance(&high, 0);
    }
    /* Bounds that cross leave nothing in between. */
    if (high.size > 0 &&
        view_compare(view_make(low.bytes, low.size), view_make(high.bytes, high.size)) > 0)
        low = high;
    stet_status status = give(arena, &low, from);
    return status == STET_OK ? give(arena, &high, to) : status;
}
