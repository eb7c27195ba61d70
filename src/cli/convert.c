#include "cli/convert.h"

#include "base/error.h"
#include "base/view.h"
#include "doc/doc.h"
#include "doc/write.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES_MAX = 60 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static stet_view trim(stet_view text) {
    while (text.size > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t'))
        text = view_make(text.bytes + 1, text.size - 1);
    while (text.size > 0 && (text.bytes[text.size - 1] == ' ' || text.bytes[text.size - 1] == '\t'))
        text.size--;
    return text;
}

/* "TEXT" is not WHAT; the text cut between two characters. */
static stet_status unfit(stet_view text, const char *what, stet_error *err) {
    size_t size = text.size;
    bool cut = size > SHOWN_BYTES_MAX;
    if (cut) size = SHOWN_BYTES_MAX;
    while (cut && size > 0 && ((unsigned char)text.bytes[size] & 0xC0) == 0x80)
        size--;
    return error_set(err, STET_BAD_REQUEST, "\"%.*s%s\" is not %s", (int)size, text.bytes,
                     cut ? "…" : "", what);
}

/* ---- What a field is to become ----------------------------------------------------------- */

static stet_status number_parse(stet_view how, struct convert *convert, stet_error *err) {
    convert->decimal = '.';
    if (how.size == 0) return STET_OK;
    bool fits = how.size <= 2;
    for (size_t i = 0; i < how.size; i++)
        fits = fits && strchr(".,' _", how.bytes[i]) != NULL && how.bytes[i] != '\0';
    convert->decimal = how.bytes[how.size - 1];
    convert->thousands = how.size == 2 ? how.bytes[0] : '\0';
    if (fits && strchr(".,", convert->decimal) != NULL && convert->decimal != convert->thousands)
        return STET_OK;
    return error_set(
        err, STET_BAD_REQUEST,
        "number(…) has the thousands separator, if there is any, and the decimal mark: "
        "number(.,) reads 1.234,50");
}

static stet_status boolean_parse(stet_view how, struct convert *convert, stet_error *err) {
    const char *slash = how.size == 0 ? NULL : memchr(how.bytes, '/', how.size);
    if (how.size == 0) return STET_OK;
    if (slash != NULL) {
        convert->yes = view_make(how.bytes, (size_t)(slash - how.bytes));
        convert->no = view_make(slash + 1, how.size - convert->yes.size - 1);
    }
    if (convert->yes.size > 0 && convert->no.size > 0 && !view_equal(convert->yes, convert->no))
        return STET_OK;
    return error_set(err, STET_BAD_REQUEST, "boolean(…) has two words: boolean(ja/nein)");
}

static bool pattern_is_valid(stet_view pattern) {
    size_t years = 0, months = 0, days = 0;
    for (size_t i = 0; i < pattern.size; i++) {
        char c = pattern.bytes[i];
        size_t *count = c == 'y' ? &years : c == 'm' ? &months : c == 'd' ? &days : NULL;
        if (count == NULL && strchr("-./ ", c) == NULL) return false;
        if (count == NULL) continue;
        if (*count > 0 && pattern.bytes[i - 1] != c) return false;
        *count += 1;
    }
    return years == 4 && (months == 1 || months == 2) && (days == 1 || days == 2);
}

