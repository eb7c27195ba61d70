#include "cli/import_state.h"

#include "base/buffer.h"
#include "base/error.h"
#include "cli/answer.h"
#include "cli/file.h"
#include "doc/write.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    STATE_BYTES_MAX = 4 * 1024 * 1024,
    /* A piece and the line that reached its bound; what claims to be longer was not written by an import. */
    PIECE_BYTES_MAX = 40 * 1024 * 1024,
};

void import_state_write(const char *path, const struct import_state *state, stet_view space) {
    struct buffer text;
    struct json_writer writer;
    stet_error ignored;
    buffer_init(&text, NULL, STATE_BYTES_MAX);
    json_begin(&writer, &text);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("space"), space);
    json_member_u64(&writer, VIEW("bytes"), state->bytes);
    json_member_u64(&writer, VIEW("line"), state->line);
    json_member_u64(&writer, VIEW("of_bytes"), state->of_bytes);
    json_member_u64(&writer, VIEW("piece_bytes"), state->piece_bytes);
    json_member_u64(&writer, VIEW("piece_failed"), state->piece_failed);
    json_member_u64(&writer, VIEW("failed"), state->failed);
    json_member_bool(&writer, VIEW("export"), state->is_export);
    json_member_bool(&writer, VIEW("independent"), state->independent);
    if (state->how.size > 0) json_member_text(&writer, VIEW("how"), state->how);
    json_object_end(&writer);
    (void)json_end(&writer);
    buffer_append_char(&text, '\n');
    if (buffer_status(&text) == STET_OK) (void)file_write(path, buffer_view(&text), &ignored);
    buffer_done(&text);
}

stet_status import_state_read(const char *path, uint64_t of_bytes, stet_view space,
                              struct arena *arena, struct import_state *state, stet_error *err) {
    struct buffer text;
    struct doc doc;
    buffer_init(&text, arena, STATE_BYTES_MAX);
    stet_status status = file_read(path, &text, err);
    if (status != STET_OK) return status;
    if (answer_parse(arena, buffer_view(&text), &doc, err) != STET_OK ||
        answer_u64(&doc, 0, "of_bytes") != of_bytes)
        return error_set(err, STET_BAD_REQUEST,
                         "\"%s\" is of another file: remove it, or import without --resume", path);
    stet_view of_space = answer_text(arena, &doc, 0, "space");
    if (!view_equal(of_space, space))
        return error_set(err, STET_BAD_REQUEST,
                         "\"%s\" is of an import into space \"%.*s\": import without --resume",
                         path, VIEW_ARG(of_space));
    *state = (struct import_state){
        .bytes = answer_u64(&doc, 0, "bytes"),
        .line = answer_u64(&doc, 0, "line"),
        .of_bytes = of_bytes,
        .piece_bytes = answer_u64(&doc, 0, "piece_bytes"),
        .piece_failed = answer_u64(&doc, 0, "piece_failed"),
        .failed = answer_u64(&doc, 0, "failed"),
        .is_export = answer_bool(&doc, 0, "export"),
        .independent = answer_bool(&doc, 0, "independent"),
        .how = answer_text(arena, &doc, 0, "how"),
    };
    if (state->bytes > of_bytes || state->line == 0 || state->piece_bytes >= state->bytes ||
        state->bytes - state->piece_bytes > PIECE_BYTES_MAX)
        return error_set(err, STET_BAD_REQUEST, "\"%s\" makes no sense", path);
    return STET_OK;
}

static stet_status piece_read(const struct import_state *state, int fd, struct buffer *piece,
                              stet_error *err) {
    size_t size = (size_t)(state->bytes - state->piece_bytes), done = 0;
    char *room = buffer_reserve(piece, size);
    if (room == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    while (done < size) {
        ssize_t got = pread(fd, room + done, size - done, (off_t)(state->piece_bytes + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            return error_set(err, STET_IO, "could not read what was imported last: %s",
                             got < 0 ? strerror(errno) : "the file became shorter");
        done += (size_t)got;
    }
    buffer_advance(piece, size);
    return STET_OK;
}

stet_status import_state_try(const struct import_state *state, int fd, stet_view lines,
                             const char *request, struct peer *peer, struct arena *arena,
                             struct answer *answer, stet_error *err) {
    struct buffer piece;
    struct doc doc;
    buffer_init(&piece, NULL, 0);
    stet_status status = fd < 0 ? STET_OK : piece_read(state, fd, &piece, err);
    if (status != STET_OK) goto done;
    struct call call = {.method = "POST",
                        .path = request,
                        .content_type = "application/x-ndjson",
                        .body = fd < 0 ? lines : buffer_view(&piece),
                        .repeatable = true};
    status = peer_call(peer, &call, arena, answer, err);
    if (status != STET_OK || answer->http != 200) goto done;
    status = answer_parse(arena, answer->body, &doc, err);
    if (status != STET_OK) goto done;
    if (answer_u64(&doc, 0, "imported") > 0 || answer_u64(&doc, 0, "failed") > state->piece_failed)
        status = error_set(err, STET_BAD_REQUEST,
                           "what was imported last is not in this space as the file has it: import "
                           "without --resume");
done:
    buffer_done(&piece);
    return status;
}
