#include "cli/import_map.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "cli/answer.h"
#include "doc/doc.h"
#include "doc/write.h"

#include <stdio.h>
#include <string.h>

void import_map_init(struct import_map *map) {
    *map = (struct import_map){0};
    arena_init(&map->arena, 8 * 1024);
}

void import_map_done(struct import_map *map) { arena_done(&map->arena); }

static stet_status out_of_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory");
}

/* ---- What was said ----------------------------------------------------------------------- */

static stet_status field_add(struct import_map *map, const struct map_field *field,
                             stet_error *err) {
    if (map->fields == NULL)
        map->fields = arena_zalloc(&map->arena, MAP_FIELDS_MAX, sizeof *map->fields);
    if (map->fields == NULL) return out_of_memory(err);
    if (map->field_count == MAP_FIELDS_MAX)
        return error_set(err, STET_BAD_REQUEST, "a map has at most %d fields", MAP_FIELDS_MAX);
    struct map_field *added = &map->fields[map->field_count];
    *added = *field;
    added->column = arena_copy(&map->arena, field->column);
    added->pointer = arena_copy(&map->arena, field->pointer);
    added->constant = arena_copy(&map->arena, field->constant);
    if (added->column.bytes == NULL || added->pointer.bytes == NULL ||
        added->constant.bytes == NULL)
        return out_of_memory(err);
    map->field_count += 1;
    return STET_OK;
}

static stet_status convert_set(struct import_map *map, struct map_field *field, stet_view words,
                               stet_error *err) {
    stet_view copy = arena_copy(&map->arena, words);
    if (copy.bytes == NULL) return out_of_memory(err);
    field->converts = true;
    return convert_parse(copy, &field->convert, err);
}

/* Where the conversion begins in "/pointer:number(.,)"; pointers may hold colons, so only a word that is one counts. */
static size_t conversion_at(stet_view words) {
    struct convert ignored;
    for (size_t i = 0; i < words.size; i++)
        if (words.bytes[i] == ':' &&
            convert_parse(view_make(words.bytes + i + 1, words.size - i - 1), &ignored, NULL) ==
                STET_OK)
            return i;
    return words.size;
}

/* The place of "=/". */
static bool parts_find(stet_view words, size_t *at) {
    for (*at = 1; *at + 1 < words.size; ++*at)
        if (words.bytes[*at] == '=' && words.bytes[*at + 1] == '/') return true;
    return false;
}

/* A word that is meant to be a conversion and is none must not end up in a name. */
static stet_status conversion_check(stet_view pointer, stet_error *err) {
    static const char *const names[] = {"text", "number", "boolean", "date", "list", "json"};
    struct convert ignored;
    for (size_t i = 0; i < pointer.size; i++)
        for (size_t k = 0; pointer.bytes[i] == ':' && k < sizeof names / sizeof names[0]; k++) {
            stet_view rest = view_make(pointer.bytes + i + 1, pointer.size - i - 1);
            if (view_starts(rest, view_of(names[k])) && memchr(rest.bytes, '(', rest.size) != NULL)
                return convert_parse(rest, &ignored, err);
        }
    return STET_OK;
}

stet_status import_map_field(struct import_map *map, stet_view words, stet_error *err) {
    size_t equals;
    if (!parts_find(words, &equals))
        return error_set(err, STET_BAD_REQUEST,
                         "--field is \"COLUMN=/POINTER\" or \"COLUMN=/POINTER:KIND\", not \"%.*s\"",
                         VIEW_ARG(words));
    stet_view to = view_make(words.bytes + equals + 1, words.size - equals - 1);
    size_t colon = conversion_at(to);
    struct map_field field = {.column = view_make(words.bytes, equals),
                              .pointer = view_make(to.bytes, colon)};
    stet_status status = STET_OK;
    if (colon < to.size)
        status =
            convert_set(map, &field, view_make(to.bytes + colon + 1, to.size - colon - 1), err);
    else
        status = conversion_check(to, err);
    return status == STET_OK ? field_add(map, &field, err) : status;
}