stet_status convert_parse(stet_view words, struct convert *convert, stet_error *err) {
    static const struct {
        const char *name;
        enum convert_kind kind;
    } kinds[] = {{"text", CONVERT_TEXT}, {"number", CONVERT_NUMBER}, {"boolean", CONVERT_BOOLEAN},
                 {"date", CONVERT_DATE}, {"list", CONVERT_LIST},     {"json", CONVERT_JSON}};
    const char *open = words.size == 0 ? NULL : memchr(words.bytes, '(', words.size);
    stet_view name = open == NULL ? words : view_make(words.bytes, (size_t)(open - words.bytes));
    stet_view how = {0};
    size_t kind = 0;
    bool closed =
        open == NULL || (words.bytes[words.size - 1] == ')' && words.size > name.size + 2);
    if (open != NULL && closed) how = view_make(open + 1, words.size - name.size - 2);
    while (kind < sizeof kinds / sizeof kinds[0] && !view_equal(name, view_of(kinds[kind].name)))
        kind++;
    if (!closed || kind == sizeof kinds / sizeof kinds[0])
        return error_set(err, STET_BAD_REQUEST,
                         "a field becomes text, number, boolean, date, list or json, not \"%.*s\"",
                         VIEW_ARG(words));
    *convert = (struct convert){.kind = kinds[kind].kind};
    switch (convert->kind) {
    case CONVERT_NUMBER: return number_parse(how, convert, err);
    case CONVERT_BOOLEAN: return boolean_parse(how, convert, err);
    case CONVERT_DATE:
        convert->pattern = how.size > 0 ? how : VIEW("yyyy-mm-dd");
        if (pattern_is_valid(convert->pattern)) return STET_OK;
        return error_set(err, STET_BAD_REQUEST,
                         "date(…) has yyyy, mm and dd with one of - . / or a blank between "
                         "them: date(dd.mm.yyyy)");
    case CONVERT_LIST: convert->separator = how.size > 0 ? how : VIEW(";"); return STET_OK;
    case CONVERT_TEXT:
    case CONVERT_JSON:
        if (how.size == 0) return STET_OK;
        return error_set(err, STET_BAD_REQUEST, "%s has nothing in brackets", kinds[kind].name);
    }
    return STET_OK;
}

/* ---- Values ------------------------------------------------------------------------------ */

/* Digits in groups of three, if there are groups. Out: how many bytes of the text. */
static bool whole_write(const struct convert *convert, stet_view text, size_t *at,
                        struct buffer *out) {
    size_t begin = *at, group = 0;
    bool grouped = false;
    for (; *at < text.size; ++*at) {
        char c = text.bytes[*at];
        if (is_digit(c)) {
            buffer_append_char(out, c);
            group++;
        } else if (convert->thousands != '\0' && c == convert->thousands) {
            if (grouped ? group != 3 : group == 0 || group > 3) return false;
            grouped = true;
            group = 0;
        } else {
            break;
        }
    }
    if (grouped && group != 3) return false;
    /* 007 is not a number but a name made of digits; who wants it as a number loses the zeros. */
    return *at > begin && (text.bytes[begin] != '0' || *at == begin + 1);
}

static stet_status number_write(const struct convert *convert, stet_view text, struct buffer *out,
                                stet_error *err) {
    stet_view digits = trim(text);
    size_t at = 0, before = out->size;
    if (at < digits.size && digits.bytes[at] == '-') buffer_append_char(out, '-');
    if (at < digits.size && (digits.bytes[at] == '-' || digits.bytes[at] == '+')) at++;
    bool fits = whole_write(convert, digits, &at, out);
    if (fits && at < digits.size && digits.bytes[at] == convert->decimal) {
        buffer_append_char(out, '.');
        size_t fraction = ++at;
        while (at < digits.size && is_digit(digits.bytes[at]))
            buffer_append_char(out, digits.bytes[at++]);
        fits = at > fraction;
    }
    if (fits && at < digits.size && (digits.bytes[at] | 0x20) == 'e') {
        buffer_append_char(out, 'e');
        at++;
        if (at < digits.size && (digits.bytes[at] == '-' || digits.bytes[at] == '+'))
            buffer_append_char(out, digits.bytes[at++]);
        size_t exponent = at;
        while (at < digits.size && is_digit(digits.bytes[at]))
            buffer_append_char(out, digits.bytes[at++]);
        fits = at > exponent;
    }
    if (fits && at == digits.size) return STET_OK;
    out->size = before;
    return unfit(text, "a number", err);
}

