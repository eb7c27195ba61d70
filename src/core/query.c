#include "core/query.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/index.h"
#include "core/render.h"

#include <assert.h>

/* ---- Parsing ----------------------------------------------------------------------------- */

/* Takes the next piece off a list with commas between; those inside quotes part nothing. */
static bool next_piece(stet_view *rest, stet_view *piece) {
    char quote = '\0';
    size_t end = 0;
    if (rest->bytes == NULL) return false;
    for (; end < rest->size; end++) {
        char c = rest->bytes[end];
        if (quote != '\0' && c == '\\') {
            end++;
        } else if (quote != '\0') {
            if (c == quote) quote = '\0';
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == ',') {
            break;
        }
    }
    if (end > rest->size) end = rest->size;
    *piece = view_make(rest->bytes, end);
    *rest =
        end < rest->size ? view_make(rest->bytes + end + 1, rest->size - end - 1) : (stet_view){0};
    return true;
}

static stet_status too_many(const char *field, uint64_t limit, stet_error *err) {
    error_set(err, STET_TOO_LARGE, "\"%s\" names at most %llu fields", field,
              (unsigned long long)limit);
    error_field(err, field, limit);
    return STET_TOO_LARGE;
}

static stet_view trim(stet_view text) {
    while (text.size > 0 && text.bytes[0] == ' ') {
        text.bytes++;
        text.size--;
    }
    return text;
}

