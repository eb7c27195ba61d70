/*
 * completion: a script for bash or zsh, made from the table. Most of it is one text that both shells read: zsh is asked to
 * count and split as ksh does. What differs is how a shell hands over the words and takes the answers.
 *
 * Names of types and spaces come from the server, but only from one that runs, and within a second: nobody waits for a tab.
 */
#include "base/error.h"
#include "cli/cli.h"

#include <string.h>

/* Sets _stet_reply to what fits, or _stet_files to d (folders) or f (files, too). Words and position: _stet_words, _stet_at. */
static const char body[] =
    "_stet_add() {\n"
    "    local word\n"
    "    for word in \"$@\"; do\n"
    "        case \"$word\" in \"$_stet_cur\"*) _stet_reply+=(\"$word\") ;; esac\n"
    "    done\n"
    "}\n"
    "\n"
    "# Asks a server that runs already; nothing is opened, and nobody waits.\n"
    "_stet_ask() {\n"
    "    local i word url=\"${STET_URL:-}\" data=\"${STET_DATA:-stet-data}\" member=\"$1\"\n"
    "    local -a where\n"
    "    where=()\n"
    "    shift\n"
    "    for ((i = 1; i < _stet_at; i++)); do\n"
    "        word=\"${_stet_words[i]}\"\n"
    "        case \"$word\" in\n"
    "        --url) url=\"${_stet_words[i + 1]}\" ;;\n"
    "        --data) data=\"${_stet_words[i + 1]}\" ;;\n"
    "        --token | --ca-file | --actor) ;;\n"
    "        --space) [ \"$member\" = id ] || continue ;;\n"
    "        *) continue ;;\n"
    "        esac\n"
    "        where+=(\"$word\" \"${_stet_words[i + 1]}\")\n"
    "    done\n"
    "    [ -n \"$url\" ] || [ -s \"$data/stet.lock\" ] || return 0\n"
    "    command -v timeout >/dev/null || return 0\n"
    "    timeout 1 \"${_stet_words[0]}\" \"$@\" \"${where[@]}\" --timeout-s 1 --json 2>/dev/null "
    "|\n"
    "        grep -o \"\\\"$member\\\":\\\"[^\\\"]*\\\"\" | cut -d '\"' -f 4\n"
    "}\n"
    "\n"
    "_stet_value() {\n"
    "    local type\n"
    "    case \"$1\" in\n"
    "    *'|'*) _stet_add $(echo \"$1\" | tr '|' ' ') ;;\n"
    "    DIR) _stet_files=d ;;\n"
    "    FILE) _stet_files=f ;;\n"
    "    SPACE) _stet_add $(_stet_ask name space list) ;;\n"
    "    TYPE) _stet_add $(_stet_ask id types list) ;;\n"
    "    TYPE/*) for type in $(_stet_ask id types list); do _stet_add \"$type/\"; done ;;\n"
    "    COMMAND) _stet_add $_stet_first ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_stet_complete() {\n"
    "    local command options places second i word option value place=0 used=1 pending=''\n"
    "    _stet_reply=()\n"
    "    _stet_files=''\n"
    "    _stet_cur=\"${_stet_words[_stet_at]}\"\n"
    "    if [ \"$_stet_at\" -le 1 ]; then\n"
    "        _stet_add $_stet_first --help --version\n"
    "        return\n"
    "    fi\n"
    "    command=\"${_stet_words[1]}\"\n"
    "    _stet_table \"$command\"\n"
    "    if [ \"$_stet_at\" -eq 2 ]; then\n"
    "        _stet_add $second\n"
    "    else\n"
    "        for word in $second; do\n"
    "            [ \"$word\" = \"${_stet_words[2]}\" ] || continue\n"
    "            command=\"$command $word\"\n"
    "            used=2\n"
    "            _stet_table \"$command\"\n"
    "            break\n"
    "        done\n"
    "    fi\n"
    "    # What stands before the word that is completed: options take what follows them.\n"
    "    for ((i = used + 1; i < _stet_at; i++)); do\n"
    "        word=\"${_stet_words[i]}\"\n"
    "        if [ -n \"$pending\" ]; then\n"
    "            pending=''\n"
    "            continue\n"
    "        fi\n"
    "        case \"$word\" in\n"
    "        -*)\n"
    "            for option in $options; do\n"
    "                case \"$option\" in \"$word=\"*) pending=\"${option#*=}\" ;; esac\n"
    "            done\n"
    "            ;;\n"
    "        *) place=$((place + 1)) ;;\n"
    "        esac\n"
    "    done\n"
    "    if [ -n \"$pending\" ]; then\n"
    "        _stet_value \"$pending\"\n"
    "        return\n"
    "    fi\n"
    "    case \"$_stet_cur\" in\n"
    "    -*)\n"
    "        for option in $options --help; do _stet_add \"${option%%=*}\"; done\n"
    "        return\n"
    "        ;;\n"
    "    esac\n"
    "    i=0\n"
    "    value=''\n"
    "    for word in $places; do\n"
    "        # The last one may stand for several.\n"
    "        if [ \"$i\" -le \"$place\" ]; then value=\"$word\"; fi\n"
    "        if [ \"$i\" -lt \"$place\" ] && [ \"${word%...}\" = \"$word\" ]; then value=''; fi\n"
    "        i=$((i + 1))\n"
    "    done\n"
    "    _stet_value \"${value%...}\"\n"
    "}\n";

