#include "measure.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- Latencies --------------------------------------------------------------------------- */

static size_t bucket_of(int64_t ns) {
    uint64_t value = ns < 0 ? 0 : (uint64_t)ns;
    if (value < HISTOGRAM_PARTS) return (size_t)value;
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    unsigned shift = power - 6; /* HISTOGRAM_PARTS is 2^6. */
    size_t bucket = (size_t)(shift + 1) * HISTOGRAM_PARTS + ((value >> shift) - HISTOGRAM_PARTS);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static double bucket_ns(size_t bucket) {
    if (bucket < HISTOGRAM_PARTS) return (double)bucket;
    unsigned shift = (unsigned)(bucket / HISTOGRAM_PARTS - 1);
    uint64_t low = (uint64_t)(bucket % HISTOGRAM_PARTS + HISTOGRAM_PARTS) << shift;
    return (double)low + (double)(UINT64_C(1) << shift) / 2;
}

void histogram_reset(struct histogram *histogram) { memset(histogram, 0, sizeof *histogram); }

void histogram_add(struct histogram *histogram, int64_t ns) {
    histogram->count++;
    histogram->buckets[bucket_of(ns)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from) {
    into->count += from->count;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

double histogram_us(const struct histogram *histogram, double quantile) {
    uint64_t rank = (uint64_t)(quantile * (double)histogram->count), seen = 0;
    if (histogram->count == 0) return 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > rank) return bucket_ns(i) / 1e3;
    }
    return bucket_ns(HISTOGRAM_BUCKETS - 1) / 1e3;
}

/* ---- Processor time ---------------------------------------------------------------------- */

static bool read_line(const char *path, char *line, size_t size) {
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    bool got = fgets(line, (int)size, file) != NULL;
    fclose(file);
    if (got) line[strcspn(line, "\n")] = '\0';
    return got;
}

static void cpu_add(struct cpu *cpu, const char *name, int64_t ns) {
    size_t i = 0;
    while (i < cpu->count && strcmp(cpu->threads[i].name, name) != 0)
        i++;
    if (i == CPU_NAMES_MAX) i--; /* More names than we show: counted with the last. */
    if (i == cpu->count) {
        snprintf(cpu->threads[i].name, sizeof cpu->threads[i].name, "%.15s", name);
        cpu->threads[i].ns = 0;
        cpu->count++;
    }
    cpu->threads[i].ns += ns;
}

static void add_process(pid_t pid, struct cpu *cpu) {
    char path[64], file[400], name[64], line[128];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    DIR *folder = opendir(path);
    if (folder == NULL) return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(file, sizeof file, "%s/%s/comm", path, entry->d_name);
        if (!read_line(file, name, sizeof name)) continue;
        /* The first number is the time on a processor in nanoseconds. */
        snprintf(file, sizeof file, "%s/%s/schedstat", path, entry->d_name);
        if (!read_line(file, line, sizeof line)) continue;
        cpu_add(cpu, name, strtoll(line, NULL, 10));
    }
    closedir(folder);
}

void cpu_read(pid_t pid, struct cpu *cpu) {
    cpu->count = 0;
    add_process(pid, cpu);
}

static void add_child(pid_t child, void *cpu) { add_process(child, cpu); }

void cpu_add_children(pid_t pid, struct cpu *cpu) { process_children(pid, add_child, cpu); }

void process_children(pid_t pid, void (*each)(pid_t child, void *context), void *context) {
    char path[300], line[256];
    DIR *folder = opendir("/proc");
    if (folder == NULL) return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        long child = strtol(entry->d_name, NULL, 10), parent = 0;
        if (child <= 0) continue;
        snprintf(path, sizeof path, "/proc/%ld/stat", child);
        if (!read_line(path, line, sizeof line)) continue;
        /* Behind the name, which may hold anything: ") S PARENT". */
        const char *behind = strrchr(line, ')');
        if (behind == NULL || sscanf(behind, ") %*c %ld", &parent) != 1) continue;
        if (parent == (long)pid) each((pid_t)child, context);
    }
    closedir(folder);
}

void cpu_since(const struct cpu *before, const struct cpu *after, struct cpu *used) {
    *used = *after;
    for (size_t i = 0; i < used->count; i++) {
        for (size_t j = 0; j < before->count; j++) {
            if (strcmp(used->threads[i].name, before->threads[j].name) == 0)
                used->threads[i].ns -= before->threads[j].ns;
        }
        if (used->threads[i].ns < 0) used->threads[i].ns = 0; /* One ended, another began. */
    }
}

int64_t cpu_total(const struct cpu *cpu) {
    int64_t total = 0;
    for (size_t i = 0; i < cpu->count; i++)
        total += cpu->threads[i].ns;
    return total;
}

void cpu_print_json(FILE *out, const struct cpu *cpu, double operations) {
    fputc('{', out);
    for (size_t i = 0; i < cpu->count; i++)
        fprintf(out, "%s\"%s\":%.3f", i == 0 ? "" : ",", cpu->threads[i].name,
                (double)cpu->threads[i].ns / 1e3 / operations);
    fputc('}', out);
}

void cpu_print_text(FILE *out, const struct cpu *cpu, double operations) {
    for (size_t i = 0; i < cpu->count; i++) {
        double us = (double)cpu->threads[i].ns / 1e3 / operations;
        if (us >= 0.05) fprintf(out, "  %s %.2f", cpu->threads[i].name, us);
    }
}

uint64_t memory_resident(pid_t pid) {
    char path[64], line[128];
    unsigned long long total = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    if (!read_line(path, line, sizeof line)) return 0;
    if (sscanf(line, "%llu %llu", &total, &resident) != 2) return 0;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- The rest ---------------------------------------------------------------------------- */

int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

FILE *results_open(const char *path) {
    FILE *file = fopen(path == NULL ? "/dev/null" : path, "ae");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}
