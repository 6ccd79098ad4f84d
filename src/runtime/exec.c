/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec.c - one more process in a running container, by a shim of its own
 *
 * The shim is born with our end of its attach socket, so that no byte is lost. The exit code comes
 * by the status socket; the folder run/<id>/exec/<eid> is removed then.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/internal.h"

struct rexec {
	struct runtime *r;
	char *id, *exec_id;
	struct rt_attach *attach;
	void (*cb)(int pid_or_err, struct rt_attach *a, const struct err *e, void *data);
	void (*on_exit)(int exit_code, void *data);
	void *data;
};

static void rexec_free(struct rexec *x)
{
	auto_free char *dir = x->exec_id ? rt_path(x->r, x->id, x->exec_id, NULL) : NULL;

	if (dir && fs_rm_tree(dir) < 0)
		log_debug("the folder of an exec stays until its container goes exec=%s",
			  x->exec_id);
	free(x->id);
	free(x->exec_id);
	free(x);
}

/* Our end becomes the attach. Return: the shim's end */
static int make_client(struct rexec *x, const struct rt_attach_ops *ops)
{
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	rc = attach_new(x->r, pair[0], ops, &x->attach);
	if (rc < 0) {
		(void)close(pair[1]);
		return rc;
	}
	attach_hold(x->attach, &x->attach);
	return pair[1];
}

static void made(int pid_or_err, const struct err *e, void *data)
{
	struct rexec *x = data;

	if (pid_or_err > 0) {
		x->cb(pid_or_err, x->attach, NULL, x->data);
		if (x->attach) /* he may have closed it */
			attach_uncork(x->attach);
		return;
	}
	if (x->attach)
		rt_attach_close(x->attach);
	x->cb(pid_or_err, NULL, e, x->data);
	rexec_free(x);
}

static void ended(int exit_code, void *data)
{
	struct rexec *x = data;

	x->on_exit(exit_code, x->data);
	if (x->attach)
		attach_let_end(x->attach);
	rexec_free(x);
}

static void dropped(void *data)
{
	struct rexec *x = data;

	if (x->attach)
		rt_attach_close(x->attach);
	free(x->id);
	free(x->exec_id);
	free(x);
}

static int write_process(struct runtime *r, const struct rt_exec *x, struct err *e)
{
	auto_free char *dir = rt_path(r, x->id, x->exec_id, NULL);
	auto_free char *path = rt_path(r, x->id, x->exec_id, "process.json");
	auto_buf struct buf text = BUF_INIT(4u << 20);
	int rc = dir && path ? spec_exec_process(r, x, &text, e) : err_nomem(e);

	if (rc < 0)
		return rc;
	if (buf_err(&text))
		return err_nomem(e);
	rc = fs_mkdir_p(dir, 0700);
	if (rc >= 0)
		rc = fs_write(path, text.data, text.len, 0600);
	return rc < 0 ? err_sys(e, -rc, "cannot write %s", path) : 0;
}

int rt_exec_start(struct runtime *r, const struct rt_exec *rx, const struct rt_attach_ops *attach,
		  void (*cb)(int pid_or_err, struct rt_attach *a, const struct err *e, void *data),
		  void (*on_exit)(int exit_code, void *data), void *data, struct err *e)
{
	struct shim_args a = {.id = rx->id,
			      .exec_id = rx->exec_id,
			      .tty = rx->tty,
			      .open_stdin = rx->open_stdin,
			      .stdin_once = true,
			      .client_fd = -EBADF};
	struct rexec *x = calloc(1, sizeof(*x));
	struct sync_ops ops = {made, ended, dropped, x};
	int rc;

	if (!x)
		return err_nomem(e);
	*x = (struct rexec){.r = r, .cb = cb, .on_exit = on_exit, .data = data};
	x->id = strdup(rx->id);
	x->exec_id = strdup(rx->exec_id);
	rc = x->id && x->exec_id ? write_process(r, rx, e) : err_nomem(e);
	if (rc >= 0 && attach) {
		rc = a.client_fd = make_client(x, attach);
		rc = rc < 0 ? err_sys(e, -rc, "cannot attach to an exec of %s", rx->id) : rc;
	}
	if (rc >= 0)
		rc = shim_start(r, &a, &ops, e);
	(void)fd_close(a.client_fd);
	if (rc < 0) {
		if (x->attach)
			rt_attach_close(x->attach);
		rexec_free(x);
	}
	return rc < 0 ? rc : 0;
}
