/*
 * The parser: one pass, no recursion, nothing copied.
 *
 * Open containers stand on a stack of frames bounded by DOC_DEPTH_BOUND. Strings are scanned 16 bytes at a time where the
 * processor can (SSE2), 8 elsewhere; whatever is not a plain ASCII character falls to a careful loop.
 *
 * Duplicate keys. A small object keeps a 64-bit filter of the keys seen; only a key whose bit is set already is compared
 * with the ones before it. An object with ENTRIES_MEMBERS_MIN members or more has its keys sorted when it closes (which
 * later finds members in O(log n)), and neighbours compared. No choice of keys makes either quadratic.
 */
#include "base/error.h"
#include "base/limits.h"
#include "doc/item.h"
#include "doc/pointer.h"
#include "doc/text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

const struct doc_limits doc_limits_default = {
    .bytes_max = DATA_BYTES_MAX,
    .depth_max = JSON_DEPTH_MAX,
    .nodes_max = JSON_NODES_MAX,
};

static_assert(JSON_DEPTH_MAX <= DOC_DEPTH_BOUND, "readers recurse at most DOC_DEPTH_BOUND deep");

struct frame {
    uint64_t filter;
    doc_node node;
    doc_node last; /* The newest child. */
    uint32_t count;
    uint16_t height; /* Of the highest child. */
    bool object;
};

struct parser {
    const char *begin;
    const char *end;
    struct arena *arena;
    struct doc_item *items;
    uint32_t count;
    uint32_t capacity;
    struct doc_entry *entries;
    uint32_t entry_count;
    uint32_t entry_capacity;
    struct doc_limits limits;
    uint32_t depth;
    stet_error *err;
    struct frame frames[DOC_DEPTH_BOUND + 1]; /* frames[1 … depth]. */
};

#define LIKELY(condition) __builtin_expect((condition), 1)
#define UNLIKELY(condition) __builtin_expect((condition), 0)

/* ---- Failures ---- */

static stet_status fail(const struct parser *parser, const char *at, const char *what) {
    uint64_t line = 1;
    for (const char *p = parser->begin; p < at; p++) {
        if (*p == '\n') line++;
    }
    size_t byte = (size_t)(at - parser->begin);
    /* Of a text of one line, which may itself be a line of something, its number says nothing. */
    if (memchr(parser->begin, '\n', (size_t)(parser->end - parser->begin)) == NULL)
        return error_set(parser->err, STET_BAD_JSON, "byte %zu: %s", byte, what);
    return error_set(parser->err, STET_BAD_JSON, "byte %zu, line %llu: %s", byte,
                     (unsigned long long)line, what);
}

static stet_status fail_limit(const struct parser *parser, const char *at, const char *field,
                              uint64_t limit) {
    error_set(parser->err, STET_TOO_LARGE, "byte %zu: more than %llu %s",
              (size_t)(at - parser->begin), (unsigned long long)limit, field);
    error_field(parser->err, field, limit);
    return STET_TOO_LARGE;
}

static stet_status fail_memory(const struct parser *parser) {
    return error_set(parser->err, STET_NO_MEMORY, "out of memory while parsing JSON");
}

/* key_at: where the later of the two keys begins. */
static stet_status fail_duplicate(const struct parser *parser, stet_view key, bool escaped) {
    fail(parser, key.bytes, "the key appears twice in its object");
    if (parser->err == NULL) return STET_BAD_JSON;
    char text[sizeof parser->err->field];
    struct pointer_text pointer = {.bytes = text, .size_max = sizeof text};
    for (uint32_t depth = 2; depth <= parser->depth; depth++) {
        const struct frame *parent = &parser->frames[depth - 1];
        const struct doc_item *item = &parser->items[parser->frames[depth].node];
        if (parent->object) {
            stet_view name = view_make(parser->begin + item->key, item->key_size);
            pointer_text_key(&pointer, name, (item->flags & ITEM_KEY_ESCAPED) != 0);
        } else {
            pointer_text_index(&pointer, parent->count - 1);
        }
    }
    pointer_text_key(&pointer, key, escaped);
    error_field_view(parser->err, view_make(text, pointer.size), 0);
    return STET_BAD_JSON;
}

/* ---- Strings ---- */

