#include "doc/write.h"

#include "base/clock.h"

#include <assert.h>
#include <string.h>

/* ---- Strings ---- */

/* 0: stands for itself; 'u': \u00XX; else the letter behind the backslash. */
static const char escape_letter[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b',         't',           'n', 'u',
    'f', 'r', 'u', 'u', 'u', 'u', 'u', 'u', 'u',         'u',           'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\',
};

static void escape_put(struct buffer *buffer, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    char letter = escape_letter[c];
    if (letter != 'u') {
        buffer_append(buffer, (char[]){'\\', letter}, 2);
        return;
    }
    buffer_append(buffer, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

/* Whether any of eight bytes needs an escape, by the usual carry trick; the bytes behind the first such one may be misjudged. */
static bool word_needs_escape(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t control = (word - ones * 0x20) & ~word;
    return ((control | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & highs) != 0;
}

static bool needs_escape(stet_view text) {
    size_t i = 0;
    uint64_t word;
    for (; i + sizeof word <= text.size; i += sizeof word) {
        memcpy(&word, text.bytes + i, sizeof word);
        if (word_needs_escape(word)) return true;
    }
    for (; i < text.size; i++)
        if (escape_letter[(unsigned char)text.bytes[i]] != 0) return true;
    return false;
}

/* The text between quotes, with what stands around it, at one go. False when it needs escapes, which is rare. */
static bool plain_string_put(struct buffer *buffer, bool comma, stet_view text, bool colon) {
    if (needs_escape(text)) return false;
    char *out = buffer_reserve(buffer, text.size + 2 + comma + colon);
    if (out == NULL) return true; /* The failure sticks. */
    char *end = out;
    if (comma) *end++ = ',';
    *end++ = '"';
    if (text.size > 0) memcpy(end, text.bytes, text.size);
    end += text.size;
    *end++ = '"';
    if (colon) *end++ = ':';
    buffer_advance(buffer, (size_t)(end - out));
    return true;
}

void json_string_body(struct buffer *buffer, stet_view text) {
    size_t begin = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (escape_letter[c] == 0) continue;
        buffer_append(buffer, text.bytes + begin, i - begin);
        escape_put(buffer, c);
        begin = i + 1;
    }
    if (text.size > begin) buffer_append(buffer, text.bytes + begin, text.size - begin);
}

void json_string(struct buffer *buffer, stet_view text) {
    if (plain_string_put(buffer, false, text, false)) return;
    buffer_append_char(buffer, '"');
    json_string_body(buffer, text);
    buffer_append_char(buffer, '"');
}

/* ---- The writer ---- */

static bool in_object(const struct json_writer *writer) {
    return writer->depth > 0 && (writer->objects >> (writer->depth - 1) & 1) != 0;
}

/* Before every value. */
static void value_begin(struct json_writer *writer) {
    if (in_object(writer)) {
        assert(writer->keyed && "a value in an object needs a key");
        writer->keyed = false;
        return;
    }
    assert((writer->depth > 0 || !writer->comma) && "only one value at the top");
    if (writer->comma) buffer_append_char(writer->buffer, ',');
}

static void container_begin(struct json_writer *writer, char opening, bool object) {
    value_begin(writer);
    assert(writer->depth < JSON_WRITER_DEPTH_MAX);
    uint64_t bit = UINT64_C(1) << writer->depth;
    writer->objects = object ? writer->objects | bit : writer->objects & ~bit;
    writer->depth++;
    writer->comma = false;
    buffer_append_char(writer->buffer, opening);
}

static void container_end(struct json_writer *writer, char closing, bool object) {
    assert(writer->depth > 0 && in_object(writer) == object && !writer->keyed);
    (void)object;
    writer->depth--;
    writer->comma = true;
    buffer_append_char(writer->buffer, closing);
}

void json_begin(struct json_writer *writer, struct buffer *buffer) {
    *writer = (struct json_writer){.buffer = buffer};
}

stet_status json_end(struct json_writer *writer) {
    assert(writer->depth == 0 && writer->comma && "one whole value was written");
    return buffer_status(writer->buffer);
}

void json_object_begin(struct json_writer *writer) { container_begin(writer, '{', true); }
void json_object_end(struct json_writer *writer) { container_end(writer, '}', true); }
void json_array_begin(struct json_writer *writer) { container_begin(writer, '[', false); }
void json_array_end(struct json_writer *writer) { container_end(writer, ']', false); }

/* True when a comma is due before it. */
static bool key_begin(struct json_writer *writer) {
    bool comma = writer->comma;
    assert(in_object(writer) && !writer->keyed);
    writer->comma = true;
    writer->keyed = true;
    return comma;
}

void json_key(struct json_writer *writer, stet_view key) {
    bool comma = key_begin(writer);
    if (plain_string_put(writer->buffer, comma, key, true)) return;
    if (comma) buffer_append_char(writer->buffer, ',');
    json_string(writer->buffer, key);
    buffer_append_char(writer->buffer, ':');
}

void json_key_raw(struct json_writer *writer, stet_view key) {
    if (key_begin(writer)) buffer_append_char(writer->buffer, ',');
    buffer_append_char(writer->buffer, '"');
    buffer_append_view(writer->buffer, key);
    buffer_append(writer->buffer, "\":", 2);
}

void json_text(struct json_writer *writer, stet_view text) {
    value_begin(writer);
    json_string(writer->buffer, text);
    writer->comma = true;
}

void json_u64(struct json_writer *writer, uint64_t value) {
    value_begin(writer);
    buffer_append_u64(writer->buffer, value);
    writer->comma = true;
}

void json_u64_text(struct json_writer *writer, uint64_t value) {
    value_begin(writer);
    buffer_append_char(writer->buffer, '"');
    buffer_append_u64(writer->buffer, value);
    buffer_append_char(writer->buffer, '"');
    writer->comma = true;
}

void json_bool(struct json_writer *writer, bool value) {
    value_begin(writer);
    buffer_append_text(writer->buffer, value ? "true" : "false");
    writer->comma = true;
}

void json_null(struct json_writer *writer) {
    value_begin(writer);
    buffer_append(writer->buffer, "null", 4);
    writer->comma = true;
}

void json_raw(struct json_writer *writer, stet_view json) {
    assert(json.size > 0);
    value_begin(writer);
    buffer_append_view(writer->buffer, json);
    writer->comma = true;
}

void json_members_raw(struct json_writer *writer, stet_view members) {
    assert(members.size > 0);
    if (key_begin(writer)) buffer_append_char(writer->buffer, ',');
    buffer_append_view(writer->buffer, members);
    writer->keyed = false;
}

void json_rfc3339(struct json_writer *writer, int64_t ns) {
    char text[CLOCK_RFC3339_BYTES + 2];
    text[0] = text[sizeof text - 1] = '"';
    clock_format_rfc3339(ns, text + 1);
    json_raw(writer, (stet_view){.bytes = text, .size = sizeof text});
}