stet_status import_map_constant(struct import_map *map, stet_view words, stet_error *err) {
    const char *equals = words.size == 0 ? NULL : memchr(words.bytes, '=', words.size);
    struct buffer json;
    if (equals == NULL || words.bytes[0] != '/')
        return error_set(err, STET_BAD_REQUEST, "--set is \"/POINTER=TEXT\", not \"%.*s\"",
                         VIEW_ARG(words));
    size_t at = (size_t)(equals - words.bytes);
    buffer_init(&json, &map->arena, 0);
    json_string(&json, view_make(equals + 1, words.size - at - 1));
    if (buffer_status(&json) != STET_OK) return out_of_memory(err);
    struct map_field field = {.pointer = view_make(words.bytes, at),
                              .constant = buffer_view(&json)};
    return field_add(map, &field, err);
}

static stet_status id_part_add(struct import_map *map, stet_view text, stet_view column,
                               stet_error *err) {
    if (map->id == NULL) map->id = arena_zalloc(&map->arena, MAP_ID_PARTS_MAX, sizeof *map->id);
    if (map->id == NULL) return out_of_memory(err);
    if (map->id_parts == MAP_ID_PARTS_MAX)
        return error_set(err, STET_BAD_REQUEST, "an id is made of at most %d columns",
                         MAP_ID_PARTS_MAX - 1);
    struct map_id_part *part = &map->id[map->id_parts++];
    part->text = arena_copy(&map->arena, text);
    part->column = arena_copy(&map->arena, column);
    return part->text.bytes == NULL || part->column.bytes == NULL ? out_of_memory(err) : STET_OK;
}

stet_status import_map_id_column(struct import_map *map, stet_view column, stet_error *err) {
    if (column.size == 0) return error_set(err, STET_BAD_REQUEST, "a column of the id has no name");
    return id_part_add(map, map->id_parts > 0 ? VIEW("-") : VIEW(""), column, err);
}

stet_status import_map_id_template(struct import_map *map, stet_view words, stet_error *err) {
    struct buffer text;
    stet_status status = STET_OK;
    size_t columns = 0;
    if (map->id_parts > 0)
        return error_set(err, STET_BAD_REQUEST, "what the id is made of was said twice");
    buffer_init(&text, &map->arena, 0);
    for (size_t i = 0; status == STET_OK && i < words.size; i++) {
        char c = words.bytes[i];
        bool twice = i + 1 < words.size && words.bytes[i + 1] == c;
        if ((c != '{' && c != '}') || twice) {
            buffer_append_char(&text, c);
            i += c == '{' || c == '}';
            continue;
        }
        const char *end = memchr(words.bytes + i, '}', words.size - i);
        size_t size = end == NULL ? 0 : (size_t)(end - words.bytes) - i - 1;
        if (c == '}' || end == NULL || size == 0)
            return error_set(err, STET_BAD_REQUEST,
                             "an id template has columns in braces, \"{Country}-{No}\": \"%.*s\" "
                             "does not",
                             VIEW_ARG(words));
        stet_view before = text.size == 0 ? VIEW("") : buffer_view(&text);
        status = id_part_add(map, before, view_make(words.bytes + i + 1, size), err);
        buffer_init(&text, &map->arena, 0);
        columns++;
        i += size + 1;
    }
    if (status == STET_OK && columns == 0)
        return error_set(err, STET_BAD_REQUEST, "the id template \"%.*s\" names no column",
                         VIEW_ARG(words));
    if (status == STET_OK && buffer_status(&text) != STET_OK) return out_of_memory(err);
    if (status == STET_OK && text.size > 0)
        status = id_part_add(map, buffer_view(&text), (stet_view){0}, err);
    return status;
}

static stet_status empty_parse(stet_view words, enum map_empty *empty, stet_error *err) {
    static const char *const names[] = {
        [EMPTY_SKIP] = "skip", [EMPTY_REMOVE] = "remove", [EMPTY_TEXT] = "text"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!view_equal(words, view_of(names[i]))) continue;
        *empty = (enum map_empty)i;
        return STET_OK;
    }
    return error_set(err, STET_BAD_REQUEST, "\"empty\" is skip, remove or text, not \"%.*s\"",
                     VIEW_ARG(words));
}

stet_status import_map_empty(struct import_map *map, stet_view words, stet_error *err) {
    return empty_parse(words, &map->empty, err);
}

