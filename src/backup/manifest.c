#include "backup/manifest.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "doc/doc.h"
#include "doc/write.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- The list of spaces ------------------------------------------------------------------ */

void manifest_done(struct manifest *manifest) {
    for (size_t i = 0; i < manifest->count; i++)
        digest_done(&manifest->spaces[i].digest);
    free(manifest->spaces);
    *manifest = (struct manifest){0};
}

struct manifest_space *manifest_add(struct manifest *manifest) {
    if (manifest->count == manifest->capacity) {
        size_t capacity = manifest->capacity == 0 ? 8 : manifest->capacity * 2;
        struct manifest_space *spaces = realloc(manifest->spaces, capacity * sizeof *spaces);
        if (spaces == NULL) return NULL;
        manifest->spaces = spaces;
        manifest->capacity = capacity;
    }
    struct manifest_space *space = &manifest->spaces[manifest->count++];
    *space = (struct manifest_space){0};
    return space;
}

void manifest_remove(struct manifest *manifest, size_t index) {
    digest_done(&manifest->spaces[index].digest);
    manifest->count--;
    memmove(&manifest->spaces[index], &manifest->spaces[index + 1],
            (manifest->count - index) * sizeof manifest->spaces[0]);
}

struct manifest_space *manifest_find(const struct manifest *manifest, stet_view name) {
    for (size_t i = 0; i < manifest->count; i++)
        if (view_equal(view_of(manifest->spaces[i].name), name)) return &manifest->spaces[i];
    return NULL;
}

bool manifest_is_file(stet_view name, stet_view file) {
    if (view_equal(name, VIEW("main"))) return view_equal(file, VIEW("main.db"));
    if (view_equal(name, VIEW("stet"))) return view_equal(file, VIEW("stet.db"));
    if (!view_starts(file, name) || file.size <= name.size + 4 ||
        file.size >= MANIFEST_FILE_BYTES || file.bytes[name.size] != '-' ||
        !view_equal(view_make(file.bytes + file.size - 3, 3), VIEW(".db")))
        return false;
    for (size_t i = 0; i < file.size - 3; i++) {
        char c = file.bytes[i];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (i > 0 && (c == '-' || c == '_'));
        if (!plain) return false;
    }
    return true;
}

/* ---- Writing ----------------------------------------------------------------------------- */

static void write_space(struct json_writer *writer, const struct manifest_space *space) {
    char hex[DIGEST_HEX_BYTES];
    json_object_begin(writer);
    json_member_text(writer, VIEW("name"), view_of(space->name));
    json_member_text(writer, VIEW("file"), view_of(space->file));
    json_key(writer, VIEW("made_at"));
    json_rfc3339(writer, space->made_at);
    json_member_u64(writer, VIEW("seq"), space->census.seq);
    json_member_u64(writer, VIEW("changes"), space->census.changes);
    json_member_u64(writer, VIEW("records"), space->census.records);
    json_member_u64(writer, VIEW("live"), space->census.live);
    json_member_u64(writer, VIEW("bytes"), space->digest.bytes);
    digest_hex(space->digest.whole, hex);
    json_member_text(writer, VIEW("sha256"), view_of(hex));
    json_member_u64(writer, VIEW("piece_bytes"), space->digest.piece_bytes);
    json_key(writer, VIEW("pieces"));
    json_array_begin(writer);
    for (size_t i = 0; i < space->digest.piece_count; i++) {
        digest_hex(space->digest.pieces[i], hex);
        json_text(writer, view_of(hex));
    }
    json_array_end(writer);
    json_object_end(writer);
}

