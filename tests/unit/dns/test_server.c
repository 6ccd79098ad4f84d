/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_server.c - the server in this process: what one sandbox asks and how much of it, another has
 * its share of every turn of the loop. By counts. Argument: the program (for the world).
 */

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/map.h"
#include "dns/server.h"
#include "loop/loop.h"
#include "messages.h"
#include "tap.h"
#include "world.h"

static struct world w;
static struct server *srv;
static struct box flood, calm;

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

static void turn(void)
{
	must(loop_run_once(w.loop, 0) >= 0, "loop");
}

static void ask(const struct box *b, const char *name_)
{
	struct msg m = query(name_, TYPE_A, false);

	(void)send(b->client, m.data, m.len, MSG_DONTWAIT);
}

/* Takes what came; counts that with the rcode (any: -1). */
static int answers(const struct box *b, int rcode)
{
	uint8_t in[512];
	int n = 0;

	while (recv(b->client, in, sizeof(in), MSG_DONTWAIT) > 0)
		n += rcode < 0 || (in[3] & DNS_RCODE) == rcode;
	return n;
}

static struct sandbox *add_box(const struct box *b, const char *addr, const char *name_)
{
	int fds[] = {b->udp, b->tcp};
	struct sandbox_args a = {
		.id = b->id, .port = b->port, .external = true, .fds = fds, .n_fds = 2};
	char *names[] = {(char *)(uintptr_t)name_, NULL};
	struct zone_record rec = {
		.network_id = "n", .network_name = "net", .sandbox = b->id, .names = names};
	struct err e = {0};

	must(sandbox_set(srv, &a, &e) >= 0 && ip_parse(addr, &rec.addr[V4]) >= 0 &&
		     zone_set(srv->zone, &rec) >= 0,
	     "sandbox");
	return map_get(srv->sandboxes, b->id);
}

static void setup(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct control_socket sock = {socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), -EBADF, 0};
	struct err e = {0};

	memcpy(sa.sun_path, w.sock, strlen(w.sock));
	must(bind(sock.fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(sock.fd, 1) == 0,
	     "socket");
	world_resolv(&w, "nameserver 127.0.1.4\n"); /* nobody is there; later a silent one */
	must(server_new(w.loop, w.resolv, &srv, &e) >= 0 && control_new(srv, &sock, &e) >= 0,
	     "server");
	box_new(&flood, "flood");
	box_new(&calm, "calm");
}

/* A socket's queue full of questions, and one question beside it: in every turn. */
static void names(void)
{
	int mine = 0, theirs = 0, most = 0;

	for (int t = 0; t < 100; t++) {
		int n;

		for (int i = 0; i < 100; i++)
			ask(&flood, "calm");
		ask(&calm, "flood");
		turn();
		mine += answers(&calm, RCODE_NOERROR);
		n = answers(&flood, RCODE_NOERROR);
		theirs += n;
		most = MAX(most, n);
	}
	is_int(mine, 100, "beside a flood each question is answered in its turn");
	ok(theirs > 100 && most <= 33, "of the flood a batch a turn: %d, at most %d", theirs, most);
	while (answers(&flood, -1) || answers(&calm, -1))
		turn();
	for (int i = 0; i < 50; i++) { /* the queue's rest */
		turn();
		(void)answers(&flood, -1);
	}
}

/* The same over as many connections as there may be. */
static void connections(void)
{
	enum { N = 64 };
	int fd[N], mine = 0;
	struct msg m = query("calm", TYPE_A, false);
	uint8_t text[2 + sizeof(m.data)];
	size_t len = m.len + 2;

	text[0] = 0;
	text[1] = (uint8_t)m.len;
	memcpy(text + 2, m.data, m.len);
	for (int i = 0; i < N; i++) {
		fd[i] = box_connect(&flood);
		turn();
	}
	for (int t = 0; t < 50; t++) {
		for (int i = 0; i < N; i++)
			(void)send(fd[i], text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		ask(&calm, "flood");
		turn();
		turn(); /* a turn takes 64 events */
		mine += answers(&calm, RCODE_NOERROR);
	}
	is_int(mine, 50, "beside 64 busy connections each question is answered in its turn");
	for (int i = 0; i < N; i++)
		close(fd[i]);
	turn();
	turn();
}

/* What is under way with the servers. */
static void passed_on(struct sandbox *f, struct sandbox *c)
{
	char name_[32];
	int refused = 0;

	for (int i = 0; i < LIMIT_DNS_INFLIGHT + 76; i++) {
		snprintf(name_, sizeof(name_), "q%d.test", i);
		ask(&flood, name_);
		turn();
		refused += answers(&flood, RCODE_REFUSED);
	}
	is_int(f->n_pendings, LIMIT_DNS_INFLIGHT, "so many wait for a silent server");
	is_int(refused, 76, "the others are refused");
	ask(&calm, "mine.test");
	ask(&calm, "flood");
	turn();
	is_int(c->n_pendings, 1, "a neighbour's question is passed on");
	is_int(answers(&calm, RCODE_NOERROR), 1, "and a name answered");
	sandbox_del(srv, "flood");
	is_int(srv->inflight, 1, "removed: nothing of it is left");
}

/* However many there are under way in all, each may have some. */
static void everybody_asks(struct sandbox *c)
{
	size_t before = srv->inflight;

	srv->inflight = 1u << 20;
	for (int i = 0; i < 40; i++) {
		char name_[32];

		snprintf(name_, sizeof(name_), "all%d.test", i);
		ask(&calm, name_);
		turn();
	}
	is_int(c->n_pendings, 16, "all together are too many: sixteen are let through");
	is_int(answers(&calm, RCODE_REFUSED), 25, "others are refused");
	srv->inflight -= (1u << 20) - before;
}

int main(int argc, char **argv)
{
	struct sandbox *f, *c;
	pid_t up;

	if (argc != 2 || !world_new(&w, argv[1]))
		return tap_skip_all("needs root for network namespaces");
	setup();
	f = add_box(&flood, "172.18.0.2", "flood");
	c = add_box(&calm, "172.18.0.3", "calm");
	names();
	connections();
	up = upstream_start(-1, "127.0.1.4=silent");
	passed_on(f, c);
	everybody_asks(c);
	stop(up);
	server_free(srv);
	box_free(&flood);
	box_free(&calm);
	world_free(&w);
	return tap_done();
}
