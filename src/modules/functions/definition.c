#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/actor.h"
#include "doc/doc.h"
#include "doc/pointer.h"
#include "modules/functions/internal.h"

#include <stdio.h>

enum { ARENA_BLOCK_BYTES = 4096 };

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a function");
}

/* The message says what the member is to be; this adds which one it is. */
static stet_status refuse(stet_error *err, const char *field, uint64_t limit) {
    error_field(err, field, limit);
    error_subject(err, "the definition of a function");
    return STET_INVALID_FUNCTION;
}

static stet_status check_members(const struct doc *doc, doc_node object, const char *where,
                                 const char *const *names, const char *known, stet_error *err) {
    for (doc_node member = doc_first(doc, object); member != DOC_NONE;
         member = doc_next(doc, member)) {
        stet_view raw = doc_key_raw(doc, member);
        size_t i = 0;
        while (names[i] != NULL && !view_equal(raw, view_of(names[i])))
            i++;
        if (names[i] != NULL) continue;
        char field[sizeof err->field];
        snprintf(field, sizeof field, "%s/%.*s", where, VIEW_ARG(raw));
        error_set(err, STET_INVALID_FUNCTION, "is not known here; possible are %s", known);
        return refuse(err, field, 0);
    }
    return STET_OK;
}

static stet_status read_text(struct definition *definition, const struct doc *doc, const char *name,
                             const char *where, size_t bytes_max, stet_view *out, stet_error *err) {
    doc_node node = doc_member(doc, 0, view_of(name));
    stet_view text;
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(&definition->arena, doc, node, &text);
    if (status == STET_NO_MEMORY) return no_memory(err);
    if (status != STET_OK || text.size > bytes_max) {
        error_set(err, STET_INVALID_FUNCTION, "is a text of at most %zu bytes", bytes_max);
        return refuse(err, where, bytes_max);
    }
    *out = arena_copy(&definition->arena, text);
    return out->bytes == NULL ? no_memory(err) : STET_OK;
}

/* One of the limits: at most what the server allows, which is what holds where none is given. */
static stet_status read_limit(const struct doc *doc, doc_node limits, const char *name,
                              const char *where, uint64_t most, uint64_t *out, stet_error *err) {
    doc_node node = doc_member(doc, limits, view_of(name));
    *out = most;
    if (node == DOC_NONE) return STET_OK;
    if (doc_u64(doc, node, out) && *out >= 1 && *out <= most) return STET_OK;
    error_set(err, STET_INVALID_FUNCTION, "is a whole number from 1 to %llu",
              (unsigned long long)most);
    return refuse(err, where, most);
}

static stet_status read_limits(struct definition *definition, const struct doc *doc,
                               stet_error *err) {
    static const char *const names[] = {"instructions", "memory_bytes", "time_ms",
                                        "reads",        "writes",       NULL};
    doc_node limits = doc_member(doc, 0, VIEW("limits"));
    uint64_t instructions = FUNCTION_INSTRUCTIONS_MAX, memory = FUNCTION_MEMORY_BYTES_MAX,
             time = FUNCTION_MS_MAX, reads = FUNCTION_READS_MAX, writes = FUNCTION_WRITES_MAX;
    stet_status status = STET_OK;
    if (limits != DOC_NONE && doc_kind(doc, limits) != DOC_OBJECT) {
        error_set(err, STET_INVALID_FUNCTION, "is an object");
        return refuse(err, "/limits", 0);
    }
    if (limits != DOC_NONE)
        status = check_members(doc, limits, "/limits", names,
                               "instructions, memory_bytes, time_ms, reads and writes", err);
    if (status == STET_OK && limits != DOC_NONE)
        status = read_limit(doc, limits, "instructions", "/limits/instructions",
                            FUNCTION_INSTRUCTIONS_MAX, &instructions, err);
    if (status == STET_OK && limits != DOC_NONE)
        status = read_limit(doc, limits, "memory_bytes", "/limits/memory_bytes",
                            FUNCTION_MEMORY_BYTES_MAX, &memory, err);
    if (status == STET_OK && limits != DOC_NONE)
        status = read_limit(doc, limits, "time_ms", "/limits/time_ms", FUNCTION_MS_MAX, &time, err);
    if (status == STET_OK && limits != DOC_NONE)
        status = read_limit(doc, limits, "reads", "/limits/reads", FUNCTION_READS_MAX, &reads, err);
    if (status == STET_OK && limits != DOC_NONE)
        status =
            read_limit(doc, limits, "writes", "/limits/writes", FUNCTION_WRITES_MAX, &writes, err);
    if (status != STET_OK) return status;
    definition->limits = (struct sandbox_limits){
        .instructions = instructions, .memory_bytes = (size_t)memory, .time_ms = (uint32_t)time};
    definition->reads_max = (size_t)reads;
    definition->writes_max = (size_t)writes;
    return STET_OK;
}

static stet_status read_class(struct definition *definition, const struct doc *doc,
                              stet_error *err) {
    static const struct {
        const char *name;
        stet_class class_;
    } names[] = {{"low", STET_CLASS_LOW},
                 {"normal", STET_CLASS_NORMAL},
                 {"high", STET_CLASS_HIGH},
                 {"urgent", STET_CLASS_URGENT},
                 {"structural", STET_CLASS_STRUCTURAL}};
    stet_view text = {0};
    stet_status status = read_text(definition, doc, "class", "/class", 16, &text, err);
    if (status != STET_OK || text.size == 0) return status;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!view_equal(text, view_of(names[i].name))) continue;
        definition->class_ = names[i].class_;
        return STET_OK;
    }
    error_set(err, STET_INVALID_FUNCTION, "is low, normal, high, urgent or structural");
    return refuse(err, "/class", 0);
}