stet_status import_separator_parse(stet_view words, char *separator, stet_error *err) {
    bool tab = view_equal(words, VIEW("tab")) || view_equal(words, VIEW("\\t"));
    char c = tab ? '\t' : words.size == 1 ? words.bytes[0] : '\0';
    if ((c > ' ' && c < 0x7F && c != '"') || c == '\t') {
        *separator = c;
        return STET_OK;
    }
    return error_set(err, STET_BAD_REQUEST,
                     "a separator is one ASCII character or the word tab, not \"%.*s\"",
                     VIEW_ARG(words));
}

stet_status import_encoding_parse(stet_view words, enum rows_encoding *encoding, stet_error *err) {
    if (view_equal(words, VIEW("utf-8")) || view_equal(words, VIEW("latin1"))) {
        *encoding = words.bytes[0] == 'l' ? ROWS_LATIN1 : ROWS_UTF8;
        return STET_OK;
    }
    return error_set(err, STET_BAD_REQUEST, "an encoding is utf-8 or latin1, not \"%.*s\"",
                     VIEW_ARG(words));
}

/* ---- The file of a map ------------------------------------------------------------------- */

static stet_status text_of(struct import_map *map, const struct doc *doc, doc_node node,
                           const char *what, stet_view *text, stet_error *err) {
    if (doc_kind(doc, node) != DOC_STRING)
        return error_set(err, STET_BAD_REQUEST, "\"%s\" of the map must be a text", what);
    return doc_string(&map->arena, doc, node, text) == STET_OK ? STET_OK : out_of_memory(err);
}

static stet_status field_read(struct import_map *map, const struct doc *doc, doc_node node,
                              stet_view column, stet_error *err) {
    struct map_field field = {.column = column};
    stet_view words;
    if (doc_kind(doc, node) == DOC_STRING) {
        stet_status status = text_of(map, doc, node, "fields", &words, err);
        if (status != STET_OK) return status;
        size_t colon = conversion_at(words);
        field.pointer = view_make(words.bytes, colon);
        if (colon < words.size)
            status = convert_set(map, &field,
                                 view_make(words.bytes + colon + 1, words.size - colon - 1), err);
        else
            status = conversion_check(words, err);
        return status == STET_OK ? field_add(map, &field, err) : status;
    }
    if (doc_kind(doc, node) != DOC_OBJECT)
        return error_set(err, STET_BAD_REQUEST,
                         "field \"%.*s\" of the map must be a pointer or an object with \"to\"",
                         VIEW_ARG(column));
    for (doc_node one = doc_first(doc, node); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view key = doc_key_raw(doc, one);
        stet_status status = text_of(map, doc, one, "fields", &words, err);
        if (status != STET_OK) return status;
        if (view_equal(key, VIEW("to"))) {
            field.pointer = words;
        } else if (view_equal(key, VIEW("as"))) {
            status = convert_set(map, &field, words, err);
        } else if (view_equal(key, VIEW("empty"))) {
            field.empty_set = true;
            status = empty_parse(words, &field.empty, err);
        } else {
            status = error_set(err, STET_BAD_REQUEST,
                               "field \"%.*s\" of the map has \"to\", \"as\" and \"empty\", but no "
                               "\"%.*s\"",
                               VIEW_ARG(column), VIEW_ARG(key));
        }
        if (status != STET_OK) return status;
    }
    return field_add(map, &field, err);
}

