/*
 * From a command line, the environment and a configuration file to values, by the table. Nothing is printed here.
 *
 * Thread: one.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/arena.h"
#include "cli/table.h"
#include "stet.h"

/* Where a value came from; a higher one wins. */
enum args_source { SOURCE_DEFAULT, SOURCE_CONFIG, SOURCE_ENVIRONMENT, SOURCE_COMMAND_LINE };

struct args_value {
    enum args_source source;
    const char **texts; /* One, or several for OPTION_MANY; a switch that is on has "true". */
    size_t count;       /* 0: not given, and no default. */
    uint64_t number;
};

struct args {
    struct arena *arena;
    enum command_id command;
    bool help; /* --help was given: explain the command instead of running it. */
    struct args_value values[OPTION_COUNT];
    const char **arguments;
    size_t argument_count;
};

/* How the environment is asked, so that tests can have their own. */
typedef const char *args_environment(const char *name);

/**
 * Reads a command line. Texts are borrowed from argv and the environment, the rest lives in the arena.
 *
 * @return STET_OK
 *         STET_BAD_REQUEST  the message says what is wrong, and where it came from.
 *         STET_IO           the configuration file could not be read.
 */
stet_status args_parse(struct args *args, struct arena *arena, int argc, const char *const *argv,
                       args_environment *environment, stet_error *err);

/* NULL when not given and without a default. */
const char *args_text(const struct args *args, enum option_id option);
bool args_switch(const struct args *args, enum option_id option);
uint64_t args_number(const struct args *args, enum option_id option);
bool args_given(const struct args *args, enum option_id option); /* By more than the default. */

#endif