stet_status manifest_write(const struct manifest *manifest, struct buffer *out, stet_error *err) {
    struct json_writer writer;
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("format"), MANIFEST_FORMAT);
    json_member_text(&writer, VIEW("program"), view_of(manifest->program));
    json_key(&writer, VIEW("made_at"));
    json_rfc3339(&writer, manifest->made_at);
    json_member_text(&writer, VIEW("source"), view_of(manifest->source));
    json_member_bool(&writer, VIEW("scheduled"), manifest->scheduled);
    json_key(&writer, VIEW("spaces"));
    json_array_begin(&writer);
    for (size_t i = 0; i < manifest->count; i++)
        write_space(&writer, &manifest->spaces[i]);
    json_array_end(&writer);
    json_object_end(&writer);
    stet_status status = json_end(&writer);
    buffer_append_char(out, '\n');
    if (status == STET_OK) status = buffer_status(out);
    return status == STET_OK ? STET_OK : error_set(err, status, "out of memory for a manifest");
}

static void sum_line(struct buffer *out, const uint8_t digest[DIGEST_BYTES], const char *name) {
    char hex[DIGEST_HEX_BYTES];
    digest_hex(digest, hex);
    buffer_append_format(out, "%s  %s\n", hex, name);
}

stet_status manifest_sums(const struct manifest *manifest, stet_view text, struct buffer *out,
                          stet_error *err) {
    uint8_t digest[DIGEST_BYTES];
    digest_of(text, digest);
    sum_line(out, digest, MANIFEST_NAME);
    for (size_t i = 0; i < manifest->count; i++)
        sum_line(out, manifest->spaces[i].digest.whole, manifest->spaces[i].file);
    return buffer_status(out) == STET_OK ? STET_OK
                                         : error_set(err, STET_NO_MEMORY, "out of memory");
}

/* ---- Reading ----------------------------------------------------------------------------- */

struct parsing {
    struct arena arena;
    struct doc doc;
    bool failed; /* A member is missing or not what it must be. */
};

static void take_u64(struct parsing *parsing, doc_node object, const char *key, uint64_t *out) {
    doc_node node = doc_member(&parsing->doc, object, view_of(key));
    if (node == DOC_NONE || !doc_u64(&parsing->doc, node, out)) parsing->failed = true;
}

static stet_view take_view(struct parsing *parsing, doc_node object, const char *key) {
    stet_view text = {.bytes = ""};
    doc_node node = doc_member(&parsing->doc, object, view_of(key));
    if (node == DOC_NONE || doc_string(&parsing->arena, &parsing->doc, node, &text) != STET_OK)
        parsing->failed = true;
    return text;
}

static void take_text(struct parsing *parsing, doc_node object, const char *key, char *out,
                      size_t size) {
    stet_view text = take_view(parsing, object, key);
    if (text.size >= size || memchr(text.bytes, '\0', text.size) != NULL) {
        parsing->failed = true;
        return;
    }
    memcpy(out, text.bytes, text.size);
    out[text.size] = '\0';
}

static void take_time(struct parsing *parsing, doc_node object, const char *key, int64_t *out) {
    if (!clock_parse_rfc3339(take_view(parsing, object, key), out)) parsing->failed = true;
}

