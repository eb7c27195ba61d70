#include "cli/password.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* A line that cannot be a password is not read to its end. */
enum { LINE_BYTES_MAX = PASSWORD_BYTES_MAX + 1 };

static volatile sig_atomic_t came;

static void note_signal(int number) { came = number; }

/* One line from a descriptor, without its end. Byte by byte: what follows it may be for somebody else. */
static stet_status line_read(int fd, char line[LINE_BYTES_MAX + 1], size_t *size, stet_error *err) {
    *size = 0;
    for (;;) {
        char byte;
        ssize_t got = came != 0 ? -1 : read(fd, &byte, 1);
        if (came != 0) return error_set(err, STET_CANCELLED, "cancelled");
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return error_set(err, STET_IO, "could not read the password: %s", strerror(errno));
        if (got == 0 || byte == '\n') return STET_OK;
        if (*size == LINE_BYTES_MAX)
            return error_set(err, STET_TOO_LARGE, "a password has at most %d bytes",
                             PASSWORD_BYTES_MAX);
        line[(*size)++] = byte;
    }
}

static stet_status password_take(struct cli *cli, const char *line, size_t size,
                                 stet_view *password, stet_error *err) {
    stet_view view = view_make(line, size);
    if (size == 0) return error_set(err, STET_BAD_REQUEST, "the password is empty");
    if (!view_is_utf8(view)) return error_set(err, STET_BAD_REQUEST, "a password must be UTF-8");
    *password = arena_copy(cli->arena, view);
    return password->bytes != NULL ? STET_OK : error_set(err, STET_NO_MEMORY, "out of memory");
}

/* ---- The terminal ---- */

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* Asks for a line that is not shown. Whatever ends it, the terminal shows again what is typed. */
static stet_status ask(const char *words, char line[LINE_BYTES_MAX + 1], size_t *size,
                       stet_error *err) {
    struct termios before;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return error_set(err, STET_IO, "could not ask for a password: %s", strerror(errno));
    struct termios quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO);
    quiet.c_lflag |= ECHONL;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) != 0)
        return error_set(err, STET_IO, "could not hide the password: %s", strerror(errno));
    fputs(words, stderr); /* Not before: a quick one would be shown. */
    fflush(stderr);
    stet_status status = line_read(STDIN_FILENO, line, size, err);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    if (came != 0) fputc('\n', stderr);
    return status;
}

static stet_status ask_twice(struct cli *cli, stet_view *password, stet_error *err) {
    char first[LINE_BYTES_MAX + 1];
    char second[LINE_BYTES_MAX + 1];
    size_t first_size, second_size;
    stet_status status = ask("Password: ", first, &first_size, err);
    if (status == STET_OK) status = ask("Again: ", second, &second_size, err);
    if (status == STET_OK && (first_size != second_size || memcmp(first, second, first_size) != 0))
        status = error_set(err, STET_BAD_REQUEST, "the two passwords are not the same");
    if (status == STET_OK) status = password_take(cli, first, first_size, password, err);
    explicit_bzero(first, sizeof first);
    explicit_bzero(second, sizeof second);
    return status;
}

/* Without SA_RESTART, so that the read ends when a signal comes. */
static stet_status ask_guarded(struct cli *cli, stet_view *password, stet_error *err) {
    struct sigaction before[SIGNALS];
    struct sigaction noting = {.sa_handler = note_signal};
    came = 0;
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &noting, &before[i]);
    stet_status status = ask_twice(cli, password, err);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
    return status;
}

stet_status password_read(struct cli *cli, stet_view *password, stet_error *err) {
    if (args_switch(cli->args, OPTION_PASSWORD_STDIN)) {
        char line[LINE_BYTES_MAX + 1];
        size_t size;
        came = 0;
        stet_status status = line_read(STDIN_FILENO, line, &size, err);
        if (status == STET_OK && size > 0 && line[size - 1] == '\r') size--;
        if (status == STET_OK) status = password_take(cli, line, size, password, err);
        explicit_bzero(line, sizeof line);
        return status;
    }
    if (!isatty(STDIN_FILENO))
        return error_set(err, STET_BAD_REQUEST,
                         "there is no terminal to ask for the password: use --password-stdin, or "
                         "--link");
    return ask_guarded(cli, password, err);
}
