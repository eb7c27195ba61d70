/*
 * GET …/backup: a copy of a space's file as of one commit. The engine makes it in a file without a name; it is sent from there, and is
 * gone when the answer is, whether it was taken whole or not. The digest in the header is how the reader knows that it was.
 */
#include "base/error.h"
#include "base/view.h"
#include "http/body.h"
#include "http/handlers.h"
#include "http/request.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024, SHA256_BYTES = 32 };

struct download {
    struct request *request;
    int fd;
};

static void backup_cancel(struct request *request) { stet_cancel(request->command); }

static ssize_t download_read(void *context, uint64_t position, char *out, size_t size) {
    struct download *download = context;
    ssize_t got;
    if (download->request->loop->stopping) return MHD_CONTENT_READER_END_WITH_ERROR;
    do {
        got = pread(download->fd, out, size, (off_t)position);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return MHD_CONTENT_READER_END_WITH_ERROR;
    /* Each part that is taken gives the reader its time anew. */
    peer_enter(download->request->peer, PEER_REPLY);
    return got;
}

static void download_gone(void *context) {
    struct download *download = context;
    close(download->fd);
    request_unref(download->request);
}

/* RFC 9530: "sha-256=:…:". The outcome has it in hexadecimal. */
static stet_view digest_header(struct request *request, const struct doc *doc) {
    stet_view hex = {0};
    uint8_t digest[SHA256_BYTES];
    char text[sodium_base64_ENCODED_LEN(SHA256_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    size_t size = 0;
    doc_node node = doc_member(doc, 0, VIEW("sha256"));
    if (node == DOC_NONE || doc_string(&request->arena, doc, node, &hex) != STET_OK ||
        sodium_hex2bin(digest, sizeof digest, hex.bytes, hex.size, NULL, &size, NULL) != 0 ||
        size != sizeof digest)
        return (stet_view){0};
    sodium_bin2base64(text, sizeof text, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
    return arena_format(&request->arena, "sha-256=:%s:", text);
}

static void send_copy(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    struct download *download = arena_zalloc(&request->arena, 1, sizeof *download);
    struct doc doc;
    stet_error err;
    uint64_t bytes = 0;
    stet_view digest = {0}, disposition = {0};
    if (download != NULL &&
        doc_parse(&request->arena, outcome->body, &body_limits, &doc, NULL) == STET_OK) {
        doc_node node = doc_member(&doc, 0, VIEW("bytes"));
        if (node != DOC_NONE) (void)doc_u64(&doc, node, &bytes);
        digest = digest_header(request, &doc);
        disposition = arena_format(&request->arena, "attachment; filename=\"%.*s.db\"",
                                   VIEW_ARG(request->match.captures[CAPTURE_SPACE]));
    }
    int fd = digest.bytes == NULL || disposition.bytes == NULL
                 ? -1
                 : stet_command_take_file(request->command);
    if (fd < 0) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    *download = (struct download){.request = request, .fd = fd};
    request->references++;
    struct MHD_Response *response = MHD_create_response_from_callback(
        bytes, BLOCK_BYTES, download_read, download, download_gone);
    if (response == NULL) {
        download_gone(download);
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    struct reply reply = {
        .http = 200,
        .content_type = "application/vnd.sqlite3",
        .cache = "no-store",
        .extra = {{"Repr-Digest", digest.bytes}, {"Content-Disposition", disposition.bytes}},
        .extra_count = 2};
    request->reply_bytes = request->head ? 0 : bytes;
    request_reply_response(request, 200, response, &reply);
}

/* Its client may have left: then there is nobody to answer, and this was the last that was wanted of the request. */
static void backup_done(struct request *request) {
    if (!request->answered && request->peer != NULL) {
        request->gone = NULL;
        request->stop = NULL;
        stet_status status = stet_command_outcome(request->command)->status;
        if (status == STET_CANCELLED) {
            stet_error err;
            error_set(&err, STET_SHUTTING_DOWN, "the server is stopping");
            request_refuse(request, &err);
        } else if (status != STET_OK) {
            request_reply_outcome(request);
        } else {
            send_copy(request);
        }
    }
    request_unref(request);
}

void handle_backup(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_backup(command, NULL, &err);
    if (!request_ok(request, status, &err)) return;
    request->gone = backup_cancel;
    request->stop = backup_cancel;
    request
        ->references++; /* backup_done's: the command comes back after the client has left, too. */
    request_submit(request, backup_done);
    if (request->suspended) {
        peer_watch(request->peer);
    } else if (!stet_command_is_done(command)) {
        request->gone = NULL;
        request_unref(request); /* Refused: backup_done will not be called. */
    }
}