/* The first byte that ends, escapes or needs a closer look: quote, backslash, control character, not ASCII. Or end. */
static inline const char *plain_end(const char *p, const char *end) {
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    while (LIKELY(end - p >= 16)) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Signed: below the space are the control characters and everything with the high bit. */
        __m128i found = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
            _mm_cmplt_epi8(bytes, space));
        int mask = _mm_movemask_epi8(found);
        if (mask != 0) return p + __builtin_ctz((unsigned)mask);
        p += 16;
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101);
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        uint64_t quote = word ^ ones * '"';
        uint64_t backslash = word ^ ones * '\\';
        /* A borrow may mark a byte wrongly, but only when another is marked rightly; the loop below looks again. */
        if (((word | (word - ones * ' ') | (quote - ones) | (backslash - ones)) & ones * 0x80) != 0)
            break;
        p += 8;
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (signed char)*p >= ' ')
        p++;
    return p;
}

/* The size of the well-formed sequence that starts with a byte past ASCII, or 0 (Unicode 15, table 3-7). */
static size_t utf8_size(const char *text, const char *end) {
    const unsigned char *p = (const unsigned char *)text;
    size_t left = (size_t)(end - text);
    if (p[0] < 0xc2) return 0;
    if (p[0] < 0xe0) return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (p[0] < 0xf0) {
        if (left < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80) return 0;
        if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
        if (p[0] == 0xed && p[1] >= 0xa0) return 0;
        return 3;
    }
    if (p[0] > 0xf4) return 0;
    if (left < 4 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80)
        return 0;
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;
    if (p[0] == 0xf4 && p[1] >= 0x90) return 0;
    return 4;
}

/* Four hexadecimal digits, or -1. */
static int32_t unit16(const char *p, const char *end) {
    if (end - p < 4) return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];
        unsigned char letter = c | 0x20;
        if (c >= '0' && c <= '9') {
            unit = unit << 4 | (c - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            unit = unit << 4 | (letter - 'a' + 10);
        } else {
            return -1;
        }
    }
    return unit;
}

/* The size of the escape at p, or 0 and what is wrong with it. */
static size_t escape_size(const char *p, const char *end, const char **what) {
    *what = "invalid escape";
    if (end - p < 2) return 0;
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return 2;
    case 'u': break;
    default: return 0;
    }
    int32_t unit = unit16(p + 2, end);
    if (unit < 0) return 0;
    if (unit < 0xd800 || unit > 0xdfff) return 6;
    *what = "surrogate escape without its other half";
    if (unit >= 0xdc00 || end - p < 12 || p[6] != '\\' || p[7] != 'u') return 0;
    int32_t second = unit16(p + 8, end);
    return second >= 0xdc00 && second <= 0xdfff ? 12 : 0;
}

/* Goes on where plain_end stopped at something special. Returns the closing quote, or NULL after filling err. */
static __attribute__((noinline)) const char *string_careful(const struct parser *parser,
                                                            const char *p, bool *escaped) {
    const char *end = parser->end;
    for (;;) {
        p = plain_end(p, end);
        if (p == end) {
            fail(parser, p, "the text ends inside a string");
            return NULL;
        }
        unsigned char c = (unsigned char)*p;
        if (c == '"') return p;
        if (c == '\\') {
            const char *what;
            size_t size = escape_size(p, end, &what);
            if (size == 0) {
                fail(parser, p, what);
                return NULL;
            }
            *escaped = true;
            p += size;
        } else if (c >= 0x80) {
            /* Rarely alone: text in most scripts goes on like this. */
            do {
                size_t size = utf8_size(p, end);
                if (size == 0) {
                    fail(parser, p, "invalid UTF-8");
                    return NULL;
                }
                p += size;
            } while (p < end && (unsigned char)*p >= 0x80);
        } else {
            fail(parser, p, "control character in a string");
            return NULL;
        }
    }
}

/* p is behind the opening quote. */
static inline const char *string_end(const struct parser *parser, const char *p, bool *escaped) {
#if defined(__SSE2__)
    /* Nearly every string ends in its first block, and then which byte stopped need not be loaded again. */
    if (LIKELY(parser->end - p >= 16)) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
        __m128i others = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')),
                                      _mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')));
        unsigned quote = (unsigned)_mm_movemask_epi8(quotes);
        unsigned other = (unsigned)_mm_movemask_epi8(others);
        /* The quote comes first when no other bit is below its lowest. */
        if (LIKELY(((quote - 1) & other) == 0 && quote != 0)) return p + __builtin_ctz(quote);
    }
