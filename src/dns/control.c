/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.c - what atolld says, and what it gets back when it returns
 *
 * One client at a time; a new one replaces the old. A client is first told what we keep, in the
 * states HELLO, SANDBOXES, HOLDS (one message a turn of the loop where its queue is full, never
 * blocking), and is listened to in state TALK. Speaking before its turn ends the connection: the
 * maps must not change while they are walked. Losing the client changes nothing: we go on.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "dns/protocol.h"
#include "dns/server.h"
#include "loop/loop.h"

#define LOCK_TRIES 100 /* each 10 ms: the one before us is on its way out */

enum state { HELLO, SANDBOXES, HOLDS, TALK };

struct control {
	struct server *srv;
	struct control_socket sock;
	struct source *listen_io;
	int client;
	struct source *client_io;
	int waiting; /* an epoll of the client alone: the cheapest way to ask whether it spoke */
	enum state state;
	size_t at; /* place in the map that is being told */
	unsigned generation;
	struct map *holds; /* key -> struct hold */
};

struct hold {
	int fd;
	struct relay_to to;
	struct relay *relay; /* NULL: only kept */
};

struct message {
	struct control *c;
	const json_t *json;
	int fds[FD_PASS_MAX];
	size_t n_fds; /* 0 once they are taken */
};

/* ---- the messages of atolld ---- */

static int text(const struct message *m, const char *key, const char **ret, struct err *e)
{
	int r = json_get_str(m->json, "message", key, ret, e);

	return r >= 0 && str_empty(*ret) ? err_invalid(e, "message without %s", key) : r;
}

static int op_sandbox(struct message *m, struct err *e)
{
	struct sandbox_args a = {.fds = m->fds, .n_fds = m->n_fds};
	auto_strv char **servers = NULL;
	int64_t port;
	int r = text(m, "id", &a.id, e);

	if (r >= 0)
		r = json_get_i64(m->json, "message", "port", &port, e);
	if (r >= 0)
		r = json_get_bool(m->json, "message", "external", &a.external, e);
	if (r >= 0)
		r = json_get_bool(m->json, "message", "ndots", &a.ndots, e);
	if (r >= 0)
		r = json_get_strv(m->json, "message", "servers", false, &servers, e);
	if (r < 0)
		return r;
	if (port < 0 || port > 65535)
		return err_invalid(e, "no port: %lld", (long long)port);
	a.port = (uint16_t)port;
	a.servers = servers;
	m->n_fds = 0;
	return sandbox_set(m->c->srv, &a, e);
}

static int op_external(struct message *m, struct err *e)
{
	struct sandbox *sb;
	const char *id;
	bool external;
	int r = text(m, "id", &id, e);

	if (r >= 0)
		r = json_get_bool(m->json, "message", "external", &external, e);
	if (r < 0)
		return r;
	sb = map_get(m->c->srv->sandboxes, id);
	if (!sb)
		return err_not_found(e, "no sandbox %s", id);
	sb->external = external;
	return 0;
}

static int op_sandbox_del(struct message *m, struct err *e)
{
	const char *id;
	int r = text(m, "id", &id, e);

	if (r >= 0)
		sandbox_del(m->c->srv, id);
	return r;
}

static int op_endpoint(struct message *m, struct err *e)
{
	struct zone_record rec = {.generation = m->c->generation};
	auto_strv char **names = NULL, **links = NULL;
	int r = text(m, "network", &rec.network_id, e);

	if (r >= 0)
		r = text(m, "name", &rec.network_name, e);
	if (r >= 0)
		r = text(m, "sandbox", &rec.sandbox, e);
	if (r >= 0)
		r = addrs_read(m->json, rec.addr, e);
	if (r >= 0)
		r = json_get_bool(m->json, "message", "spoke", &rec.spoke, e);
	if (r >= 0)
		r = json_get_strv(m->json, "message", "links", false, &links, e);
	if (r >= 0)
		r = json_get_strv(m->json, "message", "names", false, &names, e);
	if (r < 0)
		return r;
	rec.names = names;
	rec.links = links;
	return zone_set(m->c->srv->zone, &rec) < 0 ? err_nomem(e) : 0;
}

