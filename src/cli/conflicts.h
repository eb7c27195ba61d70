/*
 * What the commands about conflicts share: the path of one, and saying what became of it.
 */
#ifndef CLI_CONFLICTS_H
#define CLI_CONFLICTS_H

#include "cli/answer.h"
#include "cli/cli.h"

/* "/v1/SPACE" + what + "/ID" + rest; without the id when it is NULL. */
void cli_conflict_path(struct cli *cli, struct buffer *path, const char *what, const char *id,
                       const char *rest);

/* Reads the conflict that the first argument names. Returns the exit code. */
int cli_conflict_get(struct cli *cli, struct answer *answer, struct doc *doc);

/* "settled: tasks/1 is at version 3", or the answer as it came with --json. */
int cli_conflict_said(struct cli *cli, const struct answer *answer, const struct doc *doc,
                      const char *done);

#endif