static stet_status members_read(struct import_map *map, const struct doc *doc, doc_node object,
                                bool constants, stet_error *err) {
    if (doc_kind(doc, object) != DOC_OBJECT)
        return error_set(err, STET_BAD_REQUEST, "\"%s\" of the map must be an object",
                         constants ? "constants" : "fields");
    for (doc_node one = doc_first(doc, object); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view key;
        if (doc_key(&map->arena, doc, one, &key) != STET_OK) return out_of_memory(err);
        stet_status status;
        if (constants) {
            struct map_field field = {.pointer = key, .constant = doc_text(doc, one)};
            status = field_add(map, &field, err);
        } else if (key.size == 0) {
            status = error_set(err, STET_BAD_REQUEST, "a field of the map has no name");
        } else {
            status = field_read(map, doc, one, key, err);
        }
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static stet_status id_read(struct import_map *map, const struct doc *doc, doc_node node,
                           stet_error *err) {
    stet_view column;
    stet_status status = STET_OK;
    if (map->id_parts > 0)
        return error_set(err, STET_BAD_REQUEST, "what the id is made of was said twice");
    if (doc_kind(doc, node) == DOC_STRING) {
        status = text_of(map, doc, node, "id", &column, err);
        return status == STET_OK ? import_map_id_column(map, column, err) : status;
    }
    if (doc_kind(doc, node) != DOC_ARRAY || doc_count(doc, node) == 0)
        return error_set(err, STET_BAD_REQUEST,
                         "\"id\" of the map must be a column or a list of some");
    for (doc_node one = doc_first(doc, node); one != DOC_NONE && status == STET_OK;
         one = doc_next(doc, one)) {
        status = text_of(map, doc, one, "id", &column, err);
        if (status == STET_OK) status = import_map_id_column(map, column, err);
    }
    return status;
}

static stet_status member_read(struct import_map *map, const struct doc *doc, doc_node one,
                               stet_error *err) {
    stet_view key = doc_key_raw(doc, one), words = {0};
    if (view_equal(key, VIEW("fields"))) return members_read(map, doc, one, false, err);
    if (view_equal(key, VIEW("constants"))) return members_read(map, doc, one, true, err);
    if (view_equal(key, VIEW("id"))) return id_read(map, doc, one, err);
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)(key.size < 31 ? key.size : 31), key.bytes);
    stet_status status = text_of(map, doc, one, name, &words, err);
    if (status != STET_OK) return status;
    if (view_equal(key, VIEW("type"))) {
        map->type = arena_copy(&map->arena, words);
        return map->type.bytes == NULL ? out_of_memory(err) : STET_OK;
    }
    if (view_equal(key, VIEW("id_template"))) return import_map_id_template(map, words, err);
    if (view_equal(key, VIEW("empty"))) return import_map_empty(map, words, err);
    if (view_equal(key, VIEW("separator")))
        return import_separator_parse(words, &map->separator, err);
    if (view_equal(key, VIEW("encoding"))) {
        map->encoding_set = true;
        return import_encoding_parse(words, &map->encoding, err);
    }
    return error_set(err, STET_BAD_REQUEST,
                     "a map has type, id, id_template, fields, constants, empty, separator and "
                     "encoding, but no \"%.*s\"",
                     VIEW_ARG(key));
}

stet_status import_map_read(struct import_map *map, stet_view text, stet_error *err) {
    struct doc doc;
    stet_error why;
    stet_view copy = arena_copy(&map->arena, text);
    if (copy.bytes == NULL) return out_of_memory(err);
    if (doc_parse(&map->arena, copy, NULL, &doc, &why) != STET_OK)
        return error_set(err, STET_BAD_REQUEST, "the map is not JSON: %s", why.message);
    if (doc_kind(&doc, 0) != DOC_OBJECT)
        return error_set(err, STET_BAD_REQUEST, "the map must be a JSON object");
    stet_status status = STET_OK;
    for (doc_node one = doc_first(&doc, 0); one != DOC_NONE && status == STET_OK;
         one = doc_next(&doc, one))
        status = member_read(map, &doc, one, err);
    return status;
}

/* ---- Looking the columns up -------------------------------------------------------------- */

static stet_status cell_find(const struct import_map *map, stet_view column, size_t *cell,
                             stet_error *err) {
    if (map->json) return STET_OK;
    for (*cell = 0; *cell < map->header_count; ++*cell)
        if (view_equal(map->header[*cell], column)) return STET_OK;
    struct buffer names;
    struct arena arena;
    arena_init(&arena, 1024);
    buffer_init(&names, &arena, 0);
    for (size_t i = 0; i < map->header_count && names.size < 300; i++) {
        buffer_append_text(&names, i == 0 ? "" : ", ");
        buffer_append_view(&names, map->header[i]);
    }
    error_set(err, STET_BAD_REQUEST, "there is no column \"%.*s\"; there are: %.*s",
              VIEW_ARG(column), VIEW_ARG(buffer_view(&names)));
    arena_done(&arena);
    return STET_BAD_REQUEST;
}

static stet_status header_take(struct import_map *map, const stet_view *cells, size_t count,
                               stet_error *err) {
    map->header = arena_zalloc(&map->arena, count + 1, sizeof *map->header);
    if (map->header == NULL) return out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        map->header[i] = arena_copy(&map->arena, cells[i]);
        if (map->header[i].bytes == NULL) return out_of_memory(err);
        for (size_t k = 0; k < i; k++)
            if (cells[i].size > 0 && view_equal(cells[i], cells[k]))
                return error_set(err, STET_BAD_REQUEST,
                                 "columns %zu and %zu have the same name, \"%.*s\"", k + 1, i + 1,
                                 VIEW_ARG(cells[i]));
    }
    map->header_count = count;
    return STET_OK;
}

