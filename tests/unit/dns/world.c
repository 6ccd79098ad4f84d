/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - the harness of world.h */

#include "world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/ip.h"
#include "base/str.h"
#include "loop/loop.h"
#include "loop/spawn.h"
#include "messages.h"
#include "own.h"

#ifndef TEST_DIR
#error "TEST_DIR is where the helpers in Python are"
#endif

double now_ms(void)
{
	return (double)clock_mono_ns() / (double)NS_PER_MS;
}

static void lo_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0);
	close(fd);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	MUST(fs_write_atomic(path, text, strlen(text), mode) >= 0);
	MUST(chmod(path, mode) == 0);
}

bool world_new(struct world *w, const char *atoll_dns)
{
	auto_free char *script = NULL, *full = realpath(atoll_dns, NULL);

	memset(w, 0, sizeof(*w));
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return false;
	lo_up();
	snprintf(w->dir, sizeof(w->dir), "/tmp/atoll-dns-test-XXXXXX");
	MUST(mkdtemp(w->dir) && chmod(w->dir, 0755) == 0);
	snprintf(w->sock, sizeof(w->sock), "%s/dns.sock", w->dir);
	snprintf(w->resolv, sizeof(w->resolv), "%s/resolv.conf", w->dir);
	snprintf(w->program, sizeof(w->program), "%s/resolver", w->dir);
	script = str_printf("#!/bin/sh\nexec %s --resolv %s \"$@\"\n", full, w->resolv);
	MUST(full && script);
	write_file(w->program, script, 0755);
	world_resolv(w, "");
	MUST(loop_new(&w->loop) >= 0);
	return true;
}

void world_free(struct world *w)
{
	feed_shutdown(w->feed);
	loop_free(w->loop);
	MUST(fs_rm_tree(w->dir) >= 0);
}

void world_resolv(const struct world *w, const char *text)
{
	write_file(w->resolv, text, 0644);
}

static void found_sandbox(const char *sandbox, uint16_t port, void *data)
{
	struct world *w = data;
	size_t len = strlen(w->found);

	snprintf(w->found + len, sizeof(w->found) - len, "%s:%d ", sandbox, port > 0);
}

static void found_hold(const char *key, void *data)
{
	struct world *w = data;
	size_t len = strlen(w->found);

	snprintf(w->found + len, sizeof(w->found) - len, "%s ", key);
}

int world_open(struct world *w, struct err *e)
{
	struct feed_config c = {.program = w->program,
				.socket_path = w->sock,
				.mntns = -1,
				.life_fd = -1,
				.found_sandbox = found_sandbox,
				.found_hold = found_hold,
				.data = w};

	w->found[0] = '\0';
	return feed_open(w->loop, &c, &w->feed, e);
}

bool world_pump(struct world *w, bool (*done)(struct world *w), int ms)
{
	double end = now_ms() + ms;

	while (!done(w) && now_ms() < end)
		MUST(loop_run_once(w->loop, 20) >= 0);
	return done(w);
}

/* ---- boxes ---- */

