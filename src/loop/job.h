/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * job.h - what blocks in the kernel and needs no state: run on a small thread pool, by value
 *
 * @work runs on a pool thread, touches only its own @data; @done runs on the loop thread with the
 * result. Jobs are never cancelled. job_pool_free() waits for those running and calls their done.
 */
#pragma once

#include "base/auto.h"

struct loop;
struct job_pool;

typedef int (*job_work_fn)(void *data);
typedef void (*job_done_fn)(int result, void *data);

int job_pool_new(struct loop *l, unsigned threads, struct job_pool **ret) MUST_CHECK;
void job_pool_free(struct job_pool *p);
DEFINE_AUTO(struct job_pool, job_pool_free);
int job_run(struct job_pool *p, job_work_fn work, job_done_fn done, void *data) MUST_CHECK;
/* loop-thread only: how many are queued or running (shutdown, tests) */
unsigned job_pending(const struct job_pool *p);
