/*
 * manifest.json and SHA256SUMS: what a backup holds, and how its files must be. Text in, structures out and back; no files.
 *
 * SHA256SUMS has a line for each file in the form of sha256sum(1), the manifest's first, so that a backup can also be verified
 * without Stet. The manifest holds the hash of every piece of every file, SHA256SUMS that of the manifest; a change to any byte
 * of either breaks one of the two.
 */
#ifndef BACKUP_MANIFEST_H
#define BACKUP_MANIFEST_H

#include "backup/digest.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "store/store.h"

#define MANIFEST_NAME "manifest.json"
#define MANIFEST_SUMS "SHA256SUMS"

enum { MANIFEST_FORMAT = 1, MANIFEST_SOURCE_BYTES = 17, MANIFEST_FILE_BYTES = 128 };

struct manifest_space {
    char name[SPACE_NAME_BYTES_MAX + 1];
    char file[MANIFEST_FILE_BYTES]; /* As in a data directory; never a path. */
    int64_t made_at;
    struct store_census census;
    struct digest digest;
};

struct manifest {
    char program[64];
    char source[MANIFEST_SOURCE_BYTES]; /* Names the data directory it was made of. */
    int64_t made_at;
    bool scheduled;
    struct manifest_space *spaces; /* Owned: manifest_done. */
    size_t count;
    size_t capacity;
};

void manifest_done(struct manifest *manifest);

/* Room for one more; NULL when memory is out. Earlier ones may move. */
struct manifest_space *manifest_add(struct manifest *manifest);
void manifest_remove(struct manifest *manifest, size_t index);
struct manifest_space *manifest_find(const struct manifest *manifest, stet_view name);

/* main.db, stet.db, or NAME-xxxxxxxx.db: no path, nothing hidden. */
bool manifest_is_file(stet_view name, stet_view file);

stet_status manifest_write(const struct manifest *manifest, struct buffer *out, stet_error *err);
stet_status manifest_sums(const struct manifest *manifest, stet_view text, struct buffer *out,
                          stet_error *err);

/* STET_CORRUPT: not a manifest; STET_FORMAT: of a later version. */
stet_status manifest_parse(struct manifest *manifest, stet_view text, stet_error *err);

#endif
