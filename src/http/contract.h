/*
 * docs/openapi.yaml as it stood when the program was built; scripts/embed makes contract_text.c of it.
 */
#ifndef HTTP_CONTRACT_H
#define HTTP_CONTRACT_H

#include <stddef.h>

extern const unsigned char contract_text[];
extern const size_t contract_size;
/* In its quotes; another text has another one. */
extern const char contract_etag[];

#endif
