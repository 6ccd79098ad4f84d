/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.c - the bench's load, in the network namespace it is started in; bench/traffic.py compiles
 *it
 *
 *	load serve PORT			TCP: swallows or echoes, as the client's first byte says
 *	load echo PORT			UDP: sends back what comes
 *	load stream HOST PORT MS	one TCP stream: bytes
 *	load rr HOST PORT MS		64 bytes there and back, again and again: ns
 *	load crr HOST PORT N		connect, a byte there and back, close: ns, N times
 *	load connect HOST FILE N	N connects, the ports in turn from FILE: ns of each
 *	load udp HOST PORT MS		64 bytes there and back by UDP, one at a time
 *	load dns HOST PORT MS K NAME...	A questions, K under way: answers, ns
 *
 * LOAD_CPU in the environment pins it. A client prints one JSON object: count, seconds, cpu (its
 * own, in seconds, with what the kernel did in its name), and p50 and p90 in µs where it has them.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE	 64
#define CHUNK	 (128 << 10)
#define SAMPLES	 (1 << 20)
#define MAX_FDS	 65536
#define PATIENCE 500 /* ms without an answer: a datagram is lost */

static uint32_t samples[SAMPLES];
static size_t n_samples;
static char chunk[CHUNK];

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t mono(void)
{
	return now(CLOCK_MONOTONIC);
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void sample(uint64_t ns)
{
	samples[n_samples++ % SAMPLES] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int by_value(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void report(uint64_t count, uint64_t ns, unsigned lost)
{
	size_t n = n_samples < SAMPLES ? n_samples : SAMPLES;

	qsort(samples, n, sizeof(samples[0]), by_value);
	printf("{\"count\": %llu, \"seconds\": %.9f, \"cpu\": %.9f, \"lost\": %u",
	       (unsigned long long)count, (double)ns / 1e9,
	       (double)now(CLOCK_PROCESS_CPUTIME_ID) / 1e9, lost);
	if (n)
		printf(", \"p50\": %.3f, \"p90\": %.3f", samples[n / 2] / 1e3,
		       samples[n * 9 / 10] / 1e3);
	printf("}\n");
}

/* ---- addresses: v4, v6 ---- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address(const char *host, int port, union address *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons((uint16_t)port);
		return sizeof(a->v4);
	}
	if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) != 1)
		die("not an address");
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons((uint16_t)port);
	return sizeof(a->v6);
}

static int connected(const char *host, int port, int kind)
{
	union address a;
	socklen_t len = address(host, port, &a);
	int one = 1, fd = socket(a.any.sa_family, kind | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &a.any, len) < 0)
		die("connect");
	if (kind == SOCK_STREAM)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* on every address of both families; v4 alone where there is no IPv6 */
static int bound(int port, int kind)
{
	union address a;
	socklen_t len = address("::", port, &a);
	int one = 1, fd = socket(AF_INET6, kind | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		len = address("0.0.0.0", port, &a);
		fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, &a.any, len) < 0)
		die("bind");
	return fd;
}

/* ---- servers ---- */

static void serve_one(int ep, int fd, char mode[MAX_FDS])
{
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n <= 0) {
		(void)epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
		(void)close(fd);
		return;
	}
	if (!mode[fd])
		mode[fd] = chunk[0];
	if (mode[fd] == 'E' && send(fd, chunk, (size_t)n, MSG_NOSIGNAL) < 0)
		return; /* the next read tells */
}

static _Noreturn void serve(int port)
{
	static char mode[MAX_FDS];
	int fd = bound(port, SOCK_STREAM), ep = epoll_create1(EPOLL_CLOEXEC), one = 1;
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd}, got[64];

	if (listen(fd, 4096) < 0 || ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("listen");
	printf("ready\n");
	(void)fflush(stdout);
	for (;;) {
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			int c;

			if (got[i].data.fd != fd) {
				serve_one(ep, got[i].data.fd, mode);
				continue;
			}
			c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
			if (c < 0 || c >= MAX_FDS)
				continue;
			mode[c] = 0;
			(void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			ev = (struct epoll_event){.events = EPOLLIN, .data.fd = c};
			(void)epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev);
		}
	}
}

static _Noreturn void echo(int port)
{
	int fd = bound(port, SOCK_DGRAM);

	printf("ready\n");
	(void)fflush(stdout);
	for (;;) {
		union address from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, chunk, sizeof(chunk), 0, &from.any, &len);

		if (n > 0)
			(void)sendto(fd, chunk, (size_t)n, 0, &from.any, len);
	}
}

/* ---- TCP clients ---- */

static int stream(const char *host, int port, uint64_t ms)
{
	int fd = connected(host, port, SOCK_STREAM);
	uint64_t began, end, bytes = 0;

	memset(chunk, 'S', sizeof(chunk));
	began = mono();
	end = began + ms * 1000000;
	while (mono() < end) {
		ssize_t n = send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL);

		if (n < 0)
			die("write");
		bytes += (uint64_t)n;
	}
	report(bytes, mono() - began, 0);
	return 0;
}

static void there_and_back(int fd, size_t len)
{
	size_t got = 0;

	if (send(fd, chunk, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("write");
	while (got < len) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n <= 0)
			die("read");
		got += (size_t)n;
	}
}

