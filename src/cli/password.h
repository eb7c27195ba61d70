/*
 * Passwords from people: typed without being shown, or the first line of standard input.
 *
 * Thread: one.
 */
#ifndef CLI_PASSWORD_H
#define CLI_PASSWORD_H

#include "cli/cli.h"

/**
 * Reads a new password: from the terminal, twice, or with --password-stdin the first line of standard input.
 *
 * @param password  Out: in the command's arena. The caller wipes it.
 * @return STET_OK
 *         STET_BAD_REQUEST  there is no terminal, the two differ, it is empty or not UTF-8.
 *         STET_CANCELLED    a signal came; the terminal is as it was.
 *         STET_TOO_LARGE
 */
stet_status password_read(struct cli *cli, stet_view *password, stet_error *err);

#endif
