/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_relay.c - relayed connections and datagrams, in this process: ends and resets go through,
 * limits hold, other work of the loop is not kept waiting. Argument: the program (for the world).
 */

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "dns/relay.h"
#include "loop/loop.h"
#include "tap.h"
#include "world.h"

static struct world w;
static struct relays *all;

static void die(const char *what)
{
	perror(what);
	abort();
}

static struct ip ip_of(const char *text)
{
	struct ip ip;

	if (ip_parse(text, &ip) < 0)
		abort();
	return ip;
}

/* A socket bound to @text, port 0: any. Return: the descriptor, its port in *port */
static int bound(const char *text, int type, uint16_t *port)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_sockaddr(ip_of(text), *port, &sa);
	int fd = socket(sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0;

	/* as atolld reserves a port */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) < 0) {
		close(fd);
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
	len = sizeof(sa);
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		die("getsockname");
	*port = ntohs(((struct sockaddr_in *)&sa)->sin_port); /* at one place in both */
	return fd;
}

/* A client of @text, from another address where it calls fd00::2 */
static int called(const char *text, int type, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_sockaddr(ip_of("fd00::3"), 0, &sa);
	int fd = socket(strchr(text, ':') ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);

	if (!strcmp(text, "fd00::2") && bind(fd, (struct sockaddr *)&sa, len) < 0)
		die("bind");
	len = ip_sockaddr(ip_of(text), port, &sa);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, len) < 0) {
		close(fd);
		return -1;
	}
	if (fd_nonblock(fd) < 0)
		die("nonblock");
	return fd;
}

static bool ready(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, 0) == 1;
}

static bool soon(int fd, short events)
{
	for (double end = now_ms() + 3000; now_ms() < end && !ready(fd, events);)
		if (loop_run_once(w.loop, 5) < 0)
			die("loop");
	return ready(fd, events);
}

static void turns(int n)
{
	while (n--)
		if (loop_run_once(w.loop, 0) < 0)
			die("loop");
}

/* What arrives next, as text; "end", "reset", "nothing". */
static const char *got(int fd)
{
	static char text[256];
	ssize_t n;

	if (!soon(fd, POLLIN))
		return "nothing";
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n <= 0)
		return n == 0 ? "end" : errno == ECONNRESET ? "reset" : strerror(errno);
	text[n] = '\0';
	return text;
}

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		die("send");
}

struct pair {
	uint16_t port; /* where clients call */
	int held, server;
	struct relay *relay;
	struct relay_to to;
};

static void pair_new(struct pair *p, const char *held, const char *server, uint8_t proto)
{
	int type = proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;

	*p = (struct pair){.to = {.proto = proto, .target = ip_of(server)}};
	p->held = bound(held, type, &p->port);
	p->server = bound(server, type, &p->to.port);
	if (p->held < 0 || p->server < 0 || (proto == IPPROTO_TCP && listen(p->server, 1024) < 0))
		die("sockets");
	is_int(relay_new(all, p->held, &p->to, &p->relay), 0, "relay %s to %s", held, server);
}

static void pair_free(struct pair *p)
{
	p->relay = relay_free(p->relay);
	close(p->held);
	close(p->server);
}

