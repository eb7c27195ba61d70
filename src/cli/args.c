/*
 * The command line is read first, so that --config and the command are known; then each option that was not on it is
 * looked for in the environment, the file and the table.
 */
#include "cli/args.h"

#include "base/error.h"
#include "base/view.h"
#include "cli/config.h"

#include <string.h>
#include <strings.h>

static const char *source_words(enum args_source source) {
    switch (source) {
    case SOURCE_DEFAULT: return "the default";
    case SOURCE_CONFIG: return "the configuration file";
    case SOURCE_ENVIRONMENT: return "the environment";
    case SOURCE_COMMAND_LINE: return "the command line";
    }
    return "";
}

static stet_status value_add(struct args *args, enum option_id option, enum args_source source,
                             const char *text, stet_error *err) {
    struct args_value *value = &args->values[option];
    if (value->source < source) value->count = 0;
    if (value->count > 0 && option_row(option)->kind != OPTION_MANY) {
        return error_set(err, STET_BAD_REQUEST, "--%s is given twice in %s",
                         option_row(option)->name, source_words(source));
    }
    const char **texts = arena_alloc(args->arena, (value->count + 1) * sizeof *texts);
    if (texts == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    if (value->count > 0) memcpy(texts, value->texts, value->count * sizeof *texts);
    texts[value->count] = text;
    value->texts = texts;
    value->count += 1;
    value->source = source;
    return STET_OK;
}

/* A text from the environment or the file: a switch says true or false there, and commas separate what may repeat. */
static stet_status value_read(struct args *args, enum option_id option, enum args_source source,
                              const char *text, stet_error *err) {
    const struct option_row *row = option_row(option);
    stet_status status = STET_OK;
    if (row->kind == OPTION_SWITCH) {
        static const char *const yes[] = {"true", "yes", "on", "1"};
        static const char *const no[] = {"false", "no", "off", "0"};
        for (size_t i = 0; i < 4; i++) {
            if (strcasecmp(text, yes[i]) == 0) return value_add(args, option, source, "true", err);
            if (strcasecmp(text, no[i]) == 0) {
                args->values[option].source = source;
                args->values[option].count = 0;
                return STET_OK;
            }
        }
        return error_set(err, STET_BAD_REQUEST, "\"%s\" from %s must be true or false, not \"%s\"",
                         row->name, source_words(source), text);
    }
    if (row->kind != OPTION_MANY) return value_add(args, option, source, text, err);
    while (status == STET_OK && *text != '\0') {
        size_t size = strcspn(text, ",");
        size_t begin = strspn(text, " ");
        size_t end = size;
        while (end > begin && text[end - 1] == ' ')
            end--;
        if (end > begin) {
            stet_view part = arena_copy(args->arena, view_make(text + begin, end - begin));
            if (part.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
            status = value_add(args, option, source, part.bytes, err);
        }
        text += size + (text[size] == ',');
    }
    return status;
}

static stet_status config_add(void *context, const char *key, const char *text, unsigned line,
                              stet_error *err) {
    struct args *args = context;
    enum option_id option = option_find_config(key, strlen(key));
    if (option == OPTION_COUNT) {
        return error_set(err, STET_BAD_REQUEST,
                         "line %u: \"%s\" is not an option; see docs/options.md", line, key);
    }
    if (args->values[option].source > SOURCE_CONFIG) return STET_OK;
    stet_error inner;
    stet_status status = value_read(args, option, SOURCE_CONFIG, text, &inner);
    if (status != STET_OK) return error_set(err, status, "line %u: %s", line, inner.message);
    return STET_OK;
}

/* The value of a decimal option; the last of the two checks a number passes. */
static stet_status number_check(struct args *args, enum option_id option, stet_error *err) {
    const struct option_row *row = option_row(option);
    struct args_value *value = &args->values[option];
    if (row->kind != OPTION_NUMBER || value->count == 0) return STET_OK;
    if (!view_parse_u64(view_of(value->texts[0]), &value->number)) {
        return error_set(err, STET_BAD_REQUEST, "\"%s\" from %s must be a number, not \"%s\"",
                         row->name, source_words(value->source), value->texts[0]);
    }
    if (value->number > row->number_max) {
        return error_set(err, STET_BAD_REQUEST, "\"%s\" from %s is %s, and the most is %llu",
                         row->name, source_words(value->source), value->texts[0],
                         (unsigned long long)row->number_max);
    }
    return STET_OK;
}

/* The command of the first one or two words; how many words it took. */
static stet_status command_find(int argc, const char *const *argv, enum command_id *command,
                                int *words, stet_error *err) {
    char group[256] = "";
    int alone = -1;
    const char *first = argc > 1 ? argv[1] : "help";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) first = "help";
    if (strcmp(first, "--version") == 0) first = "version";
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *name = command_row((enum command_id)i)->name;
        size_t size = strlen(first);
        if (strcmp(name, first) == 0) {
            alone = (int)i;
            continue;
        }
        if (strncmp(name, first, size) != 0 || name[size] != ' ') continue;
        if (argc > 2 && strcmp(name + size + 1, argv[2]) == 0) {
            *command = (enum command_id)i;
            *words = 2;
            return STET_OK;
        }
        strncat(group, group[0] != '\0' ? ", " : "", sizeof group - strlen(group) - 1);
        strncat(group, name, sizeof group - strlen(group) - 1);
    }
    /* "conflicts" is a command, and so is "conflicts show": two words that fit beat one. */
    if (alone >= 0) {
        *command = (enum command_id)alone;
        *words = argc > 1 ? 1 : 0;
        return STET_OK;
    }
    if (group[0] != '\0') return error_set(err, STET_BAD_REQUEST, "say which: %s", group);
    return error_set(err, STET_BAD_REQUEST, "there is no command \"%s\"; `stet help` lists them",
                     first);
}

