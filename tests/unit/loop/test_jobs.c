/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_jobs.c - work on the pool's threads, its end on the loop's */

#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "tap.h"

static struct loop *l;
static pthread_t loop_thread;
static unsigned done_count, wrong_thread;

struct work {
	int in, out;
	pthread_barrier_t *together;
};

static int square(void *data)
{
	struct work *w = data;

	wrong_thread += pthread_equal(pthread_self(), loop_thread) != 0;
	if (w->together)
		(void)pthread_barrier_wait(w->together);
	return w->in * w->in;
}

static void squared(int result, void *data)
{
	struct work *w = data;

	wrong_thread += !pthread_equal(pthread_self(), loop_thread);
	w->out = result;
	done_count++;
}

static void settle(struct job_pool *p)
{
	int64_t end = clock_mono_ns() + 5 * NS_PER_S;

	while (job_pending(p) && clock_mono_ns() < end)
		(void)loop_run_once(l, 100);
}

static void many(struct job_pool *p)
{
	static struct work list[200];
	unsigned bad = 0;

	for (int i = 0; i < 200; i++) {
		list[i].in = i;
		bad += job_run(p, square, squared, &list[i]) < 0;
	}
	is_int(job_pending(p), 200, "200 jobs wait or run");
	is_int(done_count, 0, "none ends before the loop turns");
	settle(p);
	for (int i = 0; i < 200; i++)
		bad += list[i].out != i * i;
	is_int(bad, 0, "each with its result");
	is_int(done_count, 200, "each told once");
	is_int(wrong_thread, 0, "worked there, told here");
}

/* Two that wait for each other: only two threads can do that. */
static void side_by_side(struct job_pool *p)
{
	pthread_barrier_t both;
	struct work a = {.in = 3, .together = &both}, b = {.in = 4, .together = &both};

	(void)pthread_barrier_init(&both, NULL, 2);
	ok(job_run(p, square, squared, &a) == 0 && job_run(p, square, squared, &b) == 0, "two");
	settle(p);
	ok(a.out == 9 && b.out == 16, "at the same time");
	(void)pthread_barrier_destroy(&both);
}

static int masked(void *data)
{
	sigset_t now;

	(void)data;
	(void)pthread_sigmask(SIG_SETMASK, NULL, &now);
	return sigismember(&now, SIGTERM) && sigismember(&now, SIGCHLD);
}

static void at_the_end(struct job_pool *p)
{
	static struct work list[50];
	unsigned bad = 0;

	done_count = 0;
	for (int i = 0; i < 50; i++) {
		list[i] = (struct work){.in = i};
		bad += job_run(p, square, squared, &list[i]) < 0;
	}
	job_pool_free(p);
	is_int(bad, 0, "some more");
	is_int(done_count, 50, "freeing the pool waits for all and tells");
}

int main(void)
{
	struct job_pool *p = NULL;
	struct work signals = {0};

	loop_thread = pthread_self();
	if (loop_new(&l) < 0 || job_pool_new(l, 2, &p) < 0)
		return 1;
	many(p);
	side_by_side(p);
	ok(job_run(p, masked, squared, &signals) == 0, "signals");
	settle(p);
	is_int(signals.out, 1, "are the loop thread's");
	ok(job_run(p, masked, NULL, NULL) == 0, "a job whose end nobody waits for");
	at_the_end(p);
	job_pool_free(NULL);
	loop_free(l);
	return tap_done();
}
