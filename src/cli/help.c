/*
 * help and version: everything said here comes from the table.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/cli.h"

#include <string.h>

enum { TEXT_COLUMNS = 78 };

/* Prints a paragraph wrapped at spaces, each line but the first indented. */
static void wrap(FILE *out, const char *text, size_t indent, size_t column) {
    while (*text != '\0') {
        size_t size = strcspn(text, " \n");
        if (column > indent && column + 1 + size > TEXT_COLUMNS) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column += 1;
        }
        fwrite(text, 1, size, out);
        column += size;
        text += size;
        if (*text == '\n' && text[1] != '\0') {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (*text != '\0') text += 1;
    }
    fputc('\n', out);
}

static void print_exits(FILE *out) {
    fputs("\nExit codes:\n", out);
    for (int code = 0; exit_words(code) != NULL; code++) {
        fprintf(out, "  %d  ", code);
        wrap(out, exit_words(code), 5, 5);
    }
}

static void print_overview(FILE *out) {
    fputs("stet COMMAND [ARGUMENT]… [--OPTION VALUE]…\n\n", out);
    wrap(out,
         "Stet keeps versioned records that many people and programs change at the same time, and "
         "loses no edit without "
         "telling somebody.",
         0, 0);
    fputs("\nCommands:\n", out);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command_row *row = command_row((enum command_id)i);
        fprintf(out, "  %-18s %s\n", row->name, row->words);
    }
    fputc('\n', out);
    wrap(out,
         "stet help COMMAND explains one. Commands talk to the server of --url (or STET_URL), else "
         "to the one that owns "
         "--data (or STET_DATA, or ./stet-data); when nobody owns it they open it themselves.",
         0, 0);
    print_exits(out);
}

static void print_option(FILE *out, const struct option_row *row) {
    int size = fprintf(out, "  --%s%s%s", row->name, row->argument != NULL ? " " : "",
                       row->argument != NULL ? row->argument : "");
    if (size > 25) {
        fputc('\n', out);
        size = 0;
    }
    fprintf(out, "%*s", 27 - size, "");
    wrap(out, row->words, 27, 27);
    if (row->fallback != NULL || row->environment != NULL) {
        fprintf(out, "%27s(", "");
        if (row->fallback != NULL) fprintf(out, "default %s", row->fallback);
        if (row->environment != NULL)
            fprintf(out, "%s%s", row->fallback != NULL ? "; " : "", row->environment);
        fputs(")\n", out);
    }
}

static void print_command(FILE *out, enum command_id id) {
    const struct command_row *row = command_row(id);
    bool any = false;
    fprintf(out, "stet %s%s%s\n\n", row->name, row->arguments[0] != '\0' ? " " : "",
            row->arguments);
    fprintf(out, "%s.\n", row->words);
    if (row->more[0] != '\0') wrap(out, row->more, 0, 0);
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (!option_applies((enum option_id)i, id)) continue;
        if (!any) fputs("\nOptions:\n", out);
        any = true;
        print_option(out, option_row((enum option_id)i));
    }
}

static void markdown_options(FILE *out, command_set commands, command_set without) {
    fputs("\n| Option | Default | Environment | File | What it does |\n|---|---|---|---|---|\n",
          out);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        if ((row->commands & commands) == 0 || (row->commands & without) != 0) continue;
        fprintf(out, "| `--%s%s%s` |", row->name, row->argument != NULL ? " " : "",
                row->argument != NULL ? row->argument : "");
        fprintf(out, row->fallback != NULL ? " `%s` |" : " %s|",
                row->fallback != NULL ? row->fallback : "");
        fprintf(out, row->environment != NULL ? " `%s` |" : " %s|",
                row->environment != NULL ? row->environment : "");
        fprintf(out, row->config != NULL ? " `%s` |" : " %s|",
                row->config != NULL ? row->config : "");
        fprintf(out, " %s. |\n", row->words);
    }
}