static stet_status read_run_as(struct definition *definition, const struct doc *doc,
                               stet_error *err) {
    stet_view text = {0};
    stet_status status = read_text(definition, doc, "run_as", "/run_as", 16, &text, err);
    if (status != STET_OK) return status;
    definition->as_admin = view_equal(text, VIEW("admin"));
    if (doc_member(doc, 0, VIEW("run_as")) == DOC_NONE || definition->as_admin ||
        view_equal(text, VIEW("caller")))
        return STET_OK;
    error_set(err, STET_INVALID_FUNCTION, "is caller or admin");
    return refuse(err, "/run_as", 0);
}

static stet_status bad_roles(stet_error *err) {
    error_set(err, STET_INVALID_FUNCTION, "is a list of 1 to %d roles of at most %d bytes each",
              STET_ROLES_MAX, STET_ROLE_BYTES_MAX);
    return refuse(err, "/roles", STET_ROLES_MAX);
}

static stet_status read_roles(struct definition *definition, const struct doc *doc,
                              stet_error *err) {
    doc_node list = doc_member(doc, 0, VIEW("roles"));
    stet_view *roles;
    if (list == DOC_NONE) return STET_OK;
    size_t count = doc_kind(doc, list) == DOC_ARRAY ? doc_count(doc, list) : 0;
    if (count == 0 || count > STET_ROLES_MAX) return bad_roles(err);
    roles = arena_alloc(&definition->arena, count * sizeof *roles);
    if (roles == NULL) return no_memory(err);
    for (doc_node one = doc_first(doc, list); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view *role = &roles[definition->role_count++];
        stet_status status = doc_string(&definition->arena, doc, one, role);
        if (status == STET_NO_MEMORY) return no_memory(err);
        if (status != STET_OK || role->size == 0 || role->size > STET_ROLE_BYTES_MAX)
            return bad_roles(err);
    }
    definition->roles = roles;
    return STET_OK;
}

stet_status definition_check_caller(const struct definition *definition, const stet_actor *actor,
                                    stet_error *err) {
    if (actor->admin || definition->role_count == 0) return STET_OK;
    for (size_t i = 0; i < definition->role_count; i++)
        if (actor_has_role(actor, definition->roles[i])) return STET_OK;
    return error_set(err, STET_FORBIDDEN, "the function \"%.*s\" is not for your roles",
                     VIEW_ARG(definition->chunk.name));
}

static stet_status compile(struct definition *definition, stet_view name, stet_view text,
                           stet_error *err) {
    static const char *const names[] = {"source", "description", "class", "limits",
                                        "run_as", "roles",       NULL};
    struct doc doc;
    stet_view description = {0};
    text = arena_copy(&definition->arena, text);
    definition->chunk.name = arena_copy(&definition->arena, name);
    if (text.bytes == NULL || definition->chunk.name.bytes == NULL) return no_memory(err);
    stet_status status = doc_parse(&definition->arena, text, NULL, &doc, err);
    if (status != STET_OK) return status;
    if (doc_kind(&doc, 0) != DOC_OBJECT) {
        error_set(err, STET_INVALID_FUNCTION, "is an object");
        return refuse(err, "", 0);
    }
    status = check_members(&doc, 0, "", names,
                           "source, description, class, limits, run_as and roles", err);
    if (status == STET_OK)
        status = read_text(definition, &doc, "source", "/source", FUNCTION_SOURCE_BYTES_MAX,
                           &definition->chunk.source, err);
    if (status == STET_OK && definition->chunk.source.size == 0) {
        error_set(err, STET_INVALID_FUNCTION, "is missing");
        status = refuse(err, "/source", 0);
    }
    if (status == STET_OK)
        status = read_text(definition, &doc, "description", "/description",
                           FUNCTION_DESCRIPTION_BYTES_MAX, &description, err);
    if (status == STET_OK) status = read_class(definition, &doc, err);
    if (status == STET_OK) status = read_run_as(definition, &doc, err);
    if (status == STET_OK) status = read_roles(definition, &doc, err);
    return status == STET_OK ? read_limits(definition, &doc, err) : status;
}

stet_status definition_parse(stet_view name, stet_view text, struct definition **out,
                             stet_error *err) {
    struct arena arena;
    stet_error local = {0};
    if (err == NULL) err = &local;
    arena_init(&arena, ARENA_BLOCK_BYTES);
    struct definition *definition = arena_zalloc(&arena, 1, sizeof *definition);
    if (definition == NULL) {
        arena_done(&arena);
        return no_memory(err);
    }
    definition->arena = arena;
    atomic_init(&definition->refs, 1);
    stet_status status = compile(definition, name, text, err);
    if (status == STET_OK) {
        *out = definition;
    } else {
        definition_unref(definition);
    }
    return status;
}

void definition_unref(struct definition *definition) {
    if (definition == NULL) return;
    if (atomic_fetch_sub_explicit(&definition->refs, 1, memory_order_acq_rel) > 1) return;
    struct arena arena = definition->arena; /* It lives in it itself. */
    arena_done(&arena);
}
