#include "http/params.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

/* ---- Text ---- */

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

stet_status text_check(stet_view text, const char *field, stet_error *err) {
    if (view_is_printable(text)) return STET_OK;
    bool ascii = true;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c < 0x20 || c == 0x7F) {
            error_set(err, STET_BAD_REQUEST, "%s must not contain control characters", field);
            error_field(err, field, 0);
            return STET_BAD_REQUEST;
        }
        ascii = ascii && c < 0x80;
    }
    if (ascii || view_is_utf8(text)) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "%s must be UTF-8", field);
    error_field(err, field, 0);
    return STET_BAD_REQUEST;
}

stet_status percent_decode(struct arena *arena, stet_view raw, bool plus_is_space,
                           const char *field, stet_view *out, stet_error *err) {
    bool encoded = memchr(raw.bytes, '%', raw.size) != NULL ||
                   (plus_is_space && memchr(raw.bytes, '+', raw.size) != NULL);
    stet_view text = raw;
    if (encoded) {
        char *bytes = arena_bytes(arena, raw.size);
        if (bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
        size_t size = 0;
        for (size_t i = 0; i < raw.size; i++) {
            char c = raw.bytes[i];
            if (c == '+' && plus_is_space) c = ' ';
            if (c == '%') {
                bool whole = raw.size - i > 2;
                int high = whole ? hex_value(raw.bytes[i + 1]) : -1;
                int low = whole ? hex_value(raw.bytes[i + 2]) : -1;
                if (high < 0 || low < 0) {
                    error_set(err, STET_BAD_REQUEST, "%s has a malformed percent-encoding", field);
                    error_field(err, field, 0);
                    return STET_BAD_REQUEST;
                }
                c = (char)(high * 16 + low);
                i += 2;
            }
            bytes[size++] = c;
        }
        text = view_make(bytes, size);
    }
    stet_status status = text_check(text, field, err);
    if (status == STET_OK) *out = text;
    return status;
}

stet_view percent_encode(struct arena *arena, stet_view text) {
    static const char digits[] = "0123456789ABCDEF";
    char *bytes = arena_bytes(arena, text.size * 3 + 1);
    if (bytes == NULL) return (stet_view){0};
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            bytes[size++] = (char)c;
            continue;
        }
        bytes[size++] = '%';
        bytes[size++] = digits[c >> 4];
        bytes[size++] = digits[c & 15];
    }
    return view_make(bytes, size);
}

stet_view text_trim(stet_view text) {
    while (text.size > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
        text.bytes++;
        text.size--;
    }
    while (text.size > 0 && (text.bytes[text.size - 1] == ' ' || text.bytes[text.size - 1] == '\t'))
        text.size--;
    return text;
}

bool text_next(stet_view *rest, char separator, stet_view *piece) {
    if (rest->bytes == NULL) return false;
    const char *end = memchr(rest->bytes, separator, rest->size);
    if (end == NULL) {
        *piece = text_trim(*rest);
        *rest = (stet_view){0};
        return true;
    }
    size_t size = (size_t)(end - rest->bytes);
    *piece = text_trim(view_make(rest->bytes, size));
    *rest = view_make(end + 1, rest->size - size - 1);
    return true;
}

/* ---- Query ---- */

static stet_status param_bad(const char *name, stet_error *err, const char *what) {
    error_set(err, STET_BAD_REQUEST, "the query parameter \"%s\" %s", name, what);
    error_field(err, name, 0);
    return STET_BAD_REQUEST;
}