static int op_endpoint_del(struct message *m, struct err *e)
{
	const char *network, *sandbox;
	int r = text(m, "network", &network, e);

	if (r >= 0)
		r = text(m, "sandbox", &sandbox, e);
	if (r >= 0)
		zone_del(m->c->srv->zone, network, sandbox);
	return r;
}

static void hold_free(struct hold *h)
{
	if (!h)
		return;
	(void)relay_free(h->relay);
	(void)fd_close(h->fd);
	free(h);
}

/* Makes the relay what h->to says. */
static void hold_serve(struct control *c, struct hold *h, const struct relay_to *to,
		       const char *key)
{
	const int off = 0;
	int r = 0;

	if (h->relay && ip_set(to->target) && to->proto == h->to.proto)
		relay_move(h->relay, to);
	else if (h->relay) {
		h->relay = relay_free(h->relay);
		(void)setsockopt(h->fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off)); /* reserved */
	}
	h->to = *to;
	if (!h->relay && ip_set(to->target))
		r = relay_new(c->srv->relays, h->fd, to, &h->relay);
	if (r < 0)
		log_warn("cannot relay socket=%s: %s", key, strerror(-r));
}

/* With a descriptor: a socket to keep. Without: its target changes. */
static int op_hold(struct message *m, struct err *e)
{
	const char *key;
	struct relay_to to;
	struct hold *h;
	int r = text(m, "key", &key, e);

	if (r >= 0)
		r = relay_to_read(m->json, &to, e);
	if (r < 0)
		return r;
	if (!m->n_fds) {
		h = map_get(m->c->holds, key);
		if (!h)
			return err_invalid(e, "hold %s without a descriptor", key);
		hold_serve(m->c, h, &to, key);
		return 0;
	}
	hold_free(map_del(m->c->holds, key));
	h = calloc(1, sizeof(*h));
	if (!h || map_put(m->c->holds, key, h) < 0) {
		free(h);
		return err_nomem(e);
	}
	h->fd = m->fds[0];
	m->fds[0] = m->fds[--m->n_fds]; /* more than one: the rest are closed */
	hold_serve(m->c, h, &to, key);
	return 0;
}

static int op_release(struct message *m, struct err *e)
{
	const char *key;
	int r = text(m, "key", &key, e);

	if (r >= 0)
		hold_free(map_del(m->c->holds, key));
	return r;
}

static int op_sweep(struct message *m, UNUSED struct err *e)
{
	zone_sweep(m->c->srv->zone, m->c->generation);
	return 0;
}

static int op_quit(struct message *m, UNUSED struct err *e)
{
	log_info("told to quit");
	m->c->sock.lock = fd_close(m->c->sock.lock); /* free before the connection ends */
	loop_exit(m->c->srv->loop, 0);
	return 0;
}

static const struct op {
	const char *name;
	int (*fn)(struct message *m, struct err *e);
} ops[] = {
	{"sandbox", op_sandbox},
	{"external", op_external},
	{"sandbox-del", op_sandbox_del},
	{"endpoint", op_endpoint},
	{"endpoint-del", op_endpoint_del},
	{"hold", op_hold},
	{"release", op_release},
	{"sweep", op_sweep},
	{"quit", op_quit},
};

