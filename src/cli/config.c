#include "cli/config.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/view.h"
#include "cli/file.h"

#include <string.h>

static stet_view trim(stet_view text) {
    while (text.size > 0 && strchr(" \t\r", text.bytes[0]) != NULL)
        text = view_make(text.bytes + 1, text.size - 1);
    while (text.size > 0 && strchr(" \t\r", text.bytes[text.size - 1]) != NULL)
        text.size -= 1;
    return text;
}

static stet_status line_parse(struct arena *arena, stet_view line, unsigned number,
                              config_visit *visit, void *context, stet_error *err) {
    line = trim(line);
    if (line.size == 0 || line.bytes[0] == '#') return STET_OK;
    if (memchr(line.bytes, '\0', line.size) != NULL) {
        return error_set(err, STET_BAD_REQUEST, "line %u: holds a NUL byte", number);
    }
    const char *equals = memchr(line.bytes, '=', line.size);
    if (equals == NULL)
        return error_set(err, STET_BAD_REQUEST, "line %u: must be key = value", number);
    size_t key_size = (size_t)(equals - line.bytes);
    stet_view key = arena_copy(arena, trim(view_make(line.bytes, key_size)));
    stet_view text = arena_copy(arena, trim(view_make(equals + 1, line.size - key_size - 1)));
    if (key.bytes == NULL || text.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    return visit(context, key.bytes, text.bytes, number, err);
}

stet_status config_parse(struct arena *arena, stet_view text, config_visit *visit, void *context,
                         stet_error *err) {
    unsigned number = 0;
    while (text.size > 0) {
        const char *end = memchr(text.bytes, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.bytes) : text.size;
        number += 1;
        stet_status status =
            line_parse(arena, view_make(text.bytes, size), number, visit, context, err);
        if (status != STET_OK) return status;
        size += end != NULL;
        text = view_make(text.bytes + size, text.size - size);
    }
    return STET_OK;
}

stet_status config_read(struct arena *arena, const char *path, config_visit *visit, void *context,
                        stet_error *err) {
    struct buffer buffer;
    stet_error inner;
    buffer_init(&buffer, NULL, 1024 * 1024);
    stet_status status = file_read(path, &buffer, err);
    if (status == STET_OK) {
        status = config_parse(arena, buffer_view(&buffer), visit, context, &inner);
        if (status != STET_OK)
            error_set(err, status, "configuration file \"%s\": %s", path, inner.message);
    }
    buffer_done(&buffer);
    return status;
}
