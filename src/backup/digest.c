#include "backup/digest.h"

#include "backup/files.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024 };

uint64_t digest_piece_bytes(uint64_t file_bytes) {
    uint64_t bytes = BACKUP_PIECE_BYTES;
    while (file_bytes / bytes >= BACKUP_PIECES_MAX)
        bytes *= 2;
    return bytes;
}

size_t digest_piece_count(uint64_t file_bytes, uint64_t piece_bytes) {
    return (size_t)((file_bytes + piece_bytes - 1) / piece_bytes);
}

void digest_done(struct digest *digest) {
    free(digest->pieces);
    digest->pieces = NULL;
}

void digest_hex(const uint8_t bytes[DIGEST_BYTES], char hex[DIGEST_HEX_BYTES]) {
    sodium_bin2hex(hex, DIGEST_HEX_BYTES, bytes, DIGEST_BYTES);
}

bool digest_parse(stet_view hex, uint8_t bytes[DIGEST_BYTES]) {
    size_t size = 0;
    return hex.size == 2 * DIGEST_BYTES &&
           sodium_hex2bin(bytes, DIGEST_BYTES, hex.bytes, hex.size, NULL, &size, NULL) == 0 &&
           size == DIGEST_BYTES;
}

void digest_of(stet_view bytes, uint8_t digest[DIGEST_BYTES]) {
    crypto_hash_sha256(digest, (const unsigned char *)bytes.bytes, bytes.size);
}

/* One reading of a file. */
struct reading {
    const char *path;
    const char *name;
    const struct digest *expected;
    const stet_backup_watch *watch;
    int fd, copy_fd;
    uint64_t total;
    uint64_t done;
    uint8_t *block;
    struct digest digest;
    crypto_hash_sha256_state whole;
};

static stet_status write_all(int fd, const uint8_t *bytes, size_t size, const char *name,
                             stet_error *err) {
    for (size_t done = 0; done < size;) {
        ssize_t put = write(fd, bytes + done, size - done);
        if (put >= 0)
            done += (size_t)put;
        else if (errno != EINTR)
            return files_error(err, errno, "write", name);
    }
    return STET_OK;
}

/* A block of the piece at hand. *got 0: the file ended. */
static stet_status read_block(struct reading *reading, size_t want, size_t *got, stet_error *err) {
    const stet_backup_watch *watch = reading->watch;
    ssize_t size;
    if (watch != NULL && watch->stop != NULL && watch->stop(watch->context))
        return error_set(err, STET_CANCELLED, "stopped");
    do {
        size = read(reading->fd, reading->block, want);
    } while (size < 0 && errno == EINTR);
    if (size < 0) return files_error(err, errno, "read", reading->path);
    *got = (size_t)size;
    reading->done += *got;
    if (watch != NULL && watch->progress != NULL)
        watch->progress(watch->context, reading->name, reading->done, reading->total);
    return reading->copy_fd < 0
               ? STET_OK
               : write_all(reading->copy_fd, reading->block, *got, reading->name, err);
}

static stet_status read_piece(struct reading *reading, size_t index, stet_error *err) {
    struct digest *digest = &reading->digest;
    crypto_hash_sha256_state state;
    uint64_t from = (uint64_t)index * digest->piece_bytes;
    uint64_t size =
        digest->bytes - from < digest->piece_bytes ? digest->bytes - from : digest->piece_bytes;
    crypto_hash_sha256_init(&state);
    for (uint64_t left = size; left > 0;) {
        size_t got = 0;
        stet_status status =
            read_block(reading, left < READ_BYTES ? (size_t)left : READ_BYTES, &got, err);
        if (status != STET_OK) return status;
        if (got == 0)
            return error_set(err, STET_CORRUPT, "\"%s\" ended while it was read", reading->name);
        crypto_hash_sha256_update(&state, reading->block, got);
        crypto_hash_sha256_update(&reading->whole, reading->block, got);
        left -= got;
    }
    crypto_hash_sha256_final(&state, digest->pieces[index]);
    if (reading->expected == NULL ||
        memcmp(reading->expected->pieces[index], digest->pieces[index], DIGEST_BYTES) == 0)
        return STET_OK;
    error_set(err, STET_CORRUPT,
              "\"%s\" was altered between byte %" PRIu64 " and byte %" PRIu64 " (piece %zu of %zu)",
              reading->name, from, from + size, index + 1, digest->piece_count);
    error_field(err, reading->name, 0);
    return STET_CORRUPT;
}

static stet_status check_size(struct reading *reading, stet_error *err) {
    const struct digest *expected = reading->expected;
    if (expected == NULL || expected->bytes == reading->total) return STET_OK;
    error_set(err, STET_CORRUPT,
              reading->total < expected->bytes
                  ? "\"%s\" is cut short: it ends at byte %" PRIu64 " of %" PRIu64
                  : "\"%s\" is too long: it has %" PRIu64 " bytes instead of %" PRIu64,
              reading->name, reading->total, expected->bytes);
    error_field(err, reading->name, 0);
    return STET_CORRUPT;
}

static stet_status read_all(struct reading *reading, stet_error *err) {
    struct digest *digest = &reading->digest;
    struct stat info;
    if (fstat(reading->fd, &info) != 0) return files_error(err, errno, "read", reading->path);
    if (!S_ISREG(info.st_mode))
        return error_set(err, STET_CORRUPT, "\"%s\" is not a file", reading->name);
    reading->total = (uint64_t)info.st_size;
    stet_status status = check_size(reading, err);
    if (status != STET_OK) return status;
    digest->bytes = reading->total;
    digest->piece_bytes = reading->expected != NULL ? reading->expected->piece_bytes
                                                    : digest_piece_bytes(reading->total);
    digest->piece_count = digest_piece_count(digest->bytes, digest->piece_bytes);
    digest->pieces = calloc(digest->piece_count + 1, sizeof *digest->pieces);
    reading->block = malloc(READ_BYTES);
    if (digest->pieces == NULL || reading->block == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    crypto_hash_sha256_init(&reading->whole);
    (void)posix_fadvise(reading->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    for (size_t i = 0; status == STET_OK && i < digest->piece_count; i++)
        status = read_piece(reading, i, err);
    if (status != STET_OK) return status;
    crypto_hash_sha256_final(&reading->whole, digest->whole);
    if (reading->expected != NULL &&
        memcmp(reading->expected->whole, digest->whole, DIGEST_BYTES) != 0)
        return error_set(err, STET_CORRUPT,
                         "\"%s\": its hash differs from the manifest's although its pieces agree",
                         reading->name);
    return STET_OK;
}

stet_status digest_file(const char *path, const char *name, const struct digest *expected,
                        int copy_fd, const stet_backup_watch *watch, struct digest *digest,
                        stet_error *err) {
    struct reading reading = {.path = path,
                              .name = name,
                              .expected = expected,
                              .watch = watch,
                              .copy_fd = copy_fd,
                              .fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    if (reading.fd < 0 && errno == ENOENT) {
        error_set(err, STET_CORRUPT, "\"%s\" is missing", name);
        error_field(err, name, 0);
        return STET_CORRUPT;
    }
    if (reading.fd < 0) return files_error(err, errno, "open", path);
    stet_status status = read_all(&reading, err);
    close(reading.fd);
    free(reading.block);
    if (status == STET_OK && digest != NULL)
        *digest = reading.digest;
    else
        digest_done(&reading.digest);
    return status;
}