/* Without a word about fields, every column that has a name is a member of that name. */
static stet_status fields_default(struct import_map *map, stet_error *err) {
    for (size_t i = 0; i < map->header_count; i++) {
        struct buffer pointer;
        stet_view name = map->header[i];
        if (name.size == 0) continue;
        buffer_init(&pointer, &map->arena, 0);
        buffer_append_char(&pointer, '/');
        for (size_t k = 0; k < name.size; k++) {
            if (name.bytes[k] == '~' || name.bytes[k] == '/') {
                buffer_append_text(&pointer, name.bytes[k] == '~' ? "~0" : "~1");
            } else {
                buffer_append_char(&pointer, name.bytes[k]);
            }
        }
        if (buffer_status(&pointer) != STET_OK) return out_of_memory(err);
        struct map_field field = {.column = name, .pointer = buffer_view(&pointer)};
        stet_status status = field_add(map, &field, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* Takes the first token off a pointer, decoded. False: the pointer is not valid, or there is no memory. */
static bool token_take(struct arena *arena, stet_view *rest, stet_view *token) {
    size_t size = 1, out = 0;
    while (size < rest->size && rest->bytes[size] != '/')
        size++;
    char *bytes = arena_bytes(arena, size);
    if (bytes == NULL || rest->bytes[0] != '/') return false;
    for (size_t i = 1; i < size; i++) {
        char c = rest->bytes[i];
        if (c == '~') {
            c = ++i < size ? rest->bytes[i] : '\0';
            if (c != '0' && c != '1') return false;
            c = c == '0' ? '~' : '/';
        }
        bytes[out++] = c;
    }
    *token = view_make(bytes, out);
    *rest = view_make(rest->bytes + size, rest->size - size);
    return true;
}

static stet_status place_add(struct import_map *map, const struct map_field *field,
                             stet_error *err) {
    struct map_place *place = &map->root;
    stet_view rest = field->pointer, name;
    unsigned depth = 0;
    bool valid = rest.size > 0;
    while (valid && rest.size > 0) {
        if (place->field != NULL) break;
        if (++depth >= JSON_WRITER_DEPTH_MAX / 2)
            return error_set(err, STET_BAD_REQUEST, "the pointer \"%.*s\" is too deep",
                             VIEW_ARG(field->pointer));
        valid = token_take(&map->arena, &rest, &name);
        if (!valid) break;
        struct map_place **link = &place->first;
        while (*link != NULL && !view_equal((*link)->token, name))
            link = &(*link)->next;
        if (*link == NULL) {
            *link = arena_zalloc(&map->arena, 1, sizeof **link);
            if (*link == NULL) return out_of_memory(err);
            (*link)->token = name;
        }
        place = *link;
    }
    if (!valid)
        return error_set(err, STET_BAD_REQUEST,
                         "\"%.*s\" is not a pointer into a record: /name or /address/city",
                         VIEW_ARG(field->pointer));
    if (place->field != NULL || place->first != NULL)
        return error_set(err, STET_BAD_REQUEST,
                         "two fields go to the same place, or one into the other: \"%.*s\"",
                         VIEW_ARG(field->pointer));
    place->field = field;
    return STET_OK;
}

static stet_status id_default(struct import_map *map, stet_error *err) {
    if (map->json) return import_map_id_column(map, VIEW("id"), err);
    for (size_t i = 0; i < map->header_count; i++)
        if (view_equal_nocase(map->header[i], VIEW("id")))
            return import_map_id_column(map, map->header[i], err);
    return error_set(err, STET_BAD_REQUEST,
                     "which column is the id? say --id-from COLUMN or --id-template");
}

stet_status import_map_begin(struct import_map *map, const stet_view *cells, size_t count,
                             stet_error *err) {
    stet_status status = STET_OK;
    map->json = cells == NULL;
    if (!map->json) status = header_take(map, cells, count, err);
    size_t columns = 0;
    for (size_t i = 0; i < map->field_count; i++)
        columns += map->fields[i].column.size > 0;
    if (status == STET_OK && columns == 0 && !map->json) status = fields_default(map, err);
    if (map->json && columns == 0 && map->field_count > 0)
        status = error_set(err, STET_BAD_REQUEST,
                           "constants need fields beside them: without, an object is taken whole");
    for (size_t i = 0; status == STET_OK && i < map->field_count; i++) {
        struct map_field *field = &map->fields[i];
        if (field->column.size > 0) status = cell_find(map, field->column, &field->cell, err);
        if (status == STET_OK) status = place_add(map, field, err);
    }
    if (status == STET_OK && map->id_parts == 0) status = id_default(map, err);
    for (size_t i = 0; status == STET_OK && i < map->id_parts; i++)
        if (map->id[i].column.size > 0)
            status = cell_find(map, map->id[i].column, &map->id[i].cell, err);
    return status;
}

/* ---- A row ------------------------------------------------------------------------------- */

struct rendering {
    const struct import_map *map;
    struct arena *arena;
    const struct row *row;
    const struct doc *doc; /* Of JSON. */
    struct buffer *out;
    stet_view *column;
    stet_error *err;
};

static doc_node member_of(const struct rendering *rendering, stet_view column) {
    if (column.bytes[0] == '/') return doc_pointer(rendering->doc, column);
    return doc_member(rendering->doc, 0, column);
}

static stet_view blanks_off(stet_view text) {
    while (text.size > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t'))
        text = view_make(text.bytes + 1, text.size - 1);
    while (text.size > 0 && (text.bytes[text.size - 1] == ' ' || text.bytes[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static stet_status id_append(struct rendering *rendering, const struct map_id_part *part,
                             struct buffer *id) {
    stet_view text = {0};
    buffer_append_view(id, part->text);
    if (part->column.size == 0) return STET_OK;
    *rendering->column = part->column;
    if (!rendering->map->json) {
        text = rendering->row->cells[part->cell];
    } else {
        doc_node node = member_of(rendering, part->column);
        enum doc_kind kind = node == DOC_NONE ? DOC_NULL : doc_kind(rendering->doc, node);
        if (kind == DOC_STRING) {
            if (doc_string(rendering->arena, rendering->doc, node, &text) != STET_OK)
                return out_of_memory(rendering->err);
        } else if (kind == DOC_NUMBER) {
            text = doc_text(rendering->doc, node);
        } else if (kind != DOC_NULL) {
            return error_set(rendering->err, STET_BAD_REQUEST,
                             "an id is made of texts and numbers");
        }
    }
    text = blanks_off(text);
    if (text.size == 0)
        return error_set(rendering->err, STET_BAD_REQUEST, "is empty, and the id is made of it");
    buffer_append_view(id, text);
    return STET_OK;
}

static stet_status id_make(struct rendering *rendering, stet_view *out) {
    struct buffer id;
    buffer_init(&id, rendering->arena, 0);
    for (size_t i = 0; i < rendering->map->id_parts; i++) {
        stet_status status = id_append(rendering, &rendering->map->id[i], &id);
        if (status != STET_OK) return status;
    }
    if (buffer_status(&id) != STET_OK) return out_of_memory(rendering->err);
    if (id.size > ID_BYTES_MAX)
        return error_set(rendering->err, STET_BAD_REQUEST,
                         "the id would have %zu bytes; at most %d may be", id.size, ID_BYTES_MAX);
    *rendering->column = (stet_view){0};
    *out = buffer_view(&id);
    return STET_OK;
}

/* The value of a field. *given false: there is none, and `out` is as it was. */
static stet_status value_append(struct rendering *rendering, const struct map_field *field,
                                struct buffer *out, bool *given) {
    const struct import_map *map = rendering->map;
    enum map_empty empty = field->empty_set ? field->empty : map->empty;
    stet_view text = {0};
    *given = true;
    *rendering->column = field->column;
    if (field->column.size == 0) {
        buffer_append_view(out, field->constant);
        return STET_OK;
    }
    if (map->json) {
        doc_node node = member_of(rendering, field->column);
        if (node == DOC_NONE) {
            *given = false;
            return STET_OK;
        }
        bool text_there = doc_kind(rendering->doc, node) == DOC_STRING;
        if (!text_there && field->converts && field->convert.kind != CONVERT_JSON &&
            doc_kind(rendering->doc, node) != DOC_NULL &&
            !(field->convert.kind == CONVERT_NUMBER &&
              doc_kind(rendering->doc, node) == DOC_NUMBER) &&
            !(field->convert.kind == CONVERT_BOOLEAN &&
              (doc_kind(rendering->doc, node) == DOC_TRUE ||
               doc_kind(rendering->doc, node) == DOC_FALSE)))
            return error_set(rendering->err, STET_BAD_REQUEST, "is not a text to be converted");
        if (!text_there || !field->converts) {
            buffer_append_view(out, doc_text(rendering->doc, node));
            return STET_OK;
        }
        if (doc_string(rendering->arena, rendering->doc, node, &text) != STET_OK)
            return out_of_memory(rendering->err);
    } else {
        text = rendering->row->cells[field->cell];
    }
    if (text.size == 0 && empty != EMPTY_TEXT) {
        *given = empty == EMPTY_REMOVE && map->updates;
        if (*given) buffer_append_text(out, "null");
        return STET_OK;
    }
    return convert_write(&field->convert, rendering->arena, text, out, rendering->err);
}

/* The members at a place; an object in which nothing is given is left out. */
static stet_status place_append(struct rendering *rendering, const struct map_place *place,
                                bool *given) {
    struct buffer *out = rendering->out;
    size_t before = out->size;
    if (place->field != NULL) return value_append(rendering, place->field, out, given);
    bool any = false;
    buffer_append_char(out, '{');
    for (const struct map_place *child = place->first; child != NULL; child = child->next) {
        size_t here = out->size;
        bool child_given = false;
        if (any) buffer_append_char(out, ',');
        json_string(out, child->token);
        buffer_append_char(out, ':');
        stet_status status = place_append(rendering, child, &child_given);
        if (status != STET_OK) return status;
        if (!child_given) out->size = here;
        any = any || child_given;
    }
    buffer_append_char(out, '}');
    *given = any || place == &rendering->map->root;
    if (!*given) out->size = before;
    return STET_OK;
}

stet_status import_map_line(const struct import_map *map, struct arena *arena,
                            const struct row *row, struct buffer *line, stet_view *id,
                            stet_view *column, stet_error *err) {
    struct doc doc;
    struct rendering rendering = {.map = map,
                                  .arena = arena,
                                  .row = row,
                                  .doc = &doc,
                                  .out = line,
                                  .column = column,
                                  .err = err};
    size_t begin = line->size;
    bool given;
    *column = (stet_view){0};
    if (map->json) {
        stet_status status = doc_parse(arena, row->json, NULL, &doc, err);
        if (status != STET_OK) return status;
        if (doc_kind(&doc, 0) != DOC_OBJECT)
            return error_set(err, STET_BAD_REQUEST, "is not an object");
    } else if (row->cell_count != map->header_count) {
        bool one = row->last_line <= row->line;
        return error_set(err, STET_BAD_REQUEST,
                         one ? "has %zu cells, and the header %zu"
                             : "has %zu cells, and the header %zu; lines %llu to %llu are left out",
                         row->cell_count, map->header_count, (unsigned long long)row->line,
                         (unsigned long long)row->last_line);
    }
    stet_status status = id_make(&rendering, id);
    if (status != STET_OK) return status;
    buffer_append_text(line, "{\"type\":");
    json_string(line, map->type);
    buffer_append_text(line, ",\"id\":");
    json_string(line, *id);
    buffer_append_text(line, ",\"data\":");
    if (map->json && map->root.first == NULL) {
        buffer_append_view(line, doc_text(&doc, 0));
    } else {
        status = place_append(&rendering, &map->root, &given);
    }
    if (status != STET_OK) return status;
    buffer_append_char(line, '}');
    /* Outside of texts an end of line is a blank, and inside JSON has none. */
    for (size_t i = begin; buffer_status(line) == STET_OK && i < line->size; i++)
        if (line->bytes[i] == '\n' || line->bytes[i] == '\r') line->bytes[i] = ' ';
    *column = (stet_view){0};
    return buffer_status(line) == STET_OK ? STET_OK : out_of_memory(err);
}

stet_view import_map_column_of(const struct import_map *map, stet_view pointer) {
    for (size_t i = 0; i < map->field_count; i++) {
        stet_view own = map->fields[i].pointer;
        if (view_starts(pointer, own) &&
            (pointer.size == own.size || pointer.bytes[own.size] == '/'))
            return map->fields[i].column;
    }
    return (stet_view){0};
}
