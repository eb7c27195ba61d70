/*
 * SHA-256 of a file as a whole and of its pieces, so that what was altered can be named by its place. Pieces are 1 MiB, and double
 * until a file has at most BACKUP_PIECES_MAX: the manifest of a very large space stays small.
 */
#ifndef BACKUP_DIGEST_H
#define BACKUP_DIGEST_H

#include "base/limits.h"
#include "stet.h"

#include <sodium.h>

enum { DIGEST_BYTES = crypto_hash_sha256_BYTES, DIGEST_HEX_BYTES = 2 * DIGEST_BYTES + 1 };

struct digest {
    uint64_t bytes;
    uint64_t piece_bytes;
    size_t piece_count;
    uint8_t whole[DIGEST_BYTES];
    uint8_t (*pieces)[DIGEST_BYTES]; /* Owned. */
};

uint64_t digest_piece_bytes(uint64_t file_bytes);
size_t digest_piece_count(uint64_t file_bytes, uint64_t piece_bytes);
void digest_done(struct digest *digest);
void digest_hex(const uint8_t bytes[DIGEST_BYTES], char hex[DIGEST_HEX_BYTES]);
bool digest_parse(stet_view hex, uint8_t bytes[DIGEST_BYTES]);
/* Of some bytes at hand. */
void digest_of(stet_view bytes, uint8_t digest[DIGEST_BYTES]);

/*
 * Reads a file to its end. name: how progress and errors call it.
 *
 * @param expected  NULL, or what it must be: the first difference is STET_CORRUPT and says where it is.
 * @param copy_fd   Also writes what it read there; -1: nowhere.
 * @param digest    Out, owned: digest_done. May be NULL.
 * @return STET_OK, STET_CORRUPT, STET_CANCELLED, STET_IO, STET_NO_SPACE, STET_NO_MEMORY
 */
stet_status digest_file(const char *path, const char *name, const struct digest *expected,
                        int copy_fd, const stet_backup_watch *watch, struct digest *digest,
                        stet_error *err);

#endif
