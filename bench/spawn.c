#include "spawn.h"

#include "measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS_MAX = 30000, START_PAUSE_US = 500 };

noreturn void spawn_fail(const struct spawn *spawn, const char *what, const char *why) {
    fprintf(stderr, "%s: %s: %s: %s\n", program_invocation_short_name, spawn->name, what, why);
    exit(1);
}

static void log_path(const struct spawn *spawn, char out[SPAWN_PATH_BYTES + 8]) {
    snprintf(out, SPAWN_PATH_BYTES + 8, "%s/log", spawn->folder);
}

noreturn void spawn_fail_log(const struct spawn *spawn, const char *what) {
    char text[2048] = "", path[SPAWN_PATH_BYTES + 8];
    log_path(spawn, path);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        fseek(file, size > 2000 ? size - 2000 : 0, SEEK_SET);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    spawn_fail(spawn, what, text);
}

/* ---- Before it runs ---------------------------------------------------------------------- */

static int free_port(const struct spawn *spawn) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        spawn_fail(spawn, "no port", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

void spawn_prepare(struct spawn *spawn, const char *name, const char *dir, const char *user) {
    char folder[SPAWN_PATH_BYTES];
    *spawn = (struct spawn){.name = name, .death_signal = SIGINT};
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* Who kills a server has to see its children end, too. */
    if (user != NULL && geteuid() == 0) {
        spawn->user = getpwnam(user);
        if (spawn->user == NULL) spawn->user = getpwnam("nobody");
        if (spawn->user == NULL) spawn_fail(spawn, "it refuses root, and there is no user", user);
    }
    if ((size_t)snprintf(folder, sizeof folder, "%s/%s.XXXXXX", dir, name) >= sizeof folder ||
        mkdtemp(folder) == NULL)
        spawn_fail(spawn, dir, strerror(errno));
    memcpy(spawn->folder, folder, sizeof folder); /* Only now is it ours to remove. */
    if (spawn->user != NULL && chown(folder, spawn->user->pw_uid, spawn->user->pw_gid) != 0)
        spawn_fail(spawn, folder, strerror(errno));
    spawn->port = free_port(spawn);
}

bool spawn_find(const char *name, const char *const *places, char out[SPAWN_PATH_BYTES]) {
    for (; places != NULL && *places != NULL; places++) {
        snprintf(out, SPAWN_PATH_BYTES, "%s/%s", *places, name);
        if (access(out, X_OK) == 0) return true;
    }
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t size = strcspn(path, ":");
        snprintf(out, SPAWN_PATH_BYTES, "%.*s/%s", (int)size, path, name);
        if (access(out, X_OK) == 0) return true;
        path += size + (path[size] == ':');
    }
    return false;
}

/* ---- Running ----------------------------------------------------------------------------- */

/* In the child: writes to the log, becomes the user, ends with us, runs. */
static noreturn void execute(const struct spawn *spawn, const char *const *arguments) {
    char path[SPAWN_PATH_BYTES + 8];
    log_path(spawn, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) _exit(125);
    if (spawn->user != NULL && (setgroups(0, NULL) != 0 || setgid(spawn->user->pw_gid) != 0 ||
                                setuid(spawn->user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, spawn->death_signal);
    setpgid(0, 0);
    execv(arguments[0], (char *const *)arguments);
    _exit(127);
}

static pid_t start(const struct spawn *spawn, const char *const *arguments) {
    pid_t pid = fork();
    if (pid < 0) spawn_fail(spawn, "fork", strerror(errno));
    if (pid == 0) execute(spawn, arguments);
    setpgid(pid,
            pid); /* Here as well: whoever comes first. It fails once the child has executed. */
    return pid;
}

void spawn_run(struct spawn *spawn, const char *const *arguments) {
    int status;
    pid_t pid = start(spawn, arguments);
    if (waitpid(pid, &status, 0) != pid || status != 0) spawn_fail_log(spawn, arguments[0]);
}

/* A socket that is being connected or -1. */
static int try_connect(const struct spawn *spawn) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)spawn->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    if (fd >= 0) close(fd);
    errno = error;
    return -1;
}

int spawn_connect(const struct spawn *spawn) {
    int one = 1;
    int fd = try_connect(spawn);
    if (fd < 0) spawn_fail(spawn, "connect", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) spawn_fail(spawn, "fcntl", strerror(errno));
    return fd;
}

void spawn_start(struct spawn *spawn, const char *const *arguments) {
    int64_t started = now_ns();
    spawn->pid = start(spawn, arguments);
    for (;;) {
        int fd = try_connect(spawn);
        spawn->listening_ms = (double)(now_ns() - started) / 1e6;
        if (fd >= 0) {
            close(fd);
            return;
        }
        if (waitpid(spawn->pid, NULL, WNOHANG) != 0) {
            spawn->pid = 0;
            spawn_fail_log(spawn, "ended at once");
        }
        if (spawn->listening_ms > START_MS_MAX) spawn_fail_log(spawn, "does not listen");
        usleep(START_PAUSE_US);
    }
}

struct children {
    pid_t *pids;
    size_t count;
};

static void kill_child(pid_t pid, void *context) {
    struct children *children = context;
    pid_t *pids = realloc(children->pids, (children->count + 1) * sizeof *pids);
    kill(pid, SIGKILL);
    if (pids == NULL) return; /* It ends all the same; nobody waits for it. */
    children->pids = pids;
    children->pids[children->count++] = pid;
}

void spawn_end(struct spawn *spawn, int signal) {
    struct children children = {0};
    if (spawn->pid == 0) return;
    if (signal == SIGKILL) {
        kill(spawn->pid, SIGSTOP); /* It makes no more of them. */
        process_children(spawn->pid, kill_child, &children);
    }
    kill(spawn->pid, signal);
    waitpid(spawn->pid, NULL, 0);
    /* They are ours now; see spawn_prepare. */
    for (size_t i = 0; i < children.count; i++)
        waitpid(children.pids[i], NULL, 0);
    free(children.pids);
    spawn->pid = 0;
}

void spawn_done(struct spawn *spawn) {
    char command[SPAWN_PATH_BYTES + 16];
    spawn_end(spawn, SIGINT);
    if (spawn->folder[0] == '\0') return;
    snprintf(command, sizeof command, "rm -rf -- '%s'", spawn->folder);
    if (system(command) != 0) fprintf(stderr, "could not remove %s\n", spawn->folder);
    spawn->folder[0] = '\0';
}