static int taken(const struct pair *p)
{
	return soon(p->server, POLLIN)
		       ? accept4(p->server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
		       : -1;
}

/* ---- TCP ---- */

static void both_ways(const char *held, const char *server)
{
	struct pair p;
	int c, s;

	pair_new(&p, held, server, IPPROTO_TCP);
	c = called(held, SOCK_STREAM, p.port);
	s = taken(&p);
	ok(c >= 0 && s >= 0, "through");
	say(c, "ping");
	is_str(got(s), "ping", "there");
	say(s, "pong");
	is_str(got(c), "pong", "and back");

	say(c, "last words");
	(void)shutdown(c, SHUT_WR);
	is_str(got(s), "last words", "half-closed: what was said");
	is_str(got(s), "end", "and the end");
	say(s, "answer");
	is_str(got(c), "answer", "the other way is still open");
	close(s);
	is_str(got(c), "end", "until it ends, too");
	close(c);

	c = called(held, SOCK_STREAM, p.port);
	s = taken(&p);
	(void)shutdown(s, SHUT_WR);
	is_str(got(c), "end", "the target ends first");
	say(c, "still talking");
	is_str(got(s), "still talking", "and listens");
	close(c);
	is_str(got(s), "end", "both ended");
	close(s);
	pair_free(&p);
	ok(called(held, SOCK_STREAM, p.port) < 0, "freed: nobody listens");
}

static void breaks(void)
{
	const struct linger hard = {.l_onoff = 1};
	struct pair p;
	uint16_t unused = 0;
	struct relay_to nowhere;
	int c, s, fd;

	pair_new(&p, "::1", "127.0.0.1", IPPROTO_TCP);
	c = called("::1", SOCK_STREAM, p.port);
	s = taken(&p);
	(void)setsockopt(s, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(s);
	is_str(got(c), "reset", "a reset of the target is one for the client");
	close(c);
	c = called("::1", SOCK_STREAM, p.port);
	s = taken(&p);
	(void)setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c);
	is_str(got(s), "reset", "and the other way round");
	close(s);

	fd = bound("127.0.0.1", SOCK_STREAM, &unused);
	nowhere = (struct relay_to){IPPROTO_TCP, ip_of("127.0.0.1"), unused};
	relay_move(p.relay, &nowhere);
	c = called("::1", SOCK_STREAM, p.port);
	is_str(got(c), "reset", "nobody at the target");
	close(c);
	close(fd);
	pair_free(&p);
}

static void moved(void)
{
	struct pair p;
	struct relay_to next;
	int c1, s1, c2, s2, server;

	pair_new(&p, "::1", "127.0.0.1", IPPROTO_TCP);
	c1 = called("::1", SOCK_STREAM, p.port);
	s1 = taken(&p);
	next = (struct relay_to){.proto = IPPROTO_TCP, .target = ip_of("127.0.0.2")};
	server = bound("127.0.0.2", SOCK_STREAM, &next.port);
	if (listen(server, 8) < 0)
		die("listen");
	relay_move(p.relay, &next);
	c2 = called("::1", SOCK_STREAM, p.port);
	s2 = soon(server, POLLIN) ? accept(server, NULL, NULL) : -1;
	ok(s2 >= 0, "moved: the next connection goes to the new target");
	say(c1, "old");
	is_str(got(s1), "old", "the earlier one stays");
	close(c1);
	close(s1);
	close(c2);
	close(s2);
	close(server);
	pair_free(&p);
}

/* A megabyte or so each way at once, in uneven pieces, readers slower than writers. */
static void bulk(void)
{
	enum { SIZE = 3000000 };
	static uint8_t data[SIZE], back[2][SIZE];
	size_t sent[2] = {0}, read_[2] = {0};
	struct pair p;
	int fd[2];

	for (size_t i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 24);
	pair_new(&p, "::1", "127.0.0.1", IPPROTO_TCP);
	fd[0] = called("::1", SOCK_STREAM, p.port);
	fd[1] = taken(&p);
	for (double end = now_ms() + 20000;
	     now_ms() < end && (read_[0] < SIZE || read_[1] < SIZE);) {
		for (int i = 0; i < 2; i++) {
			size_t piece = MIN((size_t)SIZE - sent[i], (size_t)(7777 + 50000 * i));
			ssize_t n = send(fd[i], data + sent[i], piece, MSG_NOSIGNAL | MSG_DONTWAIT);

			sent[i] += n > 0 ? (size_t)n : 0;
			n = recv(fd[!i], back[i] + read_[i], MIN((size_t)SIZE - read_[i], 5000u),
				 MSG_DONTWAIT);
			read_[i] += n > 0 ? (size_t)n : 0;
		}
		turns(1);
	}
	ok(read_[0] == SIZE && !memcmp(back[0], data, SIZE), "three megabytes there: %zu",
	   read_[0]);
	ok(read_[1] == SIZE && !memcmp(back[1], data, SIZE), "and back: %zu", read_[1]);
	close(fd[0]);
	close(fd[1]);
	pair_free(&p);
}

static int asked;

static void on_other(int fd, UNUSED uint32_t events, UNUSED void *data)
{
	asked++;
	say(fd, "?"); /* its peer is itself: ready again at once */
}

/* Many connections with endless data: each turn of the loop serves a few, and everybody else. */
static void fair(void)
{
	enum { N = 32, TURNS = 200 };
	static char text[65536];
	struct pair p;
	struct source *other;
	int c[N], s[N], pipe_[2], most = 0;
	unsigned served[N] = {0}, least = ~0u;

	pair_new(&p, "::1", "127.0.0.1", IPPROTO_TCP);
	for (int i = 0; i < N; i++) {
		c[i] = called("::1", SOCK_STREAM, p.port);
		s[i] = taken(&p);
		if (c[i] < 0 || s[i] < 0)
			die("connection");
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pipe_) < 0 ||
	    loop_io(w.loop, pipe_[0], EPOLLIN, on_other, NULL, &other) < 0)
		die("other");
	say(pipe_[1], "?");
	turns(50); /* all are connected, nothing is left over */
	asked = 0;
	for (int t = 0; t < TURNS; t++) {
		int now = 0;

		for (int i = 0; i < N; i++)
			(void)send(c[i], text, 1000, MSG_DONTWAIT | MSG_NOSIGNAL);
		turns(1);
		for (int i = 0; i < N; i++) {
			ssize_t n = recv(s[i], text, sizeof(text), MSG_DONTWAIT);

			now += n > 0;
			served[i] += n > 0;
		}
		most = MAX(most, now);
	}
	for (int i = 0; i < N; i++)
		least = MIN(least, served[i]);
	is_int(asked, TURNS, "others are served in every turn");
	ok(most >= 1 && most <= 4, "a turn moves what four connections have: %d", most);
	ok(least >= TURNS * 4 / N / 2, "all connections in their turn: the least served %u times",
	   least);
	(void)source_free(other);
	for (int i = 0; i < N; i++) {
		close(c[i]);
		close(s[i]);
	}
	close(pipe_[0]);
	close(pipe_[1]);
	pair_free(&p);
}