static const char bash_end[] =
    "\n"
    "_stet() {\n"
    "    local _stet_cur _stet_files\n"
    "    local -a _stet_words _stet_reply\n"
    "    _stet_words=(\"${COMP_WORDS[@]}\")\n"
    "    _stet_at=$COMP_CWORD\n"
    "    _stet_complete\n"
    "    COMPREPLY=(\"${_stet_reply[@]}\")\n"
    "    local IFS=$'\\n'\n"
    "    case \"$_stet_files\" in\n"
    "    d)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        COMPREPLY=($(compgen -d -- \"$_stet_cur\"))\n"
    "        ;;\n"
    "    f)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        COMPREPLY=($(compgen -f -- \"$_stet_cur\"))\n"
    "        ;;\n"
    "    esac\n"
    "    # Behind TYPE/ comes the id.\n"
    "    case \"${COMPREPLY[0]:-}\" in */) compopt -o nospace 2>/dev/null ;; esac\n"
    "    return 0\n"
    "}\n"
    "complete -F _stet stet\n";

static const char zsh_end[] =
    "\n"
    "_stet() {\n"
    "    local -a given\n"
    "    local at=$((CURRENT - 1))\n"
    "    given=(\"${words[@]}\")\n"
    "    _stet_ksh\n"
    "    case \"$_stet_files\" in\n"
    "    d) _files -/ ;;\n"
    "    f) _files ;;\n"
    "    *) compadd -S '' -- ${(M)_stet_reply:#*/}; compadd -- ${_stet_reply:#*/} ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# Counts from 0 and splits words, as the rest is written for.\n"
    "_stet_ksh() {\n"
    "    emulate -L ksh\n"
    "    typeset -g _stet_cur _stet_files _stet_at=$at\n"
    "    typeset -ga _stet_words _stet_reply\n"
    "    _stet_words=(\"${given[@]}\")\n"
    "    _stet_complete\n"
    "}\n"
    "\n"
    "if [ \"${funcstack[1]:-}\" = _stet ]; then\n"
    "    _stet \"$@\"\n"
    "else\n"
    "    compdef _stet stet\n"
    "fi\n";

static size_t first_word(const char *name) { return strcspn(name, " "); }

/* Each first word once: commands of one group stand together, or the first of them does. */
static void print_first_words(FILE *out) {
    fputs("_stet_first='", out);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *name = command_row((enum command_id)i)->name;
        size_t size = first_word(name);
        bool seen = false;
        for (int j = 0; j < i && !seen; j++) {
            const char *other = command_row((enum command_id)j)->name;
            seen = first_word(other) == size && memcmp(other, name, size) == 0;
        }
        if (!seen) fprintf(out, "%s%.*s", i == 0 ? "" : " ", (int)size, name);
    }
    fputs("'\n\n", out);
}