stet_status params_parse(struct arena *arena, stet_view query, struct params *params,
                         stet_error *err) {
    *params = (struct params){0};
    if (query.size == 0) return STET_OK;
    size_t count = 1;
    for (size_t i = 0; i < query.size; i++)
        count += query.bytes[i] == '&';
    if (count > PARAMS_MAX) {
        error_set(err, STET_TOO_LARGE, "the query has more than %d parameters", PARAMS_MAX);
        error_field(err, "query", PARAMS_MAX);
        return STET_TOO_LARGE;
    }
    struct params_item *items = arena_zalloc(arena, count, sizeof *items);
    if (items == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");

    unsigned used = 0;
    const char *end = query.bytes + query.size;
    for (const char *at = query.bytes; at <= end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (stop == NULL) stop = end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        const char *name_end = equals == NULL ? stop : equals;
        if (stop > at) {
            struct params_item *item = &items[used];
            stet_status status = percent_decode(arena, view_make(at, (size_t)(name_end - at)), true,
                                                "query", &item->name, err);
            if (status != STET_OK) return status;
            if (equals != NULL) {
                char field[64];
                size_t size = item->name.size < sizeof field ? item->name.size : sizeof field - 1;
                memcpy(field, item->name.bytes, size);
                field[size] = '\0';
                status = percent_decode(arena, view_make(equals + 1, (size_t)(stop - equals - 1)),
                                        true, field, &item->value, err);
                if (status != STET_OK) return status;
            }
            used++;
        }
        at = stop + 1;
    }
    params->items = items;
    params->count = used;
    return STET_OK;
}

bool params_has(const struct params *params, const char *name) {
    for (unsigned i = 0; i < params->count; i++) {
        if (view_equal(params->items[i].name, view_of(name))) return true;
    }
    return false;
}

/* NULL when absent. */
static stet_status params_take(struct params *params, const char *name, struct params_item **out,
                               stet_error *err) {
    *out = NULL;
    if (params->count == 0) return STET_OK;
    stet_view wanted = view_of(name);
    for (unsigned i = 0; i < params->count; i++) {
        struct params_item *item = &params->items[i];
        if (!view_equal(item->name, wanted)) continue;
        if (*out != NULL) return param_bad(name, err, "is given twice");
        item->used = true;
        *out = item;
    }
    return STET_OK;
}

stet_status params_text(struct params *params, const char *name, stet_view *out, stet_error *err) {
    struct params_item *item;
    stet_status status = params_take(params, name, &item, err);
    if (status != STET_OK || item == NULL) return status;
    if (item->value.size == 0) return param_bad(name, err, "must not be empty");
    *out = item->value;
    return STET_OK;
}

stet_status params_maybe(struct params *params, const char *name, bool *given, stet_view *out,
                         stet_error *err) {
    struct params_item *item;
    stet_status status = params_take(params, name, &item, err);
    if (status != STET_OK) return status;
    *given = item != NULL;
    if (item != NULL) *out = item->value;
    return STET_OK;
}

stet_status params_u64(struct params *params, const char *name, uint64_t max, uint64_t *out,
                       stet_error *err) {
    struct params_item *item;
    stet_status status = params_take(params, name, &item, err);
    if (status != STET_OK || item == NULL) return status;
    uint64_t value;
    if (!view_parse_u64(item->value, &value))
        return param_bad(name, err, "must be a number of decimal digits");
    if (value > max) {
        error_set(err, STET_BAD_REQUEST, "the query parameter \"%s\" must be at most %llu", name,
                  (unsigned long long)max);
        error_field(err, name, max);
        return STET_BAD_REQUEST;
    }
    *out = value;
    return STET_OK;
}

stet_status params_flag(struct params *params, const char *name, bool *out, stet_error *err) {
    struct params_item *item;
    stet_status status = params_take(params, name, &item, err);
    if (status != STET_OK || item == NULL) return status;
    if (view_equal(item->value, VIEW("1")) || view_equal(item->value, VIEW("true"))) {
        *out = true;
    } else if (view_equal(item->value, VIEW("0")) || view_equal(item->value, VIEW("false"))) {
        *out = false;
    } else {
        return param_bad(name, err, "must be 1 or 0");
    }
    return STET_OK;
}

stet_status params_time(struct params *params, const char *name, stet_time *out, stet_error *err) {
    struct params_item *item;
    stet_status status = params_take(params, name, &item, err);
    if (status != STET_OK || item == NULL) return status;
    if (!time_parse(item->value, out))
        return param_bad(name, err, "must be an RFC 3339 time or decimal nanoseconds");
    return STET_OK;
}

bool params_next(struct params *params, const char *name, unsigned *cursor, stet_view *out) {
    stet_view wanted = view_of(name);
    while (*cursor < params->count) {
        struct params_item *item = &params->items[(*cursor)++];
        if (!view_equal(item->name, wanted)) continue;
        item->used = true;
        *out = item->value;
        return true;
    }
    return false;
}

stet_status params_finish(const struct params *params, stet_error *err) {
    for (unsigned i = 0; i < params->count; i++) {
        if (params->items[i].used) continue;
        stet_view name = params->items[i].name;
        error_set(err, STET_BAD_REQUEST, "the query parameter \"%.*s\" is not known here",
                  (int)(name.size < 80 ? name.size : 80), name.bytes);
        error_field_view(err, name, 0);
        return STET_BAD_REQUEST;
    }
    return STET_OK;
}

/* ---- Headers ---- */

/* "12" or W/"12" with 12 a version. */
static bool tag_version(stet_view tag, stet_version *version) {
    if (view_starts(tag, VIEW("W/"))) {
        tag.bytes += 2;
        tag.size -= 2;
    }
    if (tag.size < 3 || tag.bytes[0] != '"' || tag.bytes[tag.size - 1] != '"') return false;
    uint64_t value;
    if (!view_parse_u64(view_make(tag.bytes + 1, tag.size - 2), &value) || value == 0) return false;
    *version = value;
    return true;
}

stet_status etag_parse(stet_view text, stet_version *version, stet_error *err) {
    text = text_trim(text);
    if (view_equal(text, VIEW("*"))) {
        *version = STET_VERSION_NONE;
        return STET_OK;
    }
    if (tag_version(text, version)) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "If-Match must be one tag such as \"12\"");
    error_field(err, "If-Match", 0);
    return STET_BAD_REQUEST;
}