static void print_markdown(FILE *out) {
    command_set serve = command_bit(COMMAND_SERVE);
    command_set remote = command_bit(COMMAND_SPACE_LIST);
    fputs("# Options\n\n"
          "Made by `stet help --markdown` from the program's own table (`src/cli/table.c`); edit "
          "that, not this page.\n\n"
          "An option's value comes from, first match: the command line, its environment variable, "
          "the configuration file,\n"
          "its default. An option given several times on the command line is a list; in the "
          "environment commas separate,\n"
          "and in the file the key is repeated. A switch is `true` or `false` there.\n\n"
          "## stet serve\n",
          out);
    markdown_options(out, serve, 0);
    fputs("\n### The configuration file\n\n"
          "`--config FILE` names it. One `key = value` on a line, with the keys of the column "
          "*File*; blank lines and lines\n"
          "that begin with `#` are skipped. An unknown key is an error.\n\n"
          "```\n# /etc/stet.conf\ndata         = /var/lib/stet\nlisten       = 127.0.0.1:7838\n"
          "public_url   = https://records.example.org\nallow_origin = "
          "https://app.example.org\naccess_log   = true\n```\n\n"
          "## Commands that talk to a server\n",
          out);
    markdown_options(out, remote, serve);
    fputs("\n`--data` says which directory's server to talk to, and is used when `--url` is not "
          "given.\n",
          out);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command_row *row = command_row((enum command_id)i);
        command_set bit = command_bit((unsigned)i);
        bool any = false;
        if (i == COMMAND_SERVE) continue;
        for (int j = 0; j < OPTION_COUNT; j++) {
            command_set on = option_row((enum option_id)j)->commands;
            if ((on & bit) != 0 && (on & (remote | serve)) == 0) any = true;
        }
        if (!any) continue;
        fprintf(out, "\n## stet %s%s%s\n", row->name, row->arguments[0] != '\0' ? " " : "",
                row->arguments);
        markdown_options(out, bit, remote | serve);
    }
    fputs("\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n", out);
    for (int code = 0; exit_words(code) != NULL; code++)
        fprintf(out, "| %d | %s |\n", code, exit_words(code));
}

/* True when the name of a command begins with these words. */
static bool names(enum command_id id, const char *first, const char *second) {
    const char *name = command_row(id)->name;
    size_t size = strlen(first);
    if (strncmp(name, first, size) != 0) return false;
    if (name[size] == '\0') return second == NULL;
    return name[size] == ' ' && (second == NULL || strcmp(name + size + 1, second) == 0);
}

/* "conflicts" is a command and begins others: these are explained with it. How many there are. */
static unsigned print_family(FILE *out, const char *first, const char *second) {
    unsigned found = 0;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (!names((enum command_id)i, first, second)) continue;
        if (found++ > 0) fputc('\n', out);
        print_command(out, (enum command_id)i);
    }
    return found;
}

int run_help(struct cli *cli) {
    const struct args *args = cli->args;
    FILE *out = cli->out.stream;
    stet_error err;
    if (args->help) {
        const char *name = command_row(args->command)->name;
        if (strchr(name, ' ') != NULL) {
            print_command(out, args->command);
        } else {
            print_family(out, name, NULL);
        }
        return EXIT_DONE;
    }
    if (args_switch(args, OPTION_MARKDOWN)) {
        print_markdown(out);
        return EXIT_DONE;
    }
    if (args->argument_count == 0) {
        print_overview(out);
        return EXIT_DONE;
    }
    if (print_family(out, args->arguments[0],
                     args->argument_count > 1 ? args->arguments[1] : NULL) > 0)
        return EXIT_DONE;
    error_set(&err, STET_BAD_REQUEST, "there is no command \"%s%s%s\"; `stet help` lists them",
              args->arguments[0], args->argument_count > 1 ? " " : "",
              args->argument_count > 1 ? args->arguments[1] : "");
    return cli_fail(cli, &err);
}

int run_version(struct cli *cli) {
    if (cli->json) {
        fprintf(cli->out.stream, "{\"version\":\"%s\"}\n", stet_version_text());
    } else {
        fprintf(cli->out.stream, "stet %s\n", stet_version_text());
    }
    return EXIT_DONE;
}
