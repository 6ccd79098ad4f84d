/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atoll-dns.c - the containers' resolver: arguments, isolation, loop (docs/internals/dns.md) */

#include <fcntl.h>
#include <getopt.h>
#include <string.h>

#include "base/log.h"
#include "dns/isolate.h"
#include "dns/server.h"
#include "loop/loop.h"

struct options {
	const char *socket, *resolv;
	enum log_level level;
};

static int usage(FILE *to, int code)
{
	(void)fputs(
		"Usage: atoll-dns --socket PATH [--resolv PATH] [--log-level LEVEL]\n"
		"Answers containers' DNS questions. Started and told what to answer by atolld.\n",
		to);
	return code;
}

/* Return: 0, or the exit code + 1 */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"socket", required_argument, NULL, 's'},
					      {"resolv", required_argument, NULL, 'r'},
					      {"log-level", required_argument, NULL, 'l'},
					      {"version", no_argument, NULL, 'v'},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		switch (c) {
		case 's':
			o->socket = optarg;
			break;
		case 'r':
			o->resolv = optarg;
			break;
		case 'l':
			if (log_parse_level(optarg, &o->level) < 0)
				return usage(stderr, 2) + 1;
			break;
		case 'v':
			(void)printf("atoll-dns %s\n", ATOLL_VERSION);
			return 1;
		case 'h':
			return usage(stdout, 0) + 1;
		default:
			return usage(stderr, 2) + 1;
		}
	}
	return o->socket && optind == argc ? 0 : usage(stderr, 2) + 1;
}

static void on_term(UNUSED int signo, void *data)
{
	loop_exit(data, 0);
}

/* Whoever started us reads the end of our standard output as "ready". */
static void say_ready(int null)
{
	if (dup3(null, STDOUT_FILENO, O_CLOEXEC) < 0)
		log_debug("cannot let go of the standard output: %s", strerror(errno));
}

static int serve(const struct options *o, const struct control_socket *sock, int null,
		 struct err *e)
{
	auto_(loop_free) struct loop *loop = NULL;
	struct server *s = NULL;
	struct source *term;
	int r = loop_new(&loop);

	if (r >= 0)
		r = loop_signal(loop, SIGTERM, on_term, loop, &term);
	if (r < 0)
		return err_sys(e, -r, "cannot make the event loop");
	r = server_new(loop, o->resolv, &s, e);
	if (r < 0)
		return r;
	r = control_new(s, sock, e);
	if (r >= 0) {
		say_ready(null);
		log_debug("serving socket=%s resolv=%s", o->socket, o->resolv);
		r = loop_run(loop);
		if (r < 0)
			(void)err_sys(e, -r, "the event loop failed");
	}
	server_free(s);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = {.resolv = "/etc/resolv.conf", .level = LOG_INFO};
	struct control_socket sock = {-EBADF, -EBADF, 0};
	struct err e = {0};
	int r = parse(argc, argv, &o), null = -EBADF;

	if (r)
		return r - 1;
	log_setup("atoll-dns", o.level, false);
	r = isolate_initial(&e);
	if (r >= 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		r = null < 0 ? err_sys(&e, errno, "cannot open /dev/null") : 0;
	}
	if (r >= 0)
		r = control_listen(o.socket, &sock, &e);
	if (r >= 0)
		r = isolate_limits(&e);
	if (r >= 0)
		r = isolate_user(&e);
	if (r >= 0)
		r = isolate_privileges(&e);
	if (r >= 0)
		r = isolate_syscalls(&e);
	if (r >= 0)
		r = serve(&o, &sock, null, &e);
	if (r < 0) {
		log_error("%s", e.msg);
		return 1;
	}
	return r;
}
