#include "core/veil.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/view.h"
#include "core/merging.h"
#include "doc/write.h"

#include <string.h>

/* Pointers of a patch that are looked at singly, to name the one that is hidden. Past them it is applied all the same, and finds nothing. */
enum { POINTERS_MAX = 32 };

bool veil_is_on(const struct veil *veil) {
    return veil->policy != NULL && veil->policy->access != NULL &&
           access_may_hide(veil->policy, veil->actor, VIEW(""));
}

static stet_status parse(const struct veil *veil, const struct store_change *version,
                         struct doc *doc, struct access_record *record, stet_error *err) {
    *record = (struct access_record){.change = version, .data = doc, .space = veil->space};
    return change_parse(veil->arena, version->data, doc, err);
}

stet_status veil_base(const struct veil *veil, const struct store_change *version,
                      stet_error *err) {
    struct access_record record;
    struct doc doc;
    stet_error why = {0};
    if (type_is_system(version->type) || !access_binds(veil->policy, veil->actor, ACCESS_READ))
        return STET_OK;
    stet_status status = parse(veil, version, &doc, &record, err);
    if (status != STET_OK) return status;
    status = access_check(veil->policy, veil->actor, ACCESS_READ, &record, NULL, &why);
    if (status == STET_NOT_FOUND || status == STET_FORBIDDEN)
        return error_set(err, STET_NOT_FOUND, "the record has no version %llu",
                         (unsigned long long)version->version);
    if (status != STET_OK && err != NULL) *err = why;
    return status;
}

stet_status veil_show(const struct veil *veil, const struct store_change *version, stet_view *data,
                      stet_error *err) {
    struct access_record record;
    struct doc doc;
    *data = version->data;
    if (!veil_is_on(veil) || view_is_empty(version->data)) return STET_OK;
    stet_status status = parse(veil, version, &doc, &record, err);
    return status == STET_OK
               ? access_redact(veil->policy, veil->actor, veil->arena, &record, data, err)
               : status;
}

stet_status veil_put(const struct veil *veil, const struct store_change *from, stet_view sent,
                     stet_view *whole, stet_error *err) {
    struct access_record record = {.space = veil->space};
    struct doc doc;
    stet_status status = from == NULL ? STET_OK : parse(veil, from, &doc, &record, err);
    return status == STET_OK
               ? access_restore(veil->policy, veil->actor, veil->arena, &record, sent, whole, err)
               : status;
}

stet_status veil_yours(const struct veil *veil, stet_view data,
                       const struct store_change *const *beside, size_t count, stet_view *shown,
                       stet_error *err) {
    const struct store_change yours = {.data = data};
    stet_view seen, whole;
    stet_error unseen = {0};
    *shown = (stet_view){0};
    stet_status status = veil_base(veil, &yours, &unseen);
    if (status == STET_NOT_FOUND) return STET_OK;
    if (status != STET_OK && err != NULL) *err = unseen;
    if (status == STET_OK && !veil_is_on(veil)) *shown = data;
    if (status != STET_OK || !veil_is_on(veil)) return status;
    status = veil_show(veil, &yours, &seen, err);
    for (size_t i = 0; i < count && status == STET_OK; i++) {
        stet_error why = {0};
        status = veil_put(veil, beside[i], seen, &whole, &why);
        if (status == STET_FORBIDDEN) return STET_OK;
        if (status != STET_OK && err != NULL) *err = why;
    }
    if (status == STET_OK) *shown = seen;
    return status;
}

/* ---- Patches ------------------------------------------------------------------------------ */

/* {"a": {"b": {}}} for "/a/b": what gives the field a value and nothing else. An object, for a field above hidden ones is not meant. Empty:
   memory is out. */