static int obey(struct message *m, struct err *e)
{
	const char *name;
	int r = text(m, "op", &name, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (streq(ops[i].name, name))
			return ops[i].fn(m, e);
	return err_invalid(e, "unknown message %s", name);
}

/* ---- the connection ---- */

static void drop_client(struct control *c)
{
	c->client_io = source_free(c->client_io);
	/* it goes from c->waiting by itself, ours being the only descriptor */
	c->client = fd_close(c->client);
}

/* Return: false when there is nothing more to read. */
static bool read_one(struct control *c)
{
	static char buf[DNS_MESSAGE_MAX];
	struct message m = {.c = c, .n_fds = FD_PASS_MAX};
	ssize_t n = fd_recv(c->client, buf, sizeof(buf), m.fds, &m.n_fds);
	auto_json json_t *json = NULL;
	struct err e;

	if (n == -EAGAIN)
		return false;
	if (n <= 0 || c->state != TALK) {
		if (n > 0)
			log_warn("client spoke before its turn");
		else
			log_debug("client gone");
		if (n < 0)
			m.n_fds = 0;
		drop_client(c);
	} else if (json_read(buf, (size_t)n, &json, &e) < 0) {
		log_warn("message not understood: %s", e.msg);
	} else {
		m.json = json;
		if (obey(&m, &e) < 0)
			log_warn("message not obeyed: %s", e.msg);
	}
	while (m.n_fds)
		(void)fd_close(m.fds[--m.n_fds]);
	return c->client >= 0;
}

void control_drain(struct control *c)
{
	struct epoll_event ev;

	while (c->client >= 0 && epoll_wait(c->waiting, &ev, 1, 0) > 0 && read_one(c))
		;
}

/* ---- telling what we keep ---- */

static ssize_t say(struct control *c, const struct buf *out, const int *fds, size_t n_fds)
{
	return buf_err(out) ? buf_err(out) : fd_send(c->client, out->data, out->len, fds, n_fds);
}

static ssize_t say_hello(struct control *c)
{
	auto_buf struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	struct jsonw w = JSONW_INIT(&out);

	jsonw_object(&w, NULL);
	jsonw_str(&w, "op", "hello");
	jsonw_i64(&w, "version", DNS_PROTOCOL);
	jsonw_i64(&w, "pid", getpid());
	jsonw_end_object(&w);
	return say(c, &out, NULL, 0);
}

static ssize_t say_sandbox(struct control *c, const struct sandbox *sb)
{
	auto_buf struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	struct jsonw w = JSONW_INIT(&out);
	int fds[FD_PASS_MAX] = {sb->udp, sb->tcp};

	memcpy(fds + 2, sb->pool, sb->n_pool * sizeof(int));
	jsonw_object(&w, NULL);
	jsonw_str(&w, "op", "sandbox");
	jsonw_str(&w, "id", sb->id);
	jsonw_i64(&w, "port", sb->port);
	jsonw_bool(&w, "external", sb->external);
	jsonw_bool(&w, "ndots", sb->ndots);
	if (sb->servers)
		jsonw_strv(&w, "servers", sb->servers);
	jsonw_end_object(&w);
	return say(c, &out, fds, sb->n_pool + 2);
}

static ssize_t say_hold(struct control *c, const char *key, const struct hold *h)
{
	auto_buf struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	struct jsonw w = JSONW_INIT(&out);

	jsonw_object(&w, NULL);
	jsonw_str(&w, "op", "hold");
	jsonw_str(&w, "key", key);
	relay_to_write(&w, &h->to);
	jsonw_end_object(&w);
	return say(c, &out, &h->fd, 1);
}

static ssize_t say_end(struct control *c)
{
	static const char end[] = "{\"op\":\"end\"}";

	return fd_send(c->client, end, sizeof(end) - 1, NULL, 0);
}

/* Says the next thing. Return: > 0 said, -errno (-EAGAIN: the client's queue is full) */
static ssize_t say_next(struct control *c)
{
	size_t at = c->at;
	const char *key;
	ssize_t n;
	void *v;

	switch (c->state) {
	case HELLO:
		n = say_hello(c);
		if (n > 0)
			c->state = SANDBOXES;
		return n;
	case SANDBOXES:
		v = map_next(c->srv->sandboxes, &at, NULL);
		if (!v) {
			c->state = HOLDS;
			c->at = 0;
			return 1;
		}
		n = say_sandbox(c, v);
		break;
	case HOLDS:
		v = map_next(c->holds, &at, &key);
		if (!v) {
			n = say_end(c);
			if (n > 0)
				c->state = TALK;
			return n;
		}
		n = say_hold(c, key, v);
		break;
	case TALK:
	default:
		return -EINVAL;
	}
	if (n > 0)
		c->at = at;
	return n;
}

static void on_client(UNUSED int fd, uint32_t events, void *data)
{
	struct control *c = data;
	ssize_t n = 1;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		control_drain(c);
	if (c->client < 0)
		return;
	while (c->state != TALK && n > 0)
		n = say_next(c);
	/* too many descriptors under way: the client has to read first */
	if ((n <= 0 && n != -EAGAIN && n != -ETOOMANYREFS) ||
	    source_io_events(c->client_io, c->state == TALK ? EPOLLIN : EPOLLIN | EPOLLOUT) < 0) {
		log_warn("cannot tell the client what is kept: %s", strerror((int)-n));
		drop_client(c);
	}
}

static void on_connect(int fd, UNUSED uint32_t events, void *data)
{
	struct control *c = data;
	struct epoll_event ev = {.events = EPOLLIN};
	auto_close int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred cred = {.uid = (uid_t)-1};
	socklen_t len = sizeof(cred);

	if (client < 0)
		return;
	if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
	    (cred.uid != c->sock.owner && cred.uid != 0)) {
		log_warn("stranger refused uid=%u", cred.uid);
		return;
	}
	drop_client(c);
	if (epoll_ctl(c->waiting, EPOLL_CTL_ADD, client, &ev) < 0 ||
	    loop_io(c->srv->loop, client, EPOLLIN | EPOLLOUT, on_client, c, &c->client_io) < 0)
		return;
	c->client = TAKE_FD(client);
	c->state = HELLO;
	c->at = 0;
	c->generation++;
}

