#include "expr/scan.h"

#include "base/error.h"
#include "base/view.h"

#include <stdio.h>

enum { FOUND_BYTES_MAX = 24 };

/* ---- Errors ------------------------------------------------------------------------------ */

/* What people write who know another language. */
static const char *hint_for(stet_view found) {
    static const struct {
        const char *text;
        const char *hint;
    } hints[] = {
        {"==", "; equal is written ="},
        {"<>", "; unequal is written !="},
        {"and", "; and is written &&"},
        {"AND", "; and is written &&"},
        {"or", "; or is written ||"},
        {"OR", "; or is written ||"},
        {"not ", "; not is written !"},
        {"NOT ", "; not is written !"},
        {"like", "; see starts_with and contains"},
        {"(", "; lists are written [1, 2]"},
    };
    for (size_t index = 0; index < sizeof hints / sizeof hints[0]; index++) {
        if (view_starts(found, view_of(hints[index].text))) return hints[index].hint;
    }
    return "";
}

stet_status scan_fail(struct scanner *scanner, size_t at, const char *expected) {
    stet_view found = view_make(scanner->text.bytes + at, scanner->text.size - at);
    size_t size = found.size < FOUND_BYTES_MAX ? found.size : FOUND_BYTES_MAX;
    while (size > 0 && size < found.size && ((unsigned char)found.bytes[size] & 0xc0) == 0x80)
        size--;
    if (found.size == 0) {
        error_set(scanner->err, STET_BAD_REQUEST, "expected %s at byte %zu, found the end",
                  expected, at);
    } else {
        error_set(scanner->err, STET_BAD_REQUEST, "expected %s at byte %zu, found \"%.*s\"%s",
                  expected, at, (int)size, found.bytes, hint_for(found));
    }
    if (scanner->field != NULL) error_field(scanner->err, scanner->field, 0);
    return STET_BAD_REQUEST;
}

static stet_status no_memory(struct scanner *scanner) {
    return error_set(scanner->err, STET_NO_MEMORY, "out of memory for an expression");
}

/* ---- Characters -------------------------------------------------------------------------- */

static int peek(const struct scanner *scanner) {
    return scanner->at < scanner->text.size ? (unsigned char)scanner->text.bytes[scanner->at] : -1;
}

static bool is_digit(int c) { return c >= '0' && c <= '9'; }