static void print_choices(FILE *out, const char *choices) {
    for (; *choices != '\0'; choices++)
        fputc(*choices == ' ' ? '|' : *choices, out);
}

static void print_options(FILE *out, enum command_id command) {
    bool any = false;
    for (int i = 0; i < OPTION_COUNT; i++) {
        enum option_id id = (enum option_id)i;
        const struct option_row *row = option_row(id);
        if (!option_applies(id, command)) continue;
        fprintf(out, "%s--%s", any ? " " : "", row->name);
        any = true;
        if (row->argument == NULL) continue;
        fputc('=', out);
        if (option_choices(id) != NULL) {
            print_choices(out, option_choices(id));
        } else {
            fputs(id == OPTION_SPACE ? "SPACE" : row->argument, out);
        }
    }
}

/* "TYPE/ID [FROM [TO]]" as "TYPE/ID FROM TO". */
static void print_places(FILE *out, enum command_id command) {
    if (command == COMMAND_SPACE_DELETE) {
        fputs("SPACE", out);
    } else if (command == COMMAND_COMPLETION) {
        fputs("bash|zsh", out);
    } else if (command == COMMAND_TAIL) {
        fputs("TYPE...", out);
    } else {
        for (const char *text = command_row(command)->arguments; *text != '\0'; text++)
            if (*text != '[' && *text != ']') fputc(*text, out);
    }
}

/* The second words of a group. */
static void print_seconds(FILE *out, const char *name) {
    bool any = false;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *other = command_row((enum command_id)i)->name;
        size_t size = first_word(other);
        if (other[size] == '\0' || size != strlen(name) || memcmp(other, name, size) != 0) continue;
        fprintf(out, "%s%s", any ? " " : "", other + size + 1);
        any = true;
    }
}

static void print_row(FILE *out, const char *name, enum command_id command) {
    fprintf(out, "    '%s')\n        second='", name);
    print_seconds(out, name);
    fputs("'\n        options='", out);
    if (command != COMMAND_COUNT) print_options(out, command);
    fputs("'\n        places='", out);
    if (command != COMMAND_COUNT) print_places(out, command);
    fputs("'\n        ;;\n", out);
}

static void print_table(FILE *out) {
    fputs("# Of a command: second words, options (those with a value as --name=WHAT), arguments.\n"
          "_stet_table() {\n    second='' options='' places=''\n    case \"$1\" in\n",
          out);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *name = command_row((enum command_id)i)->name;
        size_t size = first_word(name);
        print_row(out, name, (enum command_id)i);
        /* A group that is no command itself. */
        bool has_row = name[size] == '\0';
        for (int j = 0; j < COMMAND_COUNT && !has_row; j++) {
            const char *other = command_row((enum command_id)j)->name;
            bool same = first_word(other) == size && memcmp(other, name, size) == 0;
            has_row = same && (other[size] == '\0' || j < i);
        }
        char group[64];
        if (has_row) continue;
        snprintf(group, sizeof group, "%.*s", (int)size, name);
        print_row(out, group, COMMAND_COUNT);
    }
    fputs("    esac\n}\n\n", out);
}

int run_completion(struct cli *cli) {
    const char *shell = cli->args->arguments[0];
    FILE *out = cli->out.stream;
    bool zsh = strcmp(shell, "zsh") == 0;
    if (!zsh && strcmp(shell, "bash") != 0) {
        stet_error err;
        error_set(&err, STET_BAD_REQUEST, "there is completion for bash and zsh, not for \"%s\"",
                  shell);
        return cli_fail(cli, &err);
    }
    if (zsh) fputs("#compdef stet\n", out);
    fprintf(out, "# Made by `stet completion %s`.\n\n", shell);
    print_first_words(out);
    print_table(out);
    fputs(body, out);
    fputs(zsh ? zsh_end : bash_end, out);
    return EXIT_DONE;
}
