/*
 * The page at "/" where the console was left out: logging in, and using a link. scripts/embed makes welcome_text.c of welcome.html.
 */
#ifndef HTTP_WELCOME_H
#define HTTP_WELCOME_H

#include <stddef.h>

extern const unsigned char welcome_text[];
extern const size_t welcome_size;
extern const char welcome_etag[];
extern const char welcome_policy[];

struct request;
void reply_welcome(struct request *request);

#endif
