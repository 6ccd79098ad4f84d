/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats.h - what a container has used: CPU, memory, block devices, processes, network
 *
 * rt_stats_read() blocks on the kernel (a big host's memory.stat takes milliseconds) and needs no
 * state: it is for a job's thread. The parsers are pure; what they read comes from the kernel, but
 * a container's own processes can be the reason for what it says. Sources: the kernel's
 * admin-guide/cgroup-v1 (memory, cpuacct, blkio-controller), admin-guide/cgroup-v2, proc(5).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"

#define STAT_NAME	48
#define STAT_MEMORY_MAX 128  /* lines of memory.stat */
#define STAT_IO_MAX	1024 /* lines of one blkio file */
#define STAT_LINKS_MAX	1024
#define STAT_CPUS_MAX	8192
#define STAT_NO_LIMIT	UINT64_MAX

struct stat_pair {
	char name[STAT_NAME];
	uint64_t value;
};
struct stat_io {
	uint64_t major, minor, value;
	char op[16]; /* "read", "write", ... as the kernel writes it */
};
struct stat_link {
	char name[16];
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

struct stat_cpu {		      /* nanoseconds; owned: stat_cpu_done() */
	uint64_t total, user, kernel; /* the container's */
	uint64_t host;		      /* of all CPUs, idle time included */
	unsigned online;	      /* CPUs */
	uint64_t *percpu;	      /* v1 only */
	size_t n_percpu;
	uint64_t periods, throttled, throttled_ns;
};

struct rt_stats { /* owned: rt_stats_done() */
	bool v2;
	int64_t read_ns; /* real time */
	struct stat_cpu cpu;
	uint64_t memory, memory_max, memory_limit, memory_failures; /* limit: at most the host's */
	struct stat_pair *memory_stat;
	size_t n_memory_stat;
	struct stat_io *io_bytes, *io_count;
	size_t n_io_bytes, n_io_count;
	uint64_t pids, pids_limit; /* STAT_NO_LIMIT */
	struct stat_link *links;   /* without the loopback */
	size_t n_links;
};

struct runtime;
/* where a container's figures are; malloc'ed, for rt_stats_read() */
char *rt_stats_place(const struct runtime *r, const char *id);
/* @place: of rt_stats_place(); @pid: a process in its network namespace, 0: none are read.
 * -ENOENT: the container is gone */
int rt_stats_read(const char *place, pid_t pid, struct rt_stats *ret) MUST_CHECK;
void rt_stats_done(struct rt_stats *s);
void stat_cpu_done(struct stat_cpu *c);
int stat_cpu_copy(const struct stat_cpu *from, struct stat_cpu *to) MUST_CHECK; /* -ENOMEM */

/* ---- stats_parse.c: pure ---- */
/* the number behind "@key " at the start of a line. Return: it is there */
bool stats_value(const char *text, const char *key, uint64_t *ret);
/* a file of one number or "max" (STAT_NO_LIMIT); 0 where it is neither */
uint64_t stats_number(const char *text);
/* each -ENOMEM or 0; lines that are not as expected are passed over */
int stats_memory(const char *text, struct rt_stats *s) MUST_CHECK; /* memory.stat */
int stats_percpu(const char *text, struct stat_cpu *c) MUST_CHECK; /* cpuacct.usage_percpu */
/* blkio.*: "8:0 Read 4096" */
int stats_io_v1(const char *text, struct stat_io **ret, size_t *ret_n) MUST_CHECK;
/* io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." */
int stats_io_v2(const char *text, struct rt_stats *s) MUST_CHECK;
int stats_links(const char *text, struct rt_stats *s) MUST_CHECK; /* /proc/PID/net/dev */
/* the first line of /proc/stat: ticks of all CPUs, guests not counted twice */
uint64_t stats_host_ticks(const char *text);
