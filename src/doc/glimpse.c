/*
 * The text was valid when it was stored, so values are only passed over: strings by their quotes, the rest by brackets. Nothing is read
 * past the end whatever the text is.
 */
#include "doc/glimpse.h"

#include "base/buffer.h"
#include "base/view.h"

#include <stddef.h>

struct walk {
    const char *at, *end;
};

static void skip_blanks(struct walk *walk) {
    while (walk->at < walk->end &&
           (*walk->at == ' ' || *walk->at == '\n' || *walk->at == '\t' || *walk->at == '\r'))
        walk->at++;
}

/* Takes one character if it is the next one, blanks around it left out. */
static bool take(struct walk *walk, char c) {
    skip_blanks(walk);
    if (walk->at == walk->end || *walk->at != c) return false;
    walk->at++;
    skip_blanks(walk);
    return true;
}

/* From behind the opening quote to behind the closing one. */
static bool skip_string(struct walk *walk) {
    for (;;) {
        const char *quote = memchr(walk->at, '"', (size_t)(walk->end - walk->at));
        size_t escapes = 0;
        if (quote == NULL) return false;
        while (quote - escapes > walk->at && quote[-1 - (ptrdiff_t)escapes] == '\\')
            escapes++;
        walk->at = quote + 1;
        if (escapes % 2 == 0) return true;
    }
}

static bool skip_nested(struct walk *walk) {
    size_t depth = 0;
    while (walk->at < walk->end) {
        char c = *walk->at++;
        if (c == '"' && !skip_string(walk)) return false;
        if (c == '{' || c == '[') depth++;
        if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
}

static bool skip_value(struct walk *walk) {
    if (walk->at == walk->end) return false;
    if (*walk->at == '{' || *walk->at == '[') return skip_nested(walk);
    if (*walk->at == '"') {
        walk->at++;
        return skip_string(walk);
    }
    while (walk->at < walk->end && *walk->at != ',' && *walk->at != '}' && *walk->at != ' ' &&
           *walk->at != '\n' && *walk->at != '\t' && *walk->at != '\r')
        walk->at++;
    return true;
}

static bool is_wanted(const stet_view *keys, size_t key_count, stet_view name) {
    for (size_t i = 0; i < key_count; i++)
        if (view_equal(keys[i], name)) return true;
    return false;
}

/* One member; *wanted: with its value in *value, the name included. */
static bool take_member(struct walk *walk, const stet_view *keys, size_t key_count, bool *wanted,
                        stet_view *member) {
    const char *from = walk->at;
    if (*walk->at != '"') return false;
    walk->at++;
    const char *quote = memchr(walk->at, '"', (size_t)(walk->end - walk->at));
    if (quote == NULL) return false;
    stet_view name = view_make(walk->at, (size_t)(quote - walk->at));
    if (name.size > 0 && memchr(name.bytes, '\\', name.size) != NULL) return false;
    walk->at = quote + 1;
    if (!take(walk, ':') || !skip_value(walk)) return false;
    *wanted = is_wanted(keys, key_count, name);
    *member = view_make(from, (size_t)(walk->at - from));
    return true;
}

bool doc_glimpse(struct arena *arena, stet_view text, const stet_view *keys, size_t key_count,
                 struct doc *doc) {
    struct walk walk = {.at = text.bytes, .end = text.bytes + text.size};
    struct buffer out;
    size_t found = 0;
    if (text.size == 0 || !take(&walk, '{')) return false;
    buffer_init(&out, arena, 0);
    buffer_append_char(&out, '{');
    while (found < key_count && walk.at < walk.end && *walk.at != '}') {
        stet_view member;
        bool wanted;
        if (!take_member(&walk, keys, key_count, &wanted, &member)) return false;
        if (wanted && found++ > 0) buffer_append_char(&out, ',');
        if (wanted) buffer_append_view(&out, member);
        skip_blanks(&walk);
        if (walk.at == walk.end) return false;
        if (*walk.at == '}') break;
        if (!take(&walk, ',')) return false;
    }
    buffer_append_char(&out, '}');
    return buffer_status(&out) == STET_OK &&
           doc_parse(arena, buffer_view(&out), NULL, doc, NULL) == STET_OK;
}