static stet_status parse_sort(struct arena *arena, stet_view text, struct query *query,
                              stet_error *err) {
    struct expr_options options = {.field = "sort"};
    struct query_sort *sort = arena_zalloc(arena, LIST_SORT_MAX, sizeof *sort);
    stet_view rest = text;
    stet_view piece;
    if (sort == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    while (next_piece(&rest, &piece)) {
        stet_status status;
        if (query->sort_count == LIST_SORT_MAX) return too_many("sort", LIST_SORT_MAX, err);
        struct query_sort *one = &sort[query->sort_count++];
        piece = trim(piece);
        one->descending = piece.size > 0 && piece.bytes[0] == '-';
        if (one->descending || (piece.size > 0 && piece.bytes[0] == '+')) {
            piece.bytes++;
            piece.size--;
        }
        status = expr_field_parse(arena, piece, &options, &one->field, err);
        if (status != STET_OK) return status;
    }
    query->sort = sort;
    return STET_OK;
}

static stet_status parse_fields(struct arena *arena, stet_view text, struct query *query,
                                stet_error *err) {
    struct expr_options options = {.field = "fields"};
    stet_view *fields = arena_zalloc(arena, LIST_FIELDS_MAX, sizeof *fields);
    stet_view rest = text;
    stet_view piece;
    if (fields == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    while (next_piece(&rest, &piece)) {
        struct expr_field field;
        stet_status status;
        if (query->field_count == LIST_FIELDS_MAX) return too_many("fields", LIST_FIELDS_MAX, err);
        status = expr_field_parse(arena, trim(piece), &options, &field, err);
        if (status != STET_OK) return status;
        if (field.meta != EXPR_META_NONE) {
            error_set(err, STET_BAD_REQUEST,
                      "\"fields\" names fields of the data; the rest is "
                      "always there");
            error_field(err, "fields", 0);
            return STET_BAD_REQUEST;
        }
        fields[query->field_count++] = field.pointer;
    }
    query->fields = fields;
    return STET_OK;
}

stet_status query_parse(struct arena *arena, const stet_list *list, struct query **out,
                        stet_error *err) {
    struct expr_options options = {.field = "where"};
    struct query *query;
    stet_status status = STET_OK;
    if (view_is_empty(list->where) && view_is_empty(list->sort) && view_is_empty(list->fields))
        return STET_OK;
    query = arena_zalloc(arena, 1, sizeof *query);
    if (query == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    query->hash = view_hash(list->sort, view_hash(list->where, view_hash(list->type, 0)));
    if (!view_is_empty(list->where)) {
        struct expr *where = NULL;
        status = expr_parse(arena, list->where, &options, &where, err);
        query->where = where;
    }
    if (status == STET_OK && !view_is_empty(list->sort))
        status = parse_sort(arena, list->sort, query, err);
    if (status == STET_OK && !view_is_empty(list->fields))
        status = parse_fields(arena, list->fields, query, err);
    if (status == STET_OK) *out = query;
    return status;
}

/* ---- Records ----------------------------------------------------------------------------- */

stet_status query_record_init(struct query_record *record, stet_error *err) {
    record->has_created = false;
    record->status = STET_OK;
    stet_view data = record->change->data;
    /* What is a module's own cannot be asked about either. */
    stet_status status = type_is_system(record->change->type)
                             ? viewer_data(NULL, record->arena, record->change, &data)
                             : STET_OK;
    if (status != STET_OK) return error_set(err, status, "could not read a record");
    return change_parse(record->arena, data, &record->doc, err);
}

static const struct created *created_of(struct query_record *record) {
    if (!record->has_created && record->status == STET_OK) {
        record->status =
            record->find_created(record->context, record->arena, record->change, &record->created);
        record->has_created = record->status == STET_OK;
    }
    return record->has_created ? &record->created : NULL;
}

static void string_value(struct expr_value *value, stet_view text) {
    if (text.bytes == NULL) return;
    value->kind = EXPR_STRING;
    value->text = text;
}

void query_record_meta(void *context, enum expr_meta meta, struct expr_value *value) {
    struct query_record *record = context;
    const struct store_change *change = record->change;
    const struct created *created;
    switch (meta) {
    case EXPR_META_NONE: break;
    case EXPR_META_ID: string_value(value, change->id); break;
    case EXPR_META_TYPE: string_value(value, change->type); break;
    case EXPR_META_VERSION:
    case EXPR_META_SEQ:
        value->kind = EXPR_U64;
        value->u64 = meta == EXPR_META_SEQ ? change->seq : change->version;
        break;
    case EXPR_META_CREATED_AT:
        created = created_of(record);
        if (created == NULL) break;
        value->kind = EXPR_TIME;
        value->ns = created->at;
        break;
    case EXPR_META_CREATED_BY:
        created = created_of(record);
        if (created != NULL) string_value(value, created->by);
        break;
    case EXPR_META_UPDATED_AT:
        value->kind = EXPR_TIME;
        value->ns = change_updated_at(record->arena, change);
        break;
    case EXPR_META_UPDATED_BY: string_value(value, change_updated_by(record->arena, change)); break;
    case EXPR_META_PARENT:
        if (!view_is_empty(change->parent)) string_value(value, change->parent);
        break;
    }
}

bool query_record_matches(struct query_record *record, const struct expr *where) {
    struct expr_subject subject = {
        .data = &record->doc, .meta = query_record_meta, .context = record};
    bool matches = expr_matches(where, &subject);
    return matches && record->status == STET_OK;
}

/* ---- Sort keys --------------------------------------------------------------------------- */

/* A metadata's key, in the manner of core/index.h: no key is the beginning of another one. */
static void append_meta_key(struct buffer *key, const struct expr_value *value) {
    uint64_t number = value->kind == EXPR_TIME ? (uint64_t)value->ns : value->u64;
    if (value->kind == EXPR_NULL) {
        buffer_append_char(key, 1);
        return;
    }
    if (value->kind != EXPR_STRING) {
        buffer_append_char(key, 2);
        for (int shift = 56; shift >= 0; shift -= 8)
            buffer_append_char(key, (char)(uint8_t)(number >> shift));
        return;
    }
    buffer_append_char(key, 3);
    for (size_t index = 0; index < value->text.size; index++) {
        buffer_append_char(key, value->text.bytes[index]);
        if (value->text.bytes[index] == '\0') buffer_append_char(key, (char)0xff);
    }
    buffer_append_char(key, '\0');
    buffer_append_char(key, '\0');
}

static stet_status meta_key(struct query_record *record, const struct query_sort *sort,
                            stet_view *out) {
    struct expr_value value = {.kind = EXPR_NULL};
    struct buffer key;
    query_record_meta(record, sort->field.meta, &value);
    if (record->status != STET_OK) return record->status;
    buffer_init(&key, record->arena, 0);
    append_meta_key(&key, &value);
    if (buffer_status(&key) != STET_OK) return buffer_status(&key);
    for (size_t index = 0; sort->descending && index < key.size; index++)
        key.bytes[index] = (char)~key.bytes[index];
    *out = buffer_view(&key);
    return STET_OK;
}

static stet_status field_key(struct query_record *record, const struct query_sort *sort,
                             stet_view *out) {
    struct index_field field = {.pointer = sort->field.pointer, .descending = sort->descending};
    struct index_def def = {.field_count = 1, .fields = &field};
    return index_key(record->arena, &def, &record->doc, out);
}

stet_status query_sort_key(const struct query *query, struct query_record *record, stet_view *key) {
    struct buffer all;
    size_t part_max = INDEX_KEY_BYTES_MAX / (query->sort_count == 0 ? 1 : query->sort_count);
    buffer_init(&all, record->arena, 0);
    for (size_t index = 0; index < query->sort_count; index++) {
        const struct query_sort *sort = &query->sort[index];
        stet_view part;
        stet_status status = sort->field.meta == EXPR_META_NONE ? field_key(record, sort, &part)
                                                                : meta_key(record, sort, &part);
        if (status != STET_OK) return status;
        if (part.size > part_max) part.size = part_max;
        buffer_append_view(&all, part);
    }
    *key = buffer_view(&all);
    return buffer_status(&all);
}

/* ---- Projection -------------------------------------------------------------------------- */

/* Whether a pointer's first token is this key; *rest is what follows. */
static stet_status enters(struct arena *arena, stet_view pointer, const struct doc *doc,
                          doc_node child, stet_view *rest, bool *yes) {
    const char *slash = memchr(pointer.bytes + 1, '/', pointer.size - 1);
    size_t size = slash == NULL ? pointer.size : (size_t)(slash - pointer.bytes);
    stet_view token = view_make(pointer.bytes + 1, size - 1);
    stet_view key;
    size_t at = 0;
    stet_status status = doc_key(arena, doc, child, &key);
    if (status != STET_OK) return status;
    *rest = view_make(pointer.bytes + size, pointer.size - size);
    *yes = false;
    for (size_t index = 0; index < token.size; index++, at++) {
        char c = token.bytes[index];
        if (c == '~') c = token.bytes[++index] == '0' ? '~' : '/';
        if (at == key.size || key.bytes[at] != c) return STET_OK;
    }
    *yes = at == key.size;
    return STET_OK;
}

/* Which of the pointers lead into a member, and whether it is wanted whole. */
static stet_status enter_all(struct arena *arena, const stet_view *pointers, size_t count,
                             const struct doc *doc, doc_node child, stet_view *inner,
                             size_t *inner_count, bool *whole) {
    *inner_count = 0;
    *whole = false;
    for (size_t index = 0; index < count; index++) {
        stet_view rest;
        bool yes;
        stet_status status = enters(arena, pointers[index], doc, child, &rest, &yes);
        if (status != STET_OK) return status;
        if (!yes) continue;
        if (view_is_empty(rest)) *whole = true;
        inner[(*inner_count)++] = rest;
    }
    return STET_OK;
}

/* pointers: none of them empty. Only what is there is shown: a parent without any of its fields, too. */
static stet_status project(struct arena *arena, const stet_view *pointers, size_t count,
                           const struct doc *doc, doc_node object, struct buffer *out) {
    bool first = true;
    buffer_append_char(out, '{');
    for (doc_node child = doc_first(doc, object); child != DOC_NONE; child = doc_next(doc, child)) {
        stet_view inner[LIST_FIELDS_MAX];
        size_t inner_count;
        bool whole;
        stet_status status =
            enter_all(arena, pointers, count, doc, child, inner, &inner_count, &whole);
        if (status != STET_OK) return status;
        enum doc_kind kind = doc_kind(doc, child);
        bool scalar = kind != DOC_OBJECT && kind != DOC_ARRAY;
        if (inner_count == 0 || (scalar && !whole)) continue;
        if (!first) buffer_append_char(out, ',');
        first = false;
        buffer_append_char(out, '"');
        buffer_append_view(out, doc_key_raw(doc, child));
        buffer_append_text(out, "\":");
        if (whole || kind == DOC_ARRAY)
            buffer_append_view(out, doc_text(doc, child));
        else
            status = project(arena, inner, inner_count, doc, child, out);
        if (status != STET_OK) return status;
    }
    buffer_append_char(out, '}');
    return STET_OK;
}

stet_status query_project(const struct query *query, struct arena *arena, const struct doc *doc,
                          stet_view *data, stet_error *err) {
    struct buffer out;
    stet_status status;
    for (size_t index = 0; index < query->field_count; index++) {
        if (!view_is_empty(query->fields[index])) continue;
        *data = doc->text; /* $data: all of it. */
        return STET_OK;
    }
    buffer_init(&out, arena, 0);
    status = project(arena, query->fields, query->field_count, doc, 0, &out);
    if (status == STET_OK) status = buffer_status(&out);
    if (status != STET_OK) return error_set(err, status, "out of memory for a list");
    *data = buffer_view(&out);
    return STET_OK;
}

/* ---- Refusals ---------------------------------------------------------------------------- */

void query_explain(struct stet_command *command, struct json_writer *writer) {
    const struct query *query = command->query;
    if (command->error.status != STET_INDEX_REQUIRED || query == NULL) return;
    if (!view_is_empty(query->index)) json_member_raw(writer, VIEW("index"), query->index);
}