/* One word that begins with two dashes, and the next one if that is its value. */
static stet_status option_read(struct args *args, int argc, const char *const *argv, int *index,
                               stet_error *err) {
    const char *name = argv[*index] + 2;
    size_t size = strcspn(name, "=");
    const char *text = name[size] == '=' ? name + size + 1 : NULL;
    enum option_id option = option_find(args->command, name, size);
    if (option == OPTION_COUNT) {
        return error_set(
            err, STET_BAD_REQUEST, "\"%s\" has no option --%.*s; `stet help %s` lists them",
            command_row(args->command)->name, (int)size, name, command_row(args->command)->name);
    }
    if (option_row(option)->kind == OPTION_SWITCH) {
        if (text != NULL)
            return error_set(err, STET_BAD_REQUEST, "--%.*s takes no value", (int)size, name);
        if (args->values[option].count > 0) return STET_OK;
        return value_add(args, option, SOURCE_COMMAND_LINE, "true", err);
    }
    if (text == NULL) {
        if (*index + 1 >= argc) {
            return error_set(err, STET_BAD_REQUEST, "--%s needs a value: --%s %s",
                             option_row(option)->name, option_row(option)->name,
                             option_row(option)->argument);
        }
        *index += 1;
        text = argv[*index];
    }
    return value_add(args, option, SOURCE_COMMAND_LINE, text, err);
}

static stet_status line_read(struct args *args, int argc, const char *const *argv, int index,
                             stet_error *err) {
    bool options_end = false;
    args->arguments = arena_alloc(args->arena, (size_t)(argc + 1) * sizeof *args->arguments);
    if (args->arguments == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    for (; index < argc; index++) {
        const char *word = argv[index];
        if (options_end || word[0] != '-' || word[1] == '\0') {
            args->arguments[args->argument_count++] = word;
        } else if (strcmp(word, "--") == 0) {
            options_end = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            args->help = true;
        } else if (word[1] != '-') {
            return error_set(err, STET_BAD_REQUEST,
                             "there is no option %s; put -- before an argument that begins "
                             "with a dash",
                             word);
        } else {
            stet_status status = option_read(args, argc, argv, &index, err);
            if (status != STET_OK) return status;
        }
    }
    return STET_OK;
}

static stet_status arguments_check(const struct args *args, stet_error *err) {
    const struct command_row *row = command_row(args->command);
    if (args->argument_count >= row->arguments_min && args->argument_count <= row->arguments_max)
        return STET_OK;
    const char *what =
        args->argument_count < row->arguments_min ? "an argument is missing" : "too many arguments";
    return error_set(err, STET_BAD_REQUEST, "%s: stet %s%s%s", what, row->name,
                     row->arguments[0] != '\0' ? " " : "", row->arguments);
}

stet_status args_parse(struct args *args, struct arena *arena, int argc, const char *const *argv,
                       args_environment *environment, stet_error *err) {
    *args = (struct args){.arena = arena};
    int words = 0;
    stet_status status = command_find(argc, argv, &args->command, &words, err);
    if (status == STET_OK) status = line_read(args, argc, argv, 1 + words, err);
    if (status != STET_OK || args->help) return status;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        if (!option_applies((enum option_id)i, args->command) || args->values[i].count > 0)
            continue;
        const char *text = row->environment != NULL ? environment(row->environment) : NULL;
        if (text == NULL || text[0] == '\0') continue;
        status = value_read(args, (enum option_id)i, SOURCE_ENVIRONMENT, text, err);
        if (status != STET_OK) return status;
    }
    const char *config = args_text(args, OPTION_CONFIG);
    if (config != NULL) status = config_read(arena, config, config_add, args, err);
    for (size_t i = 0; i < OPTION_COUNT && status == STET_OK; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        if (!option_applies((enum option_id)i, args->command)) continue;
        if (args->values[i].source == SOURCE_DEFAULT && row->fallback != NULL) {
            status = value_add(args, (enum option_id)i, SOURCE_DEFAULT, row->fallback, err);
        }
        if (status == STET_OK) status = number_check(args, (enum option_id)i, err);
    }
    if (status == STET_OK) status = arguments_check(args, err);
    return status;
}

const char *args_text(const struct args *args, enum option_id option) {
    return args->values[option].count > 0 ? args->values[option].texts[0] : NULL;
}

bool args_switch(const struct args *args, enum option_id option) {
    return args->values[option].count > 0;
}

uint64_t args_number(const struct args *args, enum option_id option) {
    return args->values[option].number;
}

bool args_given(const struct args *args, enum option_id option) {
    return args->values[option].count > 0 && args->values[option].source != SOURCE_DEFAULT;
}
