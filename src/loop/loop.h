/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - the event loop: one thread, epoll, that owns all state of a daemon
 *
 * Everything here is called on the loop thread, but for what loop/job.h runs elsewhere. Callbacks
 * may free any source, their own included. Sources are freed by source_free() or with the loop.
 * Sources: epoll(7), timerfd_create(2), signalfd(2), pidfd_open(2).
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "base/auto.h"

struct loop;
struct source;

typedef void (*loop_io_fn)(int fd, uint32_t events, void *data);
typedef void (*loop_fn)(void *data);
typedef void (*loop_signal_fn)(int signo, void *data);
/* @status as from waitpid(2); -1 if the child was not ours to reap (only its end is known) */
typedef void (*loop_child_fn)(pid_t pid, int status, void *data);

int loop_new(struct loop **ret) MUST_CHECK;
void loop_free(struct loop *l); /* NULL allowed; frees all sources without calling them */
DEFINE_AUTO(struct loop, loop_free);
int loop_run(struct loop *l); /* until loop_exit(); returns its code, or -errno */
int loop_run_once(struct loop *l, int timeout_ms); /* one turn (tests); -1 waits. 0/-errno */
void loop_exit(struct loop *l, int code);

/* @fd stays the caller's and must outlive the source */
int loop_io(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *data,
	    struct source **ret) MUST_CHECK;
int source_io_events(struct source *s, uint32_t events); /* change the interest set */
/* one-shot after @ms (monotonic); rearm with source_timer_set; @ms < 0 leaves it disarmed */
int loop_timer(struct loop *l, int64_t ms, loop_fn fn, void *data, struct source **ret) MUST_CHECK;
void source_timer_set(struct source *s, int64_t ms);
int loop_signal(struct loop *l, int signo, loop_signal_fn fn, void *data,
		struct source **ret) MUST_CHECK; /* blocks @signo in this thread */
/* runs once, on the next turn, then frees itself; @ret may be NULL */
int loop_defer(struct loop *l, loop_fn fn, void *data, struct source **ret) MUST_CHECK;
/* runs before every wait; returns the longest wait in ms it can accept (-1 any): libmicrohttpd */
typedef int (*loop_prepare_fn)(void *data);
int loop_prepare(struct loop *l, loop_prepare_fn fn, void *data, struct source **ret) MUST_CHECK;
/* one-shot: @pidfd is borrowed if >= 0, else opened here; a child of ours is reaped */
int loop_child(struct loop *l, pid_t pid, int pidfd, loop_child_fn fn, void *data,
	       struct source **ret) MUST_CHECK;

struct source *source_free(struct source *s); /* NULL allowed; returns NULL */
DEFINE_AUTO(struct source, source_free);