#endif
    const char *stop = plain_end(p, parser->end);
    if (LIKELY(stop < parser->end && *stop == '"')) return stop;
    return string_careful(parser, stop, escaped);
}

/* ---- Numbers, words, blanks ---- */

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static inline const char *digits_end(const char *p, const char *end) {
    while (p < end && is_digit(*p))
        p++;
    return p;
}

/* The end of the number at p; NULL and *at when it is none. */
static inline const char *number_end(const char *p, const char *end, const char **at) {
    if (*p == '-') p++;
    *at = p;
    if (p == end || !is_digit(*p)) return NULL;
    p = *p == '0' ? p + 1 : digits_end(p + 1, end);
    if (p < end && *p == '.') {
        *at = ++p;
        if (p == end || !is_digit(*p)) return NULL;
        p = digits_end(p, end);
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        *at = p;
        if (p == end || !is_digit(*p)) return NULL;
        p = digits_end(p, end);
    }
    return p;
}

static inline const char *skip_blanks(const char *p, const char *end) {
    while (p < end && (unsigned char)*p <= ' ' &&
           (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* ---- Keys ---- */

static bool filter_scan(const struct parser *parser, const struct frame *frame, stet_view key,
                        bool escaped) {
    if (frame->count == 0) return false;
    doc_node node = frame->node + 1;
    for (uint32_t i = 0; i < frame->count; i++) {
        const struct doc_item *item = &parser->items[node];
        bool item_escaped = (item->flags & ITEM_KEY_ESCAPED) != 0;
        stet_view other = view_make(parser->begin + item->key, item->key_size);
        if (!escaped && !item_escaped ? view_equal(key, other)
                                      : text_compare(key, escaped, other, item_escaped) == 0) {
            return true;
        }
        node = item->end;
    }
    return false;
}

/* Whether a small object holds the key already. Remembers it in the filter. */
static inline bool is_duplicate(struct parser *parser, struct frame *frame, stet_view key,
                                bool escaped) {
    if (UNLIKELY(frame->count >= ENTRIES_MEMBERS_MIN))
        return false; /* Checked when the object closes. */
    if (UNLIKELY(escaped)) {
        /* Any later spelling could mean this key: all bits. */
        frame->filter = UINT64_MAX;
        return filter_scan(parser, frame, key, escaped);
    }
    uint64_t word = 0;
    if (LIKELY(parser->end - key.bytes >= 8)) {
        memcpy(&word, key.bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        if (key.size < 8) word &= (UINT64_C(1) << 8 * key.size) - 1;
    } else {
        memcpy(&word, key.bytes, key.size < 8 ? key.size : 8);
    }
    uint64_t bit = UINT64_C(1) << ((word ^ (uint64_t)key.size * HASH_K1) * HASH_K0 >> 58);
    bool seen = (frame->filter & bit) != 0;
    frame->filter |= bit;
    return UNLIKELY(seen) && filter_scan(parser, frame, key, escaped);
}

/* ---- Memory ---- */

static __attribute__((noinline)) stet_status items_grow(struct parser *parser, const char *at) {
    if (parser->count >= parser->limits.nodes_max)
        return fail_limit(parser, at, "nodes", parser->limits.nodes_max);
    size_t capacity = parser->capacity == 0 ? (size_t)(parser->end - parser->begin) / 16 + 8
                                            : (size_t)parser->capacity * 2;
    if (capacity > parser->limits.nodes_max) capacity = parser->limits.nodes_max;
    struct doc_item *items = arena_alloc(parser->arena, capacity * sizeof *items);
    if (items == NULL) return fail_memory(parser);
    if (parser->count > 0) memcpy(items, parser->items, parser->count * sizeof *items);
    parser->items = items;
    parser->capacity = (uint32_t)capacity;
    return STET_OK;
}

/* Sorts the keys of the large object that closes, at the end of parser->entries. */
static __attribute__((noinline)) stet_status entries_add(struct parser *parser,
                                                         struct doc_item *object) {
    uint32_t count = object->count;
    size_t needed = (size_t)parser->entry_count + count;
    if (needed > parser->entry_capacity) {
        size_t capacity = (size_t)parser->entry_capacity * 2 > needed
                              ? (size_t)parser->entry_capacity * 2
                              : needed;
        struct doc_entry *entries = arena_alloc(parser->arena, capacity * sizeof *entries);
        if (entries == NULL) return fail_memory(parser);
        if (parser->entry_count > 0)
            memcpy(entries, parser->entries, parser->entry_count * sizeof *entries);
        parser->entries = entries;
        parser->entry_capacity = (uint32_t)capacity;
    }
    struct doc_entry *scratch = arena_alloc(parser->arena, count * sizeof *scratch);
    if (scratch == NULL) return fail_memory(parser);
    struct doc doc = {
        .text = view_make(parser->begin, (size_t)(parser->end - parser->begin)),
        .items = parser->items,
        .count = parser->count,
    };
    doc_node twice = entries_sort(&doc, (doc_node)(object - parser->items),
                                  parser->entries + parser->entry_count, scratch);
    if (twice != DOC_NONE) {
        const struct doc_item *item = &parser->items[twice];
        return fail_duplicate(parser, item_key(&doc, item), (item->flags & ITEM_KEY_ESCAPED) != 0);
    }
    object->entries = parser->entry_count;
    parser->entry_count += count;
    return STET_OK;
}

/* ---- The loop ---- */

static stet_status frame_close(struct parser *parser, const char *p) {
    struct frame *frame = &parser->frames[parser->depth];
    struct doc_item *item = &parser->items[frame->node];
    item->size = (uint32_t)(p - parser->begin) - item->start;
    item->end = parser->count;
    item->count = frame->count;
    item->height = (uint16_t)(frame->height + 1);
    if (frame->count > 0) parser->items[frame->last].flags |= ITEM_LAST;
    if (UNLIKELY(frame->object && frame->count >= ENTRIES_MEMBERS_MIN)) {
        stet_status status = entries_add(parser, item);
        if (status != STET_OK) return status;
    }
    struct frame *parent = frame - 1; /* frames[0] takes the root's height. */
    if (parent->height < item->height) parent->height = item->height;
    parser->depth--;
    return STET_OK;
}

static stet_status parse_value(struct parser *parser) {
    const char *p = parser->begin;
    const char *const end = parser->end;
    struct frame *frame = &parser->frames[0];
    stet_status status = STET_OK;
    struct doc_item *item;
    const char *stop;
    uint32_t key = 0;
    uint32_t key_size = 0;
    bool key_escaped = false;
    bool escaped;

    parser->frames[0] = (struct frame){0};
value:
    p = skip_blanks(p, end);
    if (UNLIKELY(p == end)) return fail(parser, p, "the text ends where a value is expected");
    if (UNLIKELY(parser->count == parser->capacity)) {
        status = items_grow(parser, p);
        if (status != STET_OK) return status;
    }
    frame->last = parser->count;
    frame->count++;
    item = &parser->items[parser->count++];
    item->start = (uint32_t)(p - parser->begin);
    item->key = key;
    item->key_size = key_size;
    item->end = parser->count;
    item->count = 0;
    item->entries = DOC_NONE;
    item->flags = key_escaped ? ITEM_KEY_ESCAPED : 0;
    item->height = 0;
    switch (*p) {
    case '"':
        escaped = false;
        stop = string_end(parser, p + 1, &escaped);
        if (UNLIKELY(stop == NULL)) return STET_BAD_JSON;
        stop++;
        item->kind = DOC_STRING;
        if (escaped) item->flags |= ITEM_ESCAPED;
        break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': {
        const char *at;
        stop = number_end(p, end, &at);
        if (UNLIKELY(stop == NULL)) return fail(parser, at, "invalid number");
        item->kind = DOC_NUMBER;
        break;
    }
    case '{':
    case '[':
        if (UNLIKELY(parser->depth == parser->limits.depth_max)) {
            return fail_limit(parser, p, "depth", parser->limits.depth_max);
        }
        item->kind = *p == '{' ? DOC_OBJECT : DOC_ARRAY;
        frame = &parser->frames[++parser->depth];
        frame->filter = 0;
        frame->node = parser->count - 1;
        frame->count = 0;
        frame->height = 0;
        frame->object = item->kind == DOC_OBJECT;
        p = skip_blanks(p + 1, end);
        if (frame->object) {
            if (UNLIKELY(p < end && *p == '}')) goto close;
            goto key;
        }
        if (UNLIKELY(p < end && *p == ']')) goto close;
        key = 0;
        key_size = 0;
        key_escaped = false;
        goto value;
    case 't':
        if (end - p < 4 || memcmp(p, "true", 4) != 0) return fail(parser, p, "invalid word");
        stop = p + 4;
        item->kind = DOC_TRUE;
        break;
    case 'f':
        if (end - p < 5 || memcmp(p, "false", 5) != 0) return fail(parser, p, "invalid word");
        stop = p + 5;
        item->kind = DOC_FALSE;
        break;
    case 'n':
        if (end - p < 4 || memcmp(p, "null", 4) != 0) return fail(parser, p, "invalid word");
        stop = p + 4;
        item->kind = DOC_NULL;
        break;
    default: return fail(parser, p, "expected a value");
    }
    item->size = (uint32_t)(stop - p);
    p = stop;

after:
    if (parser->depth == 0) goto done;
    p = skip_blanks(p, end);
    if (UNLIKELY(p == end)) return fail(parser, p, "the text ends inside an array or object");
    if (*p == ',') {
        p++;
        if (!frame->object) {
            key = 0;
            key_size = 0;
            key_escaped = false;
            goto value;
        }
        p = skip_blanks(p, end);
        goto key;
    }
    if (UNLIKELY(*p != (frame->object ? '}' : ']'))) {
        return fail(parser, p, frame->object ? "expected ',' or '}'" : "expected ',' or ']'");
    }
close:
    p++;
    status = frame_close(parser, p);
    if (UNLIKELY(status != STET_OK)) return status;
    frame = &parser->frames[parser->depth];
    goto after;

key:
    if (UNLIKELY(p == end || *p != '"')) return fail(parser, p, "expected a key in quotes");
    p++;
    key_escaped = false;
    stop = string_end(parser, p, &key_escaped);
    if (UNLIKELY(stop == NULL)) return STET_BAD_JSON;
    key = (uint32_t)(p - parser->begin);
    key_size = (uint32_t)(stop - p);
    if (UNLIKELY(is_duplicate(parser, frame, view_make(p, key_size), key_escaped))) {
        return fail_duplicate(parser, view_make(p, key_size), key_escaped);
    }
    p = skip_blanks(stop + 1, end);
    if (UNLIKELY(p == end || *p != ':')) return fail(parser, p, "expected ':'");
    p++;
    goto value;

done:
    p = skip_blanks(p, end);
    if (p != end) return fail(parser, p, "text after the value");
    parser->items[0].flags |= ITEM_LAST;
    return STET_OK;
}

stet_status doc_parse(struct arena *arena, stet_view text, const struct doc_limits *limits,
                      struct doc *doc, stet_error *err) {
    struct parser parser; /* Not zeroed: the frames are 16 KiB, of which few are used. */
    if (text.bytes == NULL) text = VIEW(""); /* The empty view may point nowhere. */
    parser.begin = text.bytes;
    parser.end = text.bytes + text.size;
    parser.arena = arena;
    parser.items = NULL;
    parser.count = 0;
    parser.capacity = 0;
    parser.entries = NULL;
    parser.entry_count = 0;
    parser.entry_capacity = 0;
    parser.limits = limits == NULL ? doc_limits_default : *limits;
    parser.depth = 0;
    parser.err = err;
    if (parser.limits.bytes_max > UINT32_MAX - 64) parser.limits.bytes_max = UINT32_MAX - 64;
    if (parser.limits.depth_max > DOC_DEPTH_BOUND) parser.limits.depth_max = DOC_DEPTH_BOUND;
    if (parser.limits.nodes_max == DOC_NONE) parser.limits.nodes_max--;
    if (text.size > parser.limits.bytes_max) {
        return fail_limit(&parser, parser.begin, "bytes", parser.limits.bytes_max);
    }
    stet_status status = parse_value(&parser);
    if (status != STET_OK) return status;
    *doc = (struct doc){
        .text = text, .items = parser.items, .entries = parser.entries, .count = parser.count};
    return STET_OK;
}