static void many(void)
{
	enum { N = RELAY_CONNS_EACH + 20 };
	static int c[N], s[N];
	struct pair p;
	int through = 0, n = 0;

	pair_new(&p, "::1", "127.0.0.1", IPPROTO_TCP);
	for (int i = 0; i < N; i++) {
		c[i] = called("::1", SOCK_STREAM, p.port);
		through += c[i] >= 0;
		turns(2);
	}
	is_int(through, N, "more connections than may be: none is refused");
	turns(400);
	while (ready(p.server, POLLIN))
		s[n++] = accept(p.server, NULL, NULL);
	is_int(n, RELAY_CONNS_EACH, "the rest wait");
	for (int i = 0; i < 20; i++) {
		close(c[i]);
		close(s[i]);
	}
	for (int i = 0; i < 20; i++) {
		int fd = taken(&p);

		n += fd >= 0;
		s[i] = fd;
	}
	is_int(n, N, "and come when others have gone");
	for (int i = 0; i < N; i++) {
		if (i >= 20)
			close(c[i]);
		close(s[i < 20 ? i : MIN(i, RELAY_CONNS_EACH - 1)]);
	}
	pair_free(&p);
}

/* As after `docker restart`: the port must be free for the next socket at once. */
static void bound_again(void)
{
	struct pair p;
	int c, s, fd;
	uint16_t port;

	pair_new(&p, "::1", "127.0.0.1", IPPROTO_TCP);
	port = p.port;
	c = called("::1", SOCK_STREAM, port);
	s = taken(&p);
	close(s); /* the target ends first: it is the relay that then waits in TIME_WAIT */
	is_str(got(c), "end", "ended by the target");
	close(c);
	turns(5);
	fd = bound("::1", SOCK_STREAM, &port);
	ok(fd < 0, "held: nobody else gets the port");
	pair_free(&p);
	fd = bound("::1", SOCK_STREAM, &port);
	ok(fd >= 0, "released: bound again at once");
	p.to.target = ip_of("127.0.0.1");
	is_int(relay_new(all, fd, &p.to, &p.relay), 0, "and served");
	c = called("::1", SOCK_STREAM, port);
	ok(c >= 0, "reached");
	close(c);
	p.relay = relay_free(p.relay);
	close(fd);
}

/* ---- UDP ---- */