static stet_status take_pieces(struct parsing *parsing, doc_node object, struct digest *digest,
                               stet_error *err) {
    struct doc *doc = &parsing->doc;
    take_u64(parsing, object, "bytes", &digest->bytes);
    take_u64(parsing, object, "piece_bytes", &digest->piece_bytes);
    if (!digest_parse(take_view(parsing, object, "sha256"), digest->whole)) parsing->failed = true;
    doc_node pieces = doc_member(doc, object, VIEW("pieces"));
    if (parsing->failed || pieces == DOC_NONE || doc_kind(doc, pieces) != DOC_ARRAY ||
        digest->piece_bytes < BACKUP_PIECE_BYTES || digest->bytes > INT64_MAX ||
        digest->piece_bytes > INT64_MAX ||
        digest_piece_count(digest->bytes, digest->piece_bytes) != doc_count(doc, pieces)) {
        parsing->failed = true;
        return STET_OK;
    }
    digest->pieces = calloc(doc_count(doc, pieces) + 1, sizeof *digest->pieces);
    if (digest->pieces == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    for (doc_node piece = doc_first(doc, pieces); piece != DOC_NONE; piece = doc_next(doc, piece)) {
        stet_view hex;
        if (doc_string(&parsing->arena, doc, piece, &hex) != STET_OK ||
            !digest_parse(hex, digest->pieces[digest->piece_count++]))
            parsing->failed = true;
    }
    return STET_OK;
}

static stet_status take_space(struct parsing *parsing, doc_node node, struct manifest *manifest,
                              stet_error *err) {
    struct manifest_space space = {0};
    if (manifest->count >= SPACES_MAX || doc_kind(&parsing->doc, node) != DOC_OBJECT) {
        parsing->failed = true;
        return STET_OK;
    }
    take_text(parsing, node, "name", space.name, sizeof space.name);
    take_text(parsing, node, "file", space.file, sizeof space.file);
    take_time(parsing, node, "made_at", &space.made_at);
    take_u64(parsing, node, "seq", &space.census.seq);
    take_u64(parsing, node, "changes", &space.census.changes);
    take_u64(parsing, node, "records", &space.census.records);
    take_u64(parsing, node, "live", &space.census.live);
    stet_status status = take_pieces(parsing, node, &space.digest, err);
    if (!manifest_is_file(view_of(space.name), view_of(space.file)) ||
        manifest_find(manifest, view_of(space.name)) != NULL)
        parsing->failed = true;
    struct manifest_space *kept =
        status == STET_OK && !parsing->failed ? manifest_add(manifest) : NULL;
    if (kept != NULL) {
        *kept = space;
        return STET_OK;
    }
    digest_done(&space.digest);
    if (status != STET_OK || parsing->failed) return status;
    return error_set(err, STET_NO_MEMORY, "out of memory");
}

stet_status manifest_parse(struct manifest *manifest, stet_view text, stet_error *err) {
    static const struct doc_limits limits = {
        .bytes_max = UINT32_MAX - 64, .depth_max = 16, .nodes_max = UINT32_MAX / 64};
    struct parsing parsing = {0};
    uint64_t format = 0;
    arena_init(&parsing.arena, 64 * 1024);
    *manifest = (struct manifest){0};
    stet_status status = doc_parse(&parsing.arena, text, &limits, &parsing.doc, err);
    if (status == STET_NO_MEMORY) goto done;
    if (status != STET_OK || doc_kind(&parsing.doc, 0) != DOC_OBJECT) goto damaged;
    take_u64(&parsing, 0, "format", &format);
    if (!parsing.failed && format > MANIFEST_FORMAT) {
        status =
            error_set(err, STET_FORMAT, "the backup has format %llu; this version reads up to %d",
                      (unsigned long long)format, MANIFEST_FORMAT);
        goto done;
    }
    take_text(&parsing, 0, "program", manifest->program, sizeof manifest->program);
    take_text(&parsing, 0, "source", manifest->source, sizeof manifest->source);
    take_time(&parsing, 0, "made_at", &manifest->made_at);
    doc_node scheduled = doc_member(&parsing.doc, 0, VIEW("scheduled"));
    if (scheduled == DOC_NONE || !doc_bool(&parsing.doc, scheduled, &manifest->scheduled))
        goto damaged;
    doc_node spaces = doc_member(&parsing.doc, 0, VIEW("spaces"));
    if (spaces == DOC_NONE || doc_kind(&parsing.doc, spaces) != DOC_ARRAY) goto damaged;
    for (doc_node node = doc_first(&parsing.doc, spaces); node != DOC_NONE && !parsing.failed;
         node = doc_next(&parsing.doc, node)) {
        status = take_space(&parsing, node, manifest, err);
        if (status != STET_OK) goto done;
    }
    status = STET_OK;
    if (!parsing.failed && manifest_find(manifest, VIEW("stet")) != NULL) goto done;
damaged:
    status = error_set(err, STET_CORRUPT, "\"" MANIFEST_NAME "\" is not the manifest of a backup");
    error_field(err, MANIFEST_NAME, 0);
done:
    arena_done(&parsing.arena);
    if (status != STET_OK) manifest_done(manifest);
    return status;
}