static int rr(const char *host, int port, uint64_t ms)
{
	int fd = connected(host, port, SOCK_STREAM);
	uint64_t began, t, end;

	memset(chunk, 'E', MESSAGE);
	there_and_back(fd, MESSAGE);
	began = mono();
	end = began + ms * 1000000;
	for (t = began; t < end;) {
		uint64_t next;

		there_and_back(fd, MESSAGE);
		next = mono();
		sample(next - t);
		t = next;
	}
	report(n_samples, t - began, 0);
	return 0;
}

static int crr(const char *host, int port, uint64_t count)
{
	uint64_t began = mono();

	for (uint64_t i = 0; i < count; i++) {
		uint64_t t = mono();
		int fd = connected(host, port, SOCK_STREAM);

		chunk[0] = 'E';
		there_and_back(fd, 1);
		(void)close(fd);
		sample(mono() - t);
	}
	report(count, mono() - began, 0);
	return 0;
}

static int connects(const char *host, const char *file, uint64_t count)
{
	static int ports[65536];
	FILE *f = fopen(file, "re");
	uint64_t began = mono();
	size_t n = 0;

	while (f && n < 65536 && fscanf(f, "%d", &ports[n]) == 1)
		n++;
	if (!n)
		die("no ports");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t t = mono();
		int fd = connected(host, ports[i % n], SOCK_STREAM);

		sample(mono() - t);
		(void)close(fd);
	}
	report(count, mono() - began, 0);
	return 0;
}

/* ---- UDP clients ---- */

struct asking {
	int fd;
	size_t names, under_way;
	char **name;
	uint64_t *sent; /* by slot; the id is the slot */
	unsigned serial;
};

static size_t question(const char *name, uint16_t id, uint8_t *out)
{
	static const uint8_t head[12] = {0, 0, 1, 0, 0, 1}, tail[4] = {0, 1, 0, 1};
	uint8_t *p = out + 12;

	memcpy(out, head, 12);
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	while (*name) {
		size_t len = strcspn(name, ".");

		*p++ = (uint8_t)len;
		memcpy(p, name, len);
		p += len;
		name += len + (name[len] == '.');
	}
	*p++ = 0;
	memcpy(p, tail, 4);
	return (size_t)(p + 4 - out);
}

static void ask(struct asking *a, size_t slot)
{
	uint8_t q[300];
	size_t len = a->names ? question(a->name[a->serial++ % a->names], (uint16_t)slot, q)
			      : MESSAGE;

	if (!a->names)
		memset(q, 0, MESSAGE);
	a->sent[slot] = mono();
	(void)send(a->fd, q, len, 0);
}

static int datagrams(const char *host, int port, uint64_t ms, size_t under_way, char **names,
		     size_t n_names)
{
	struct asking a = {connected(host, port, SOCK_DGRAM),	n_names, under_way, names,
			   calloc(under_way, sizeof(uint64_t)), 0};
	struct pollfd p = {.fd = a.fd, .events = POLLIN};
	uint64_t began = mono(), end = began + ms * 1000000;
	unsigned lost = 0;

	if (!a.sent)
		die("memory");
	for (size_t i = 0; i < under_way; i++)
		ask(&a, i);
	while (mono() < end) {
		uint8_t r[2048];
		ssize_t n = recv(a.fd, r, sizeof(r), MSG_DONTWAIT);
		size_t slot;

		if (n < 0) {
			if (poll(&p, 1, PATIENCE) == 0)
				for (size_t i = 0; i < under_way; i++, lost++)
					ask(&a, i);
			continue;
		}
		slot = n >= 2 ? (size_t)(r[0] << 8 | r[1]) : under_way;
		if (slot >= under_way)
			continue;
		if (n_names && (n < 12 || (r[3] & 15) || !(r[6] << 8 | r[7]))) {
			fprintf(stderr, "rcode %d, %d answers\n", r[3] & 15, r[6] << 8 | r[7]);
			return 1;
		}
		sample(mono() - a.sent[slot]);
		ask(&a, slot);
	}
	report(n_samples, mono() - began, lost);
	free(a.sent);
	return 0;
}

int main(int argc, char **argv)
{
	const char *cpu = getenv("LOAD_CPU"), *verb = argc > 2 ? argv[1] : "";
	int port = argc > 3 ? atoi(argv[3]) : 0;
	uint64_t amount = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu) {
		CPU_SET(atoi(cpu), &set);
		(void)sched_setaffinity(0, sizeof(set), &set);
	}
	if (!strcmp(verb, "serve"))
		serve(atoi(argv[2]));
	if (!strcmp(verb, "echo"))
		echo(atoi(argv[2]));
	if (!strcmp(verb, "stream") && amount)
		return stream(argv[2], port, amount);
	if (!strcmp(verb, "rr") && amount)
		return rr(argv[2], port, amount);
	if (!strcmp(verb, "crr") && amount)
		return crr(argv[2], port, amount);
	if (!strcmp(verb, "connect") && amount)
		return connects(argv[2], argv[3], amount);
	if (!strcmp(verb, "udp") && amount)
		return datagrams(argv[2], port, amount, 1, NULL, 0);
	if (!strcmp(verb, "dns") && argc > 6)
		return datagrams(argv[2], port, amount, strtoull(argv[5], NULL, 10), argv + 6,
				 (size_t)argc - 6);
	fprintf(stderr, "see the head of load.c\n");
	return 2;
}