static const char *got_from(int fd, struct sockaddr_storage *from, socklen_t *len)
{
	static char text[256];
	ssize_t n;

	*len = sizeof(*from);
	if (!soon(fd, POLLIN))
		return "nothing";
	n = recvfrom(fd, text, sizeof(text) - 1, MSG_DONTWAIT, (struct sockaddr *)from, len);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void datagrams(const char *held, const char *call, const char *server)
{
	struct sockaddr_storage from[2];
	socklen_t len[2];
	struct pair p;
	struct relay_to next;
	int c[2], other;

	pair_new(&p, held, server, IPPROTO_UDP);
	c[0] = called(call, SOCK_DGRAM, p.port);
	c[1] = called(call, SOCK_DGRAM, p.port);
	say(c[0], "zero");
	is_str(got_from(p.server, &from[0], &len[0]), "zero", "a datagram");
	say(c[1], "one");
	is_str(got_from(p.server, &from[1], &len[1]), "one", "of another client");
	ok(len[0] == len[1] && memcmp(&from[0], &from[1], len[0]) != 0, "apart for the target");
	(void)sendto(p.server, "to one", 6, 0, (struct sockaddr *)&from[1], len[1]);
	(void)sendto(p.server, "to zero", 7, 0, (struct sockaddr *)&from[0], len[0]);
	/* the clients are connected: they hear the address they called alone */
	is_str(got(c[0]), "to zero", "answers find their client");
	is_str(got(c[1]), "to one", "each its own");
	say(c[0], "");
	is_str(got_from(p.server, &from[0], &len[0]), "", "an empty one");

	next = (struct relay_to){.proto = IPPROTO_UDP, .target = ip_of("127.0.0.2")};
	other = bound("127.0.0.2", SOCK_DGRAM, &next.port);
	relay_move(p.relay, &next);
	say(c[0], "moved");
	is_str(got(other), "moved", "moved: the same client's go to the new target");
	close(other);
	close(c[0]);
	close(c[1]);
	pair_free(&p);
}

static void large_datagram(void)
{
	static char text[60000], back[65536];
	struct pair p;
	int c;

	pair_new(&p, "::1", "127.0.0.1", IPPROTO_UDP);
	c = called("::1", SOCK_DGRAM, p.port);
	memset(text, 'x', sizeof(text));
	ok(send(c, text, sizeof(text), 0) == sizeof(text) && soon(p.server, POLLIN), "a large one");
	is_int(recv(p.server, back, sizeof(back), MSG_DONTWAIT), sizeof(text), "is not cut");
	close(c);
	pair_free(&p);
}

static void many_flows(void)
{
	enum { N = RELAY_FLOWS_EACH + 88 };
	static int c[N];
	static struct sockaddr_storage from[N];
	socklen_t len = 0;
	struct pair p, q;
	int good = 0;

	pair_new(&p, "::1", "127.0.0.1", IPPROTO_UDP);
	pair_new(&q, "::1", "127.0.0.1", IPPROTO_UDP);
	c[0] = called("::1", SOCK_DGRAM, q.port);
	say(c[0], "mine");
	is_str(got_from(q.server, &from[0], &len), "mine", "a client of another port");
	for (int i = 1; i < N; i++) {
		c[i] = called("::1", SOCK_DGRAM, p.port);
		say(c[i], "x");
		good += !strcmp(got_from(p.server, &from[i], &len), "x");
	}
	is_int(good, N - 1, "more clients than may be: the newest are served");
	(void)sendto(p.server, "late", 4, 0, (struct sockaddr *)&from[1], len);
	(void)sendto(p.server, "new", 3, 0, (struct sockaddr *)&from[N - 1], len);
	is_str(got(c[N - 1]), "new", "the newest hears");
	ok(!ready(c[1], POLLIN), "the longest idle made room");
	(void)sendto(q.server, "yours", 5, 0, (struct sockaddr *)&from[0], len);
	is_str(got(c[0]), "yours", "not one of another port");
	for (int i = 0; i < N; i++)
		close(c[i]);
	pair_free(&p);
	pair_free(&q);
}

int main(int argc, char **argv)
{
	struct rlimit files;

	(void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (argc != 2 || !world_new(&w, argv[1]))
		return tap_skip_all("needs root for network namespaces");
	(void)run(-1, "ip addr add fd00::2/128 dev lo nodad");
	(void)run(-1, "ip addr add fd00::3/128 dev lo nodad");
	is_int(relays_new(w.loop, &all), 0, "new");
	both_ways("::1", "127.0.0.1");
	both_ways("127.0.0.1", "::1");
	breaks();
	moved();
	bulk();
	fair();
	many();
	bound_again();
	datagrams("::1", "::1", "127.0.0.1");
	datagrams("::", "fd00::2", "127.0.0.1");
	datagrams("127.0.0.1", "127.0.0.1", "::1");
	large_datagram();
	many_flows();
	relays_free(all);
	world_free(&w);
	return tap_done();
}
