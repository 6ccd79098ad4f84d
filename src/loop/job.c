/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job.c - a small thread pool; results come back over an eventfd */

#include "loop/job.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "base/list.h"
#include "loop/loop.h"

#define THREADS_MAX 8

struct job {
	struct list node;
	job_work_fn work;
	job_done_fn done;
	void *data;
	int result;
};

struct job_pool {
	struct loop *loop;
	struct source *source;
	int efd;
	pthread_mutex_t lock; /* guards the two lists and @stop */
	pthread_cond_t more;
	struct list todo, ended;
	bool stop;
	pthread_t threads[THREADS_MAX];
	unsigned n_threads;
	unsigned pending; /* loop thread only */
};

static void *worker(void *data)
{
	struct job_pool *p = data;

	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		struct job *j;
		uint64_t one = 1;

		while (list_empty(&p->todo) && !p->stop)
			(void)pthread_cond_wait(&p->more, &p->lock);
		if (list_empty(&p->todo))
			break;
		j = list_entry(p->todo.next, struct job, node);
		list_remove(&j->node);
		(void)pthread_mutex_unlock(&p->lock);
		j->result = j->work(j->data);
		(void)pthread_mutex_lock(&p->lock);
		list_append(&p->ended, &j->node);
		if (write(p->efd, &one, sizeof(one)) < 0)
			continue; /* full: the loop is being woken already */
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void deliver(struct job_pool *p)
{
	for (;;) {
		struct job *j = NULL;

		(void)pthread_mutex_lock(&p->lock);
		if (!list_empty(&p->ended)) {
			j = list_entry(p->ended.next, struct job, node);
			list_remove(&j->node);
		}
		(void)pthread_mutex_unlock(&p->lock);
		if (!j)
			return;
		p->pending--;
		if (j->done)
			j->done(j->result, j->data);
		free(j);
	}
}

static void woken(int fd, uint32_t events, void *data)
{
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) >= 0)
		deliver(data);
}

int job_pool_new(struct loop *l, unsigned threads, struct job_pool **ret)
{
	struct job_pool *p = calloc(1, sizeof(*p));
	sigset_t all, old;
	int r = 0;

	if (!p)
		return -ENOMEM;
	p->loop = l;
	list_init(&p->todo);
	list_init(&p->ended);
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->more, NULL);
	p->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->efd < 0)
		r = -errno;
	if (r >= 0)
		r = loop_io(l, p->efd, EPOLLIN, woken, p, &p->source);
	/* signals are the loop thread's */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	while (r >= 0 && p->n_threads < MIN(threads, (unsigned)THREADS_MAX)) {
		r = -pthread_create(&p->threads[p->n_threads], NULL, worker, p);
		p->n_threads += r >= 0;
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0) {
		job_pool_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void job_pool_free(struct job_pool *p)
{
	if (!p)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->stop = true;
	(void)pthread_cond_broadcast(&p->more);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		(void)pthread_join(p->threads[i], NULL);
	deliver(p);
	(void)source_free(p->source);
	(void)fd_close(p->efd);
	(void)pthread_cond_destroy(&p->more);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

int job_run(struct job_pool *p, job_work_fn work, job_done_fn done, void *data)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	*j = (struct job){.work = work, .done = done, .data = data};
	p->pending++;
	(void)pthread_mutex_lock(&p->lock);
	list_append(&p->todo, &j->node);
	(void)pthread_cond_signal(&p->more);
	(void)pthread_mutex_unlock(&p->lock);
	return 0;
}

unsigned job_pending(const struct job_pool *p)
{
	return p->pending;
}