static stet_view with_value_at(struct arena *arena, stet_view pointer) {
    struct buffer buffer;
    struct json_writer writer;
    unsigned depth = 0;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    char *key = arena_alloc(arena, pointer.size + 1);
    if (key == NULL) return (stet_view){0};
    for (size_t at = 1; at <= pointer.size; depth++) {
        size_t size = 0;
        for (; at < pointer.size && pointer.bytes[at] != '/'; at++) {
            char c = pointer.bytes[at];
            bool escaped = c == '~' && at + 1 < pointer.size;
            if (escaped) c = pointer.bytes[++at] == '1' ? '/' : '~';
            key[size++] = c;
        }
        at++;
        json_object_begin(&writer);
        json_key(&writer, view_make(key, size));
    }
    json_object_begin(&writer);
    json_object_end(&writer);
    while (depth-- > 0)
        json_object_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

/* One patch that somebody sends who does not see all. */
struct patching {
    const struct veil *veil;
    struct access_record onto;
    size_t looked;
    stet_error *err;
};

/* STET_FORBIDDEN: the pointer leads to a field that is hidden, or into one. */
static stet_status look_at(struct patching *patching, stet_view pointer) {
    const struct veil *veil = patching->veil;
    stet_view whole;
    if (pointer.size == 0 || pointer.bytes[0] != '/' || patching->looked == POINTERS_MAX ||
        !access_may_hide(veil->policy, veil->actor, pointer))
        return STET_OK;
    patching->looked++;
    stet_view probe = with_value_at(patching->veil->arena, pointer);
    if (probe.bytes == NULL)
        return error_set(patching->err, STET_NO_MEMORY, "out of memory for a patch");
    stet_status status = access_restore(veil->policy, veil->actor, veil->arena, &patching->onto,
                                        probe, &whole, patching->err);
    /* What is nested too deep, say, is told when the patch is applied. */
    if (status == STET_FORBIDDEN || status == STET_NO_MEMORY) return status;
    *patching->err = (stet_error){0};
    return STET_OK;
}

/* "path" and "from" of every operation. */
static stet_status look_at_operations(struct patching *patching, const struct doc *patch) {
    static const char *const names[] = {"path", "from"};
    for (doc_node node = doc_first(patch, 0); node != DOC_NONE; node = doc_next(patch, node)) {
        if (doc_kind(patch, node) != DOC_OBJECT) continue;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            doc_node member = doc_member(patch, node, view_of(names[i]));
            stet_view pointer;
            if (member == DOC_NONE || doc_kind(patch, member) != DOC_STRING) continue;
            stet_status status = doc_string(patching->veil->arena, patch, member, &pointer);
            if (status == STET_OK) status = look_at(patching, pointer);
            if (status == STET_FORBIDDEN || status == STET_NO_MEMORY) return status;
        }
    }
    return STET_OK;
}

/* Of a merge patch, the members that are to go: values that are given are found in the result. */
static stet_status look_at_nulls(struct patching *patching, const struct doc *patch, doc_node node,
                                 stet_view where) {
    for (doc_node child = doc_first(patch, node); child != DOC_NONE;
         child = doc_next(patch, child)) {
        enum doc_kind kind = doc_kind(patch, child);
        stet_view key;
        struct buffer pointer;
        if (kind != DOC_NULL && kind != DOC_OBJECT) continue;
        stet_status status = doc_key(patching->veil->arena, patch, child, &key);
        if (status != STET_OK) return error_set(patching->err, status, "out of memory for a patch");
        buffer_init(&pointer, patching->veil->arena, 0);
        buffer_append(&pointer, where.bytes, where.size);
        buffer_append_char(&pointer, '/');
        for (size_t i = 0; i < key.size; i++) {
            char c = key.bytes[i];
            if (c == '~' || c == '/') {
                buffer_append(&pointer, c == '~' ? "~0" : "~1", 2);
            } else {
                buffer_append_char(&pointer, c);
            }
        }
        status = buffer_status(&pointer);
        if (status != STET_OK) return error_set(patching->err, status, "out of memory for a patch");
        status = kind == DOC_NULL ? look_at(patching, buffer_view(&pointer))
                                  : look_at_nulls(patching, patch, child, buffer_view(&pointer));
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* What follows looking: as they see it, patched, and whole again. */
static stet_status apply(struct patching *patching, struct mutation *mutation, stet_view *data) {
    const struct veil *veil = patching->veil;
    struct doc result;
    stet_view seen;
    uint64_t hash;
    stet_status status = access_redact(veil->policy, veil->actor, veil->arena, &patching->onto,
                                       &seen, patching->err);
    if (status == STET_OK)
        status = merging_patch(veil->arena, mutation->op, &mutation->body_doc, seen,
                               &mutation->shown, &result, &hash, patching->err);
    if (status != STET_OK) return status;
    return access_restore(veil->policy, veil->actor, veil->arena, &patching->onto, mutation->shown,
                          data, patching->err);
}

stet_status veil_patch(const struct veil *veil, struct mutation *mutation,
                       const struct store_change *onto, stet_view *data, struct doc *result,
                       uint64_t *hash, stet_error *err) {
    stet_error local = {0};
    struct patching patching = {.veil = veil, .err = err == NULL ? &local : err};
    struct doc whole;
    if (!veil_is_on(veil))
        return merging_patch(veil->arena, mutation->op, &mutation->body_doc, onto->data, data,
                             result, hash, err);
    mutation->veiled_by = veil->policy->seq;
    stet_status status = parse(veil, onto, &whole, &patching.onto, err);
    if (status == STET_OK)
        status = mutation->op == STET_OP_PATCH_JSON
                     ? look_at_operations(&patching, &mutation->body_doc)
                     : look_at_nulls(&patching, &mutation->body_doc, 0, VIEW(""));
    if (status == STET_OK) status = apply(&patching, mutation, data);
    if (status == STET_OK) status = doc_parse(veil->arena, *data, NULL, result, err);
    if (status == STET_OK) *hash = doc_hash(result, 0);
    return status;
}