bool etag_list_has(stet_view text, stet_version version) {
    stet_view tag;
    while (text_next(&text, ',', &tag)) {
        stet_version one;
        if (view_equal(tag, VIEW("*"))) return true;
        if (tag_version(tag, &one) && one == version) return true;
    }
    return false;
}

bool etag_list_names(stet_view text, stet_view wanted) {
    stet_view tag;
    while (text_next(&text, ',', &tag)) {
        if (view_starts(tag, VIEW("W/"))) tag = view_make(tag.bytes + 2, tag.size - 2);
        if (view_equal(tag, VIEW("*")) || view_equal(tag, wanted)) return true;
    }
    return false;
}

enum prefer prefer_parse(stet_view text) {
    stet_view piece;
    while (text_next(&text, ',', &piece)) {
        stet_view word = {0};
        text_next(&piece, ';', &word);
        if (view_equal_nocase(word, VIEW("return=minimal"))) return PREFER_MINIMAL;
        if (view_equal_nocase(word, VIEW("return=representation"))) return PREFER_REPRESENTATION;
    }
    return PREFER_NONE;
}

stet_status key_parse(stet_view text, const char *field, stet_view *out, stet_error *err) {
    text = text_trim(text);
    if (text.size >= 2 && text.bytes[0] == '"' && text.bytes[text.size - 1] == '"')
        text = view_make(text.bytes + 1, text.size - 2);
    if (text.size == 0 || text.size > MUTATION_KEY_BYTES_MAX) {
        error_set(err, text.size == 0 ? STET_BAD_REQUEST : STET_TOO_LARGE,
                  "%s must have 1 to %d bytes", field, MUTATION_KEY_BYTES_MAX);
        error_field(err, field, MUTATION_KEY_BYTES_MAX);
        return text.size == 0 ? STET_BAD_REQUEST : STET_TOO_LARGE;
    }
    stet_status status = text_check(text, field, err);
    if (status == STET_OK) *out = text;
    return status;
}

