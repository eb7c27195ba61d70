/*
 * What benchmarks measure with: a histogram of latencies, the processor time of a process's threads, and answers as lines of JSON
 * beside the table on stdout.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Latencies in nanoseconds. A bucket is a power of two cut into 64 parts, so that a quantile is at most 1.6 % off, in constant
 * memory however long the run.
 */
enum { HISTOGRAM_PARTS = 64, HISTOGRAM_BUCKETS = 60 * HISTOGRAM_PARTS };

struct histogram {
    uint64_t count;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram, int64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* quantile: 0 to 1. In microseconds; 0 of an empty histogram. */
double histogram_us(const struct histogram *histogram, double quantile);

/* Processor time by thread name. Threads of one name are added up; those that ended are not seen. */
enum { CPU_NAMES_MAX = 16 };

struct cpu {
    size_t count;
    struct {
        char name[16];
        int64_t ns;
    } threads[CPU_NAMES_MAX];
};

/* Reads it from /proc; a process that is gone has no threads. */
void cpu_read(pid_t pid, struct cpu *cpu);
/* Adds that of its children, each a process of its own, by the same names. */
void cpu_add_children(pid_t pid, struct cpu *cpu);
/* What was used between the two, by name, in cpu `after`'s order. */
void cpu_since(const struct cpu *before, const struct cpu *after, struct cpu *used);
int64_t cpu_total(const struct cpu *cpu);
/* {"name": µs per operation, …} */
void cpu_print_json(FILE *out, const struct cpu *cpu, double operations);
/* "sequencer 7.1  loop 12.0", in microseconds per operation, leaving out what is below 0.05. */
void cpu_print_text(FILE *out, const struct cpu *cpu, double operations);

/* Calls back for each child of a process. */
void process_children(pid_t pid, void (*each)(pid_t child, void *context), void *context);

/* Resident memory of a process in bytes; 0 when it is gone. */
uint64_t memory_resident(pid_t pid);

/* Monotonic nanoseconds. */
int64_t now_ns(void);

/* Where the JSON lines go: the named file, appended to; a sink when path is NULL. Ends the program when it cannot. */
FILE *results_open(const char *path);

#endif
