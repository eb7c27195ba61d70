#include "http/cookie.h"

#include "base/view.h"
#include "http/params.h"

static stet_view without_quotes(stet_view value) {
    if (value.size >= 2 && value.bytes[0] == '"' && value.bytes[value.size - 1] == '"')
        return view_make(value.bytes + 1, value.size - 2);
    return value;
}

enum cookie_found cookie_find(stet_view header, stet_view name, stet_view *value) {
    enum cookie_found found = COOKIE_ABSENT;
    stet_view pair;
    while (text_next(&header, ';', &pair)) {
        const char *equals = pair.size == 0 ? NULL : memchr(pair.bytes, '=', pair.size);
        if (equals == NULL) continue;
        size_t name_size = (size_t)(equals - pair.bytes);
        if (!view_equal(text_trim(view_make(pair.bytes, name_size)), name)) continue;
        stet_view one = without_quotes(text_trim(view_make(equals + 1, pair.size - name_size - 1)));
        if (found != COOKIE_ABSENT && !view_equal(one, *value)) return COOKIE_AMBIGUOUS;
        *value = one;
        found = COOKIE_FOUND;
    }
    return found;
}

stet_view cookie_format(struct arena *arena, const struct cookie *cookie) {
    return arena_format(arena, "%.*s=%.*s; Path=%.*s; Max-Age=%llu; HttpOnly; SameSite=Lax%s",
                        VIEW_ARG(cookie->name), VIEW_ARG(cookie->value), VIEW_ARG(cookie->path),
                        (unsigned long long)(cookie->value.size == 0 ? 0 : cookie->lifetime_s),
                        cookie->secure ? "; Secure" : "");
}