/* ---- the listening socket ---- */

/* The lock tells a live resolver from a socket that a dead one left. */
static int take_lock(const char *path, int *ret, struct err *e)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	auto_free char *name = str_printf("%s.lock", path);
	auto_close int fd = -EBADF;

	if (!name)
		return err_nomem(e);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", name);
	for (unsigned i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return err_sys(e, errno, "another resolver serves %s", path);
		(void)nanosleep(&pause, NULL);
	}
	*ret = TAKE_FD(fd);
	return 0;
}

int control_listen(const char *path, struct control_socket *ret, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_close int fd = -EBADF, lock = -EBADF;
	size_t len = strlen(path);
	int r;

	if (len >= sizeof(sa.sun_path))
		return err_invalid(e, "socket path too long: %s", path);
	memcpy(sa.sun_path, path, len);
	r = take_lock(path, &lock, e);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (unlink(path) < 0 && errno != ENOENT) || /* 0600 by our umask */
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 8) < 0)
		return err_sys(e, errno, "cannot listen on %s", path);
	*ret = (struct control_socket){TAKE_FD(fd), TAKE_FD(lock), geteuid()};
	return 0;
}

int control_new(struct server *s, const struct control_socket *sock, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		(void)fd_close(sock->fd);
		(void)fd_close(sock->lock);
		return err_nomem(e);
	}
	*c = (struct control){.srv = s, .sock = *sock, .client = -EBADF};
	s->control = c;
	c->waiting = epoll_create1(EPOLL_CLOEXEC);
	r = c->waiting < 0 ? -errno : map_new(&c->holds);
	if (r >= 0)
		r = loop_io(s->loop, sock->fd, EPOLLIN, on_connect, c, &c->listen_io);
	return r < 0 ? err_sys(e, -r, "cannot listen") : 0; /* server_free() has the rest */
}

void control_free(struct control *c)
{
	size_t pos = 0;
	struct hold *h;

	if (!c)
		return;
	while ((h = map_next(c->holds, &pos, NULL)))
		hold_free(h);
	map_free(c->holds);
	(void)source_free(c->listen_io);
	(void)fd_close(c->sock.fd);
	(void)fd_close(c->sock.lock);
	(void)fd_close(c->waiting);
	drop_client(c); /* last: the client takes its end for ours */
	free(c);
}