static int bound(int type, uint16_t *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	sa.sin_addr.s_addr = htonl(0x7f00000b);
	MUST(fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	MUST(type != SOCK_STREAM || listen(fd, 64) == 0);
	MUST(getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

void box_new(struct box *b, const char *id)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct sockaddr_in sa = {.sin_family = AF_INET};

	*b = (struct box){.id = id};
	MUST(here >= 0 && unshare(CLONE_NEWNET) == 0);
	lo_up();
	b->udp = bound(SOCK_DGRAM, &b->port);
	b->tcp = bound(SOCK_STREAM, &b->port);
	sa.sin_addr.s_addr = htonl(0x7f00000b);
	sa.sin_port = htons(b->port);
	b->client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	MUST(b->client >= 0 && connect(b->client, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	b->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	MUST(b->netns >= 0 && setns(here, CLONE_NEWNET) == 0);
	close(here);
}

int box_connect(const struct box *b)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(b->port)};

	sa.sin_addr.s_addr = htonl(0x7f00000b);
	MUST(here >= 0 && setns(b->netns, CLONE_NEWNET) == 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	MUST(setns(here, CLONE_NEWNET) == 0);
	close(here);
	return fd;
}

void box_free(struct box *b)
{
	close(b->client);
	close(b->netns);
}

static void add_sandbox(struct world *w, const struct box *b, struct feed_sandbox *s)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), pool[FEED_POOL_MAX];
	struct err e = {0};

	s->id = b->id;
	s->port = b->port;
	s->udp = b->udp;
	s->tcp = b->tcp;
	s->pool = pool;
	MUST(here >= 0 && setns(b->netns, CLONE_NEWNET) == 0);
	s->n_pool = feed_pool_open(s->servers, pool);
	MUST(setns(here, CLONE_NEWNET) == 0);
	close(here);
	MUST(feed_sandbox_add(w->feed, s, &e) >= 0);
}

void box_add(struct world *w, struct box *b, bool external, char *const *servers)
{
	add_sandbox(w, b, &(struct feed_sandbox){.external = external, .servers = servers});
}

void box_add_ndots(struct world *w, struct box *b)
{
	add_sandbox(w, b, &(struct feed_sandbox){.external = true, .ndots = true});
}

void box_join(struct world *w, const struct box *b, const char *net, const char *addr,
	      const char *names)
{
	auto_free char *id = str_printf("id-of-%s", net);
	struct feed_endpoint ep = {.network_id = id, .network_name = net, .sandbox = b->id};
	auto_strv char **v = NULL, **addrs = NULL;
	struct err e = {0};
	struct ip ip;

	MUST(strv_split(names, " ", &v) >= 0 && strv_split(addr, " ", &addrs) >= 0);
	for (char **a = addrs; a && *a; a++) {
		MUST(ip_parse(*a, &ip) >= 0);
		ep.addr[ip_fam(ip)] = ip;
	}
	ep.names = v;
	MUST(feed_endpoint_set(w->feed, &ep, &e) >= 0);
}

/* ---- clients ---- */

const char *run(int netns, const char *fmt, ...)
{
	static char out[8192];
	auto_buf struct buf b = BUF_INIT(1u << 20);
	auto_free char *cmd = NULL;
	auto_strv char **argv = NULL;
	struct spawn s = SPAWN_INIT;
	va_list ap;

	va_start(ap, fmt);
	MUST(vasprintf(&cmd, fmt, ap) >= 0);
	va_end(ap);
	MUST(strv_split(cmd, " ", &argv) >= 0);
	s.argv = (const char *const *)argv;
	s.netns = netns;
	(void)spawn_wait(&s, &b);
	snprintf(out, sizeof(out), "%s", buf_str(&b));
	for (size_t n = strlen(out); n && (out[n - 1] == '\n' || out[n - 1] == ' '); n--)
		out[n - 1] = '\0';
	return out;
}

const char *dig(const struct box *b, const char *question)
{
	return run(b->netns, "dig @127.0.0.11 -p %u +tries=1 +time=6 +short %s", b->port, question);
}

const char *status(const struct box *b, const char *question)
{
	static char word[32];
	const char *out =
		run(b->netns, "dig @127.0.0.11 -p %u +tries=1 +time=6 %s", b->port, question);
	const char *at = strstr(out, "status: ");

	if (!at)
		return out;
	at += strlen("status: ");
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, ","), at);
	return word;
}

const char *quick(const struct box *b, const char *text, int ms)
{
	static const char *const rcodes[] = {"NODATA",	 "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED"};
	static uint16_t id;
	static char addr[IP_STR];
	struct msg m = query(text, TYPE_A, false);
	struct ip ip;
	uint8_t in[4096];
	double end = now_ms() + ms;

	id++;
	m.data[0] = (uint8_t)(id >> 8);
	m.data[1] = (uint8_t)id;
	MUST(send(b->client, m.data, m.len, 0) == (ssize_t)m.len);
	for (;;) {
		struct pollfd p = {.fd = b->client, .events = POLLIN};
		int left = (int)(end - now_ms());
		ssize_t n;

		if (left <= 0 || poll(&p, 1, left) <= 0)
			return "none";
		n = recv(b->client, in, sizeof(in), MSG_DONTWAIT);
		if (n < DNS_HEADER || memcmp(in, m.data, 2) != 0)
			continue; /* of an earlier question */
		if (in[3] & 15 || !in[7])
			return rcodes[MIN(in[3] & 15, 5)];
		MUST(ip_from_bytes(in + m.len + 12, 4, &ip) >= 0);
		return ip_str(ip, addr);
	}
}

pid_t upstream_start(int netns, const char *args)
{
	auto_free char *cmd = str_printf("/usr/bin/python3 %s/upstream.py %s", TEST_DIR, args);
	auto_strv char **argv = NULL;
	struct spawn s = SPAWN_INIT;
	char line[16];
	int fds[2];
	pid_t pid;

	MUST(cmd && strv_split(cmd, " ", &argv) >= 0 && pipe2(fds, O_CLOEXEC) == 0);
	s.argv = (const char *const *)argv;
	s.out = fds[1];
	s.err = 2;
	s.netns = netns;
	s.die_with_parent = true;
	pid = spawn_start(&s, NULL);
	close(fds[1]);
	MUST(pid > 0 && read(fds[0], line, sizeof(line)) > 0);
	close(fds[0]);
	return pid;
}

void stop(pid_t pid)
{
	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, NULL, 0) == pid);
}