static stet_status boolean_write(const struct convert *convert, stet_view text, struct buffer *out,
                                 stet_error *err) {
    static const char *const yes[] = {"true", "yes", "y", "t", "1"}, *const no[] = {"false", "no",
                                                                                    "n", "f", "0"};
    stet_view word = trim(text);
    int value = -1;
    if (convert->yes.size > 0) {
        if (view_equal_nocase(word, convert->yes)) value = 1;
        if (view_equal_nocase(word, convert->no)) value = 0;
    } else {
        for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
            if (view_equal_nocase(word, view_of(yes[i]))) value = 1;
            if (view_equal_nocase(word, view_of(no[i]))) value = 0;
        }
    }
    if (value < 0) return unfit(text, "true or false", err);
    buffer_append_text(out, value == 1 ? "true" : "false");
    return STET_OK;
}

static unsigned days_of(unsigned year, unsigned month) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

static stet_status date_write(const struct convert *convert, stet_view text, struct buffer *out,
                              stet_error *err) {
    stet_view pattern = convert->pattern, date = trim(text);
    unsigned year = 0, month = 0, day = 0;
    size_t at = 0;
    bool fits = true;
    for (size_t i = 0; fits && i < pattern.size;) {
        char c = pattern.bytes[i];
        unsigned *part = c == 'y' ? &year : c == 'm' ? &month : c == 'd' ? &day : NULL;
        size_t letters = 1, digits = 0;
        if (part == NULL) {
            fits = at < date.size && date.bytes[at++] == c;
            i++;
            continue;
        }
        while (i + letters < pattern.size && pattern.bytes[i + letters] == c)
            letters++;
        size_t digits_max = letters == 4 ? 4 : 2;
        for (; digits < digits_max && at < date.size && is_digit(date.bytes[at]); digits++)
            *part = *part * 10 + (unsigned)(date.bytes[at++] - '0');
        fits = digits >= letters; /* "d" takes 7 and 17, "dd" asks for 07. */
        i += letters;
    }
    fits = fits && at == date.size && year >= 1 && month >= 1 && month <= 12 && day >= 1 &&
           day <= days_of(year, month);
    if (!fits) {
        char what[80];
        snprintf(what, sizeof what, "a date (%.*s)", (int)(pattern.size < 40 ? pattern.size : 40),
                 pattern.bytes);
        return unfit(text, what, err);
    }
    buffer_append_format(out, "\"%04u-%02u-%02u\"", year, month, day);
    return STET_OK;
}

static void list_write(const struct convert *convert, stet_view text, struct buffer *out) {
    stet_view separator = convert->separator;
    bool first = true;
    buffer_append_char(out, '[');
    for (size_t begin = 0, at = 0; at <= text.size; at++) {
        bool ends = at == text.size;
        bool parts = !ends && text.size - at >= separator.size &&
                     memcmp(text.bytes + at, separator.bytes, separator.size) == 0;
        if (!ends && !parts) continue;
        stet_view element = trim(view_make(text.bytes + begin, at - begin));
        if (element.size > 0) {
            if (!first) buffer_append_char(out, ',');
            json_string(out, element);
            first = false;
        }
        if (parts) at += separator.size - 1;
        begin = at + 1;
    }
    buffer_append_char(out, ']');
}

stet_status convert_write(const struct convert *convert, struct arena *arena, stet_view text,
                          struct buffer *out, stet_error *err) {
    struct doc doc;
    stet_status status = STET_OK;
    switch (convert->kind) {
    case CONVERT_TEXT: json_string(out, text); break;
    case CONVERT_NUMBER: status = number_write(convert, text, out, err); break;
    case CONVERT_BOOLEAN: status = boolean_write(convert, text, out, err); break;
    case CONVERT_DATE: status = date_write(convert, text, out, err); break;
    case CONVERT_LIST: list_write(convert, text, out); break;
    case CONVERT_JSON:
        status = doc_parse(arena, text, NULL, &doc, NULL);
        if (status == STET_NO_MEMORY) return error_set(err, status, "out of memory");
        if (status != STET_OK) return unfit(text, "JSON", err);
        buffer_append_view(out, doc_text(&doc, 0));
        break;
    }
    if (status == STET_OK && buffer_status(out) != STET_OK)
        return error_set(err, buffer_status(out), "the row is too large");
    return status;
}
