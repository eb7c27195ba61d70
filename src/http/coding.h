/*
 * Which compressed form of an answer a client would like best (RFC 9110, 12.5.3).
 */
#ifndef HTTP_CODING_H
#define HTTP_CODING_H

#include "stet.h"

enum coding { CODING_IDENTITY, CODING_BROTLI, CODING_GZIP, CODING_COUNT };

/**
 * Chooses the form with the highest weight; of those that are wanted equally the smallest: Brotli, gzip, as it is.
 * A client that would take none of them gets it as it is: that serves it better than a refusal.
 *
 * @param accept   The Accept-Encoding header; empty: not sent, and nothing is compressed.
 * @param offered  Whether there is such a form. As it is there always is.
 */
enum coding coding_choose(stet_view accept, const bool offered[CODING_COUNT]);

/* "br"; NULL for what is sent as it is. */
const char *coding_name(enum coding coding);

#endif
