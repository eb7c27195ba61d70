#include "cli/agent_run.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "cli/answer.h"
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 16384, POLL_MS = 200, PROGRESS_MS = 100 };

struct run {
    const struct agent_program *program;
    const struct agent_watch *watch;
    struct arena *arena;
    struct agent_result *result;
    pid_t pid;
    int pid_fd, out, errors; /* -1: closed. */
    struct buffer line;      /* What has come of a line. */
    bool too_long;
    struct buffer last;
    struct buffer percent, message; /* Not told yet. */
    char tail[AGENT_ERROR_BYTES];
    size_t tail_bytes;
    int64_t beat_ns;   /* The last one. */
    int64_t killed_ns; /* SIGTERM was sent; 0: not. */
    bool killed_hard;
};

static int64_t now_ns(void) { return clock_monotonic_ns(clock_system()); }

static int64_t ms_since(int64_t then) { return (now_ns() - then) / 1000000; }

/* ---- Starting ---------------------------------------------------------------------------- */

/* In a file of memory: a program that never reads its input cannot hold us up. */
static int input_open(stet_view input) {
    int fd = memfd_create("input", MFD_CLOEXEC);
    for (size_t done = 0; fd >= 0 && done < input.size;) {
        ssize_t wrote = write(fd, input.bytes + done, input.size - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)wrote;
    }
    if (fd >= 0) (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

static void close_both(const int pipe_fds[2]) {
    if (pipe_fds[0] >= 0) close(pipe_fds[0]);
    if (pipe_fds[1] >= 0) close(pipe_fds[1]);
}

/* A group of its own: what the program starts ends with it, and Ctrl-C reaches only us. */
static int spawn(struct run *run, int input, int output, int errors) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGINT);
    sigaddset(&usual, SIGTERM);
    sigaddset(&usual, SIGHUP);
    sigaddset(&usual, SIGPIPE);
    if (posix_spawn_file_actions_init(&actions) != 0) return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    int failed = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (failed == 0) failed = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (failed == 0) failed = posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    /* What libcurl opened would stay open in the program: a claim that is bound to its connection would outlive us in it. */
    if (failed == 0) failed = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    if (failed == 0)
        failed = posix_spawnp(&run->pid, run->program->words[0], &actions, &attributes,
                              run->program->words, run->program->environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

static stet_status start(struct run *run, stet_error *err) {
    int output[2] = {-1, -1}, errors[2] = {-1, -1};
    int input = input_open(run->program->input);
    stet_status status = STET_OK;
    if (input < 0 || pipe2(output, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0) {
        status = error_set(err, STET_IO, "could not make pipes: %s", strerror(errno));
        goto done;
    }
    int failed = spawn(run, input, output[1], errors[1]);
    if (failed != 0) {
        run->result->error = arena_format(run->arena, "could not run \"%s\": %s",
                                          run->program->words[0], strerror(failed));
        goto done;
    }
    run->result->started = true;
    run->out = output[0];
    run->errors = errors[0];
    output[0] = errors[0] = -1;
    (void)fcntl(run->out, F_SETFL, O_NONBLOCK);
    (void)fcntl(run->errors, F_SETFL, O_NONBLOCK);
    run->pid_fd = (int)syscall(SYS_pidfd_open, run->pid, 0);
done:
    if (input >= 0) close(input);
    close_both(output);
    close_both(errors);
    return status;
}

/* ---- What it says ------------------------------------------------------------------------ */

static void pass_on(const struct run *run, stet_view line) {
    struct terminal terminal;
    terminal_init(&terminal, stderr);
    flockfile(stderr);
    fprintf(stderr, "%s: ", run->program->label);
    terminal_text(&terminal, COLOR_NONE, line);
    fputc('\n', stderr);
    funlockfile(stderr);
}

static void keep(struct buffer *buffer, const struct doc *doc, const char *name) {
    doc_node member = answer_member(doc, 0, name);
    if (member == DOC_NONE) return;
    buffer_reset(buffer);
    buffer_append_view(buffer, doc_text(doc, member));
}

static void line_take(struct run *run) {
    stet_view line = buffer_view(&run->line);
    struct arena arena;
    struct doc doc;
    stet_error err;
    if (run->too_long) {
        pass_on(run, VIEW("a line of output was too long and is left out"));
        run->too_long = false;
        buffer_reset(&run->line);
        return;
    }
    if (line.size == 0) return;
    arena_init(&arena, CHUNK);
    bool is_object = line.bytes[0] == '{' && answer_parse(&arena, line, &doc, &err) == STET_OK &&
                     doc_kind(&doc, 0) == DOC_OBJECT;
    if (is_object && (answer_member(&doc, 0, "result") != DOC_NONE ||
                      answer_member(&doc, 0, "mutations") != DOC_NONE)) {
        buffer_reset(&run->last);
        buffer_append_view(&run->last, line);
    } else if (is_object && (answer_member(&doc, 0, "percent") != DOC_NONE ||
                             answer_member(&doc, 0, "message") != DOC_NONE)) {
        keep(&run->percent, &doc, "percent");
        keep(&run->message, &doc, "message");
    } else {
        pass_on(run, line);
    }
    arena_done(&arena);
    buffer_reset(&run->line);
}

static void output_take(struct run *run, stet_view bytes) {
    while (bytes.size > 0) {
        const char *end = memchr(bytes.bytes, '\n', bytes.size);
        size_t size = end == NULL ? bytes.size : (size_t)(end - bytes.bytes);
        if (run->line.size + size > AGENT_LINE_BYTES_MAX) {
            run->too_long = true;
        } else {
            buffer_append_view(&run->line, view_make(bytes.bytes, size));
        }
        if (end == NULL) return;
        line_take(run);
        bytes = view_make(end + 1, bytes.size - size - 1);
    }
}

/* The end of it is kept, for the operation's error. */
static void errors_take(struct run *run, stet_view bytes) {
    fwrite(bytes.bytes, 1, bytes.size, stderr);
    if (bytes.size > sizeof run->tail)
        bytes = view_make(bytes.bytes + bytes.size - sizeof run->tail, sizeof run->tail);
    size_t kept = sizeof run->tail - bytes.size;
    if (run->tail_bytes > kept) {
        memmove(run->tail, run->tail + run->tail_bytes - kept, kept);
        run->tail_bytes = kept;
    }
    memcpy(run->tail + run->tail_bytes, bytes.bytes, bytes.size);
    run->tail_bytes += bytes.size;
}

static void drain(struct run *run, int *fd, void (*take)(struct run *run, stet_view bytes)) {
    char chunk[CHUNK];
    while (*fd >= 0) {
        ssize_t got = read(*fd, chunk, sizeof chunk);
        if (got > 0) {
            take(run, view_make(chunk, (size_t)got));
            continue;
        }
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        close(*fd);
        *fd = -1;
    }
}

/* ---- Watching ---------------------------------------------------------------------------- */

static void stop(struct run *run) {
    run->result->stopped = true;
    if (run->killed_ns == 0) {
        run->killed_ns = now_ns();
        kill(-run->pid, SIGTERM);
    } else if (!run->killed_hard && ms_since(run->killed_ns) > AGENT_GRACE_MS) {
        run->killed_hard = true;
        kill(-run->pid, SIGKILL);
    }
}

/* Tells what is new, or that we are still there. */
static void beat(struct run *run) {
    bool news = run->percent.size > 0 || run->message.size > 0;
    int64_t since = ms_since(run->beat_ns);
    if (run->killed_ns != 0) return;
    if (since < (news ? PROGRESS_MS : (int64_t)run->watch->beat_ms)) return;
    run->beat_ns = now_ns();
    if (!run->watch->beat(run->watch->context, buffer_view(&run->percent),
                          buffer_view(&run->message)))
        stop(run);
    buffer_reset(&run->percent);
    buffer_reset(&run->message);
}

static bool has_ended(const struct run *run) {
    struct pollfd ended = {.fd = run->pid_fd, .events = POLLIN};
    return run->pid_fd < 0 ? kill(run->pid, 0) != 0 : poll(&ended, 1, 0) > 0;
}

static void watch_run(struct run *run) {
    while (!has_ended(run)) {
        struct pollfd fds[] = {{.fd = run->out, .events = POLLIN},
                               {.fd = run->errors, .events = POLLIN},
                               {.fd = run->pid_fd, .events = POLLIN}};
        (void)poll(fds, 3, run->percent.size + run->message.size > 0 ? PROGRESS_MS : POLL_MS);
        drain(run, &run->out, output_take);
        drain(run, &run->errors, errors_take);
        if (run->killed_ns != 0 || run->watch->stopping(run->watch->context)) stop(run);
        beat(run);
    }
    /* What it left in the pipes. Children of its own may hold them open: they are not waited for. */
    drain(run, &run->out, output_take);
    drain(run, &run->errors, errors_take);
    line_take(run);
    fflush(stderr);
}

stet_status agent_run(const struct agent_program *program, const struct agent_watch *watch,
                      struct arena *arena, struct agent_result *result, stet_error *err) {
    struct run run = {.program = program,
                      .watch = watch,
                      .arena = arena,
                      .result = result,
                      .pid_fd = -1,
                      .out = -1,
                      .errors = -1,
                      .beat_ns = now_ns()};
    int state = 0;
    *result = (struct agent_result){.exit_code = -1};
    buffer_init(&run.line, NULL, 0);
    buffer_init(&run.last, NULL, 0);
    buffer_init(&run.percent, NULL, 0);
    buffer_init(&run.message, NULL, 0);
    stet_status status = start(&run, err);
    if (status != STET_OK || !result->started) goto done;
    watch_run(&run);
    while (waitpid(run.pid, &state, 0) < 0 && errno == EINTR)
        ;
    if (run.killed_ns != 0) kill(-run.pid, SIGKILL);
    if (WIFEXITED(state)) result->exit_code = WEXITSTATUS(state);
    if (WIFSIGNALED(state)) result->signal = WTERMSIG(state);
    /* The last progress belongs to the operation even when the program was quicker than we. */
    if (!result->stopped && run.percent.size + run.message.size > 0)
        (void)watch->beat(watch->context, buffer_view(&run.percent), buffer_view(&run.message));
    result->last = arena_copy(arena, buffer_view(&run.last));
    result->error = arena_copy(arena, view_make(run.tail, run.tail_bytes));
    if (result->last.bytes == NULL || result->error.bytes == NULL ||
        buffer_status(&run.last) != STET_OK || buffer_status(&run.line) != STET_OK)
        status = error_set(err, STET_NO_MEMORY, "out of memory for a program's output");
done:
    if (run.out >= 0) close(run.out);
    if (run.errors >= 0) close(run.errors);
    if (run.pid_fd >= 0) close(run.pid_fd);
    buffer_done(&run.line);
    buffer_done(&run.last);
    buffer_done(&run.percent);
    buffer_done(&run.message);
    return status;
}
