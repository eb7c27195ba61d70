/*
 * Files that the program holds in itself and serves: the console's and the packages'. The build makes the table (scripts/web,
 * scripts/embed-files); it is empty where the console was left out, and "/" is then the small page of welcome.h.
 */
#ifndef HTTP_ASSETS_H
#define HTTP_ASSETS_H

#include "http/coding.h"

struct asset {
    const char *path; /* "/assets/console-4QEULA72.js"; the table is sorted by it. */
    const char *content_type;
    const char *hash; /* The beginning of its SHA-256, 16 digits. */
    bool immutable;   /* Other bytes would have another name. */
    struct {
        const char *bytes; /* NULL: there is no such form. */
        size_t size;
    } forms[CODING_COUNT];
};

extern const struct asset assets[];
extern const unsigned asset_count;

#endif
