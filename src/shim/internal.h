/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the files of shim/ share
 *
 * The shim is small on purpose: one of it lives beside each container for as long as that runs. It
 * is linked statically, uses poll(2) and static memory; only a client that reads too slowly costs
 * a queue from the heap.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/shim.h"

/* Descriptors that atolld gives. */
#define FD_STATUS  3
#define FD_RUNTIME 4 /* the runtime's program, open for execveat(2) */
#define FD_CLIENT  5 /* the first client, of an exec */

#define LINE_MAX_BYTES (16u << 10) /* a longer line goes to the log in pieces, as in Docker */

struct log_options {
	const char *path;   /* NULL: no log */
	bool json;	    /* Docker's json-file; else our local format */
	int64_t max_size;   /* bytes of one file, 0: no limit */
	unsigned max_files; /* with the one that is written, at least 1 */
	const char *attrs;  /* JSON object for each line, or NULL */
	int64_t buffer;	    /* non-blocking with so many bytes in between; 0: blocking */
};

struct options {
	const char *container, *process; /* ids; of an exec they differ */
	const char *root;		 /* of the runtime's state */
	const char *exit_path;		 /* the exit file; NULL: an exec */
	bool is_exec, tty, open_stdin, stdin_once, attached;
	struct log_options log;
};

/* One end of the process's standard output or error; a terminal has only the first. */
struct output {
	int stream; /* 1, 2 */
	int fd;
	size_t len; /* of the unfinished line */
	int64_t begun_ns;
	bool partial; /* pieces of this line are in the log already */
	char line[LINE_MAX_BYTES];
};

struct shim {
	struct options o;
	int status, signals, listener, console; /* -1 where there is none */
	pid_t runtime, process;
	bool made, ended, drained;
	int exit_code;
	int64_t ended_ns; /* monotonic: how long the outputs are waited for */
	struct output out[2];
	int in;			   /* the process's input; a terminal's is out[0].fd */
	unsigned short rows, cols; /* of a terminal that is not there yet; 0: nobody said */
	struct list clients;
	unsigned n_clients;
};

/* ---- launch.c: the runtime's run, the process's end ---- */
int launch_start(struct shim *s) MUST_CHECK;	       /* stdio made, the runtime started */
void launch_console(struct shim *s);		       /* the runtime sends the terminal */
void launch_reap(struct shim *s);		       /* children ended */
void launch_exit_file(const struct shim *s);	       /* all is over: the exit code is written */
void say(struct shim *s, const struct shim_packet *p); /* to atolld, if it is still there */

/* ---- streams.c: what the process says and hears ---- */
bool streams_open(const struct shim *s); /* more output may come */
void streams_read(struct shim *s, struct output *o);
void streams_close(struct shim *s); /* nothing more is read: last lines to the log */
/* Return: bytes of input taken; 0 none now; -1 the process does not read any more */
ssize_t streams_write(struct shim *s, const char *data, size_t len);
void streams_eof(struct shim *s);
int streams_input_fd(const struct shim *s);
void streams_size(struct shim *s, unsigned rows,
		  unsigned cols); /* kept until there is a terminal */

/* ---- clients.c: who is attached ---- */
int clients_listen(struct shim *s) MUST_CHECK;
void clients_accept(struct shim *s); /* all that wait */
int clients_add(struct shim *s, int fd, unsigned flags) MUST_CHECK;
void clients_output(struct shim *s, int stream, const char *data, size_t len);
bool clients_full(const struct shim *s); /* one of them has enough: do not read on */
bool clients_partials(const struct shim *s);
bool clients_waiting(const struct shim *s); /* some have not got everything yet */
bool clients_input(const struct shim *s);   /* bytes wait for the process */
size_t clients_poll(struct shim *s, struct pollfd *fds);
void clients_ready(struct shim *s, const struct pollfd *fds, size_t n);
void clients_feed(struct shim *s); /* the process's input takes more */
void clients_close(struct shim *s);

/* ---- log.c: lines to records; logfile.c: files of a log ---- */
int log_begin(const struct log_options *o) MUST_CHECK;
/* @partial: the line goes on in the next record. Never fails: what cannot be written is counted */
void log_record(int stream, int64_t ns, bool partial, const char *text, size_t len);
void log_flush(void); /* to the file, after each batch of records */
void log_end(void);

#define RECORD_MAX (6 * LINE_MAX_BYTES + (8u << 10)) /* each byte may become \u00xx; attributes */
struct log_entry {
	int stream;
	int64_t ns;
	bool partial;
	const char *text;
	size_t len;
};
/* One record in the log's format. Return: its length, 0 where it does not fit */
size_t log_format(const struct log_options *o, const struct log_entry *e, char *room, size_t size);

int logfile_open(const struct log_options *o) MUST_CHECK;
void logfile_put(const char *record, size_t len); /* collected */
void logfile_flush(void);
void logfile_close(void);
uint64_t logfile_lost(void); /* records not written since the last that was; 0 again after it */