enum media media_parse(stet_view text) {
    static const struct {
        stet_view name;
        enum media media;
    } known[] = {
        {{"application/json", 16}, MEDIA_JSON},
        {{"application/stet+json", 21}, MEDIA_STET},
        {{"application/merge-patch+json", 28}, MEDIA_MERGE_PATCH},
        {{"application/json-patch+json", 27}, MEDIA_JSON_PATCH},
        {{"application/x-ndjson", 20}, MEDIA_NDJSON},
        {{"application/ndjson", 18}, MEDIA_NDJSON},
        {{"application/jsonl", 17}, MEDIA_NDJSON},
    };
    stet_view name = {0};
    stet_view parameter;
    if (text.size == 0) return MEDIA_NONE;
    text_next(&text, ';', &name);
    while (text_next(&text, ';', &parameter)) {
        stet_view key = {0};
        stet_view value = {0};
        text_next(&parameter, '=', &key);
        text_next(&parameter, '=', &value);
        if (!view_equal_nocase(key, VIEW("charset"))) continue;
        if (!view_equal_nocase(value, VIEW("utf-8")) &&
            !view_equal_nocase(value, VIEW("\"utf-8\"")))
            return MEDIA_OTHER;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (view_equal_nocase(name, known[i].name)) return known[i].media;
    }
    return MEDIA_OTHER;
}

/* q=0 means "not this one". */
static bool quality_is_zero(stet_view parameters) {
    stet_view one;
    while (text_next(&parameters, ';', &one)) {
        if (one.size < 3 || (one.bytes[0] != 'q' && one.bytes[0] != 'Q') || one.bytes[1] != '=')
            continue;
        for (size_t i = 2; i < one.size; i++) {
            if (one.bytes[i] != '0' && one.bytes[i] != '.') return false;
        }
        return true;
    }
    return false;
}

/* The most specific range decides: 3 for the type itself, 2 for type/star, 1 for star/star; 0 for
 * none; negative when it was refused with q=0. */
static int accept_match(stet_view accept, const char *type, const char *subtype) {
    stet_view range;
    int best = 0;
    while (text_next(&accept, ',', &range)) {
        stet_view name = {0};
        stet_view left = {0};
        text_next(&range, ';', &name);
        stet_view right = name;
        if (!text_next(&right, '/', &left)) continue;
        bool any_left = view_equal(left, VIEW("*"));
        bool any_right = view_equal(right, VIEW("*"));
        if (!any_left && !view_equal_nocase(left, view_of(type))) continue;
        if (!any_right && !view_equal_nocase(right, view_of(subtype))) continue;
        int rank = any_left ? 1 : any_right ? 2 : 3;
        if (rank <= (best < 0 ? -best : best)) continue;
        best = quality_is_zero(range) ? -rank : rank;
    }
    return best;
}

bool accept_allows(stet_view accept, const char *type, const char *subtype) {
    return accept.size == 0 || accept_match(accept, type, subtype) > 0;
}

bool accept_names(stet_view accept, const char *type, const char *subtype) {
    return accept.size > 0 && accept_match(accept, type, subtype) == 3;
}

bool time_parse(stet_view text, stet_time *out) {
    uint64_t ns;
    int64_t parsed;
    if (view_parse_u64(text, &ns)) {
        if (ns > INT64_MAX) return false;
        *out = (stet_time)ns;
        return true;
    }
    if (!clock_parse_rfc3339(text, &parsed)) return false;
    *out = parsed;
    return true;
}

bool request_id_is_valid(stet_view text) {
    if (text.size == 0 || text.size > 64) return false; /* REQUEST_ID_BYTES_MAX. */
    for (size_t i = 0; i < text.size; i++) {
        char c = text.bytes[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_';
        if (!plain) return false;
    }
    return true;
}