/* Any letter of any script: names of fields are people's words. */
static bool starts_name(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_name(int c) { return starts_name(c) || is_digit(c) || c == '-'; }

static stet_view take_name(struct scanner *scanner) {
    size_t from = scanner->at;
    while (is_name(peek(scanner)))
        scanner->at++;
    return view_make(scanner->text.bytes + from, scanner->at - from);
}

static int hex_digit(int c) {
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- Strings ----------------------------------------------------------------------------- */

static void append_utf8(struct buffer *out, uint32_t point) {
    if (point < 0x80) {
        buffer_append_char(out, (char)point);
        return;
    }
    if (point < 0x800) {
        buffer_append_char(out, (char)(0xc0 | point >> 6));
    } else {
        if (point < 0x10000) {
            buffer_append_char(out, (char)(0xe0 | point >> 12));
        } else {
            buffer_append_char(out, (char)(0xf0 | point >> 18));
            buffer_append_char(out, (char)(0x80 | (point >> 12 & 0x3f)));
        }
        buffer_append_char(out, (char)(0x80 | (point >> 6 & 0x3f)));
    }
    buffer_append_char(out, (char)(0x80 | (point & 0x3f)));
}

/* Four hexadecimal digits; false when they are none. */
static bool take_hex4(struct scanner *scanner, uint32_t *out) {
    uint32_t value = 0;
    for (int digits = 0; digits < 4; digits++) {
        int digit = hex_digit(peek(scanner));
        if (digit < 0) return false;
        value = value << 4 | (uint32_t)digit;
        scanner->at++;
    }
    *out = value;
    return true;
}

/* Behind \u. Two halves of a surrogate pair are one character; half of one is none. */
static bool take_point(struct scanner *scanner, uint32_t *point) {
    uint32_t low;
    if (!take_hex4(scanner, point) || (*point >= 0xdc00 && *point < 0xe000)) return false;
    if (*point < 0xd800 || *point >= 0xe000) return true;
    if (peek(scanner) != '\\') return false;
    scanner->at++;
    if (peek(scanner) != 'u') return false;
    scanner->at++;
    if (!take_hex4(scanner, &low) || low < 0xdc00 || low >= 0xe000) return false;
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool take_escape(struct scanner *scanner, struct buffer *out) {
    static const char plain[] = "\"'\\/";
    static const char letters[] = "bfnrt";
    static const char controls[] = "\b\f\n\r\t";
    int c = peek(scanner);
    const char *letter = c > 0 ? strchr(letters, c) : NULL;
    uint32_t point;
    scanner->at++;
    if (c > 0 && strchr(plain, c) != NULL) {
        buffer_append_char(out, (char)c);
    } else if (letter != NULL) {
        buffer_append_char(out, controls[letter - letters]);
    } else if (c == 'u' && take_point(scanner, &point)) {
        append_utf8(out, point);
    } else {
        return false;
    }
    return true;
}

static stet_status take_string(struct scanner *scanner, stet_view *out) {
    struct buffer decoded;
    int quote = peek(scanner);
    size_t begin = scanner->at++;
    buffer_init(&decoded, scanner->arena, 0);
    for (;;) {
        int c = peek(scanner);
        size_t at = scanner->at;
        if (c == -1) return scan_fail(scanner, begin, "a string that ends");
        if (c < 0x20) return scan_fail(scanner, at, "no control character in a string");
        scanner->at++;
        if (c == quote) break;
        if (c != '\\') {
            buffer_append_char(&decoded, (char)c);
        } else if (!take_escape(scanner, &decoded)) {
            return scan_fail(scanner, at, "an escape as in JSON");
        }
    }
    if (buffer_status(&decoded) != STET_OK) return no_memory(scanner);
    *out = decoded.size == 0 ? VIEW("") : buffer_view(&decoded);
    return STET_OK;
}

/* ---- Numbers ----------------------------------------------------------------------------- */

static bool take_digits(struct scanner *scanner) {
    size_t from = scanner->at;
    while (is_digit(peek(scanner)))
        scanner->at++;
    return scanner->at > from;
}

/* Exactly what JSON takes for a number. */
static stet_status take_number(struct scanner *scanner) {
    size_t from = scanner->at;
    bool good = true;
    if (peek(scanner) == '-') scanner->at++;
    if (peek(scanner) == '0')
        scanner->at++;
    else
        good = take_digits(scanner);
    if (good && peek(scanner) == '.') {
        scanner->at++;
        good = take_digits(scanner);
    }
    if (good && (peek(scanner) == 'e' || peek(scanner) == 'E')) {
        scanner->at++;
        if (peek(scanner) == '+' || peek(scanner) == '-') scanner->at++;
        good = take_digits(scanner);
    }
    if (good && !is_name(peek(scanner)) && peek(scanner) != '.') return STET_OK;
    return scan_fail(scanner, from, "a number as in JSON");
}

/* ---- Paths ------------------------------------------------------------------------------- */

static void append_key(struct buffer *pointer, stet_view key) {
    buffer_append_char(pointer, '/');
    for (size_t index = 0; index < key.size; index++) {
        char c = key.bytes[index];
        if (c == '~' || c == '/')
            buffer_append_text(pointer, c == '~' ? "~0" : "~1");
        else
            buffer_append_char(pointer, c);
    }
}

/* [0] or ["odd name"] */
static stet_status take_subscript(struct scanner *scanner, struct buffer *pointer) {
    stet_status status;
    stet_view key;
    size_t from = ++scanner->at;
    if (peek(scanner) == '"' || peek(scanner) == '\'') {
        status = take_string(scanner, &key);
        if (status != STET_OK) return status;
    } else {
        if (!take_digits(scanner)) return scan_fail(scanner, from, "an index or a quoted name");
        key = view_make(scanner->text.bytes + from, scanner->at - from);
        if (key.size > 1 && key.bytes[0] == '0') return scan_fail(scanner, from, "an index");
    }
    append_key(pointer, key);
    if (peek(scanner) != ']') return scan_fail(scanner, scanner->at, "\"]\"");
    scanner->at++;
    return STET_OK;
}

/* The parts behind the first name. */
static stet_status take_parts(struct scanner *scanner, struct buffer *pointer, bool *any) {
    for (;;) {
        if (peek(scanner) == '.') {
            size_t at = ++scanner->at;
            stet_view name = take_name(scanner);
            if (name.size == 0) return scan_fail(scanner, at, "a name");
            append_key(pointer, name);
        } else if (peek(scanner) == '[') {
            stet_status status = take_subscript(scanner, pointer);
            if (status != STET_OK) return status;
        } else {
            return STET_OK;
        }
        *any = true;
    }
}

static stet_status take_path(struct scanner *scanner, struct token *token, bool data) {
    struct buffer pointer;
    stet_status status;
    bool parts = false;
    buffer_init(&pointer, scanner->arena, 0);
    if (!data) append_key(&pointer, take_name(scanner));
    status = take_parts(scanner, &pointer, &parts);
    if (status != STET_OK) return status;
    if (buffer_status(&pointer) != STET_OK) return no_memory(scanner);
    token->kind = TOKEN_PATH;
    token->plain = !data && !parts;
    token->value = buffer_view(&pointer);
    return STET_OK;
}

/* ---- Tokens ------------------------------------------------------------------------------ */

static stet_status take_symbol(struct scanner *scanner, struct token *token) {
    static const char *const symbols[] = {"!=", "<=", ">=", "&&", "||", "=", "<",
                                          ">",  "!",  "(",  ")",  "[",  "]", ","};
    stet_view rest = view_make(scanner->text.bytes + scanner->at, scanner->text.size - scanner->at);
    for (size_t index = 0; index < sizeof symbols / sizeof symbols[0]; index++) {
        stet_view symbol = view_of(symbols[index]);
        if (!view_starts(rest, symbol)) continue;
        scanner->at += symbol.size;
        token->kind = TOKEN_SYMBOL;
        return STET_OK;
    }
    return scan_fail(scanner, scanner->at, "a field, a value or an operator");
}

static stet_status take_token(struct scanner *scanner, struct token *token) {
    int c = peek(scanner);
    if (c == -1) {
        token->kind = TOKEN_END;
        return STET_OK;
    }
    if (c == '"' || c == '\'') {
        token->kind = TOKEN_STRING;
        return take_string(scanner, &token->value);
    }
    if (is_digit(c) || c == '-') {
        token->kind = TOKEN_NUMBER;
        return take_number(scanner);
    }
    if (starts_name(c)) return take_path(scanner, token, false);
    if (c != '$') return take_symbol(scanner, token);
    scanner->at++;
    if (view_equal(take_name(scanner), VIEW("data"))) return take_path(scanner, token, true);
    token->kind = TOKEN_META;
    return STET_OK;
}

stet_status scan_token(struct scanner *scanner, struct token *token) {
    while (peek(scanner) == ' ' || peek(scanner) == '\t' || peek(scanner) == '\n' ||
           peek(scanner) == '\r')
        scanner->at++;
    *token = (struct token){.at = scanner->at};
    stet_status status = take_token(scanner, token);
    token->text = view_make(scanner->text.bytes + token->at, scanner->at - token->at);
    return status;
}
