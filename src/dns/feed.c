/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * feed.c - the mirror of what the resolver is told, and its messages
 *
 * Everything said is kept here too, descriptors included, so that a resolver that starts anew is
 * told all of it (feed_say_all). What a resolver that was running says it keeps is taken into the
 * mirror, unclaimed until somebody sets it again or asks for it; feed_sweep() drops the rest.
 */

#include "dns/feed.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "dns/feed_link.h"
#include "dns/protocol.h"

#define POOL_TCP 2 /* of a family */
#define POOL_UDP 4 /* more questions at once share them */

/* ---- records ---- */

static void close_all(int *fds, size_t n)
{
	while (n)
		(void)fd_close(fds[--n]);
}

static void sandbox_free(struct feed_sandbox_rec *s)
{
	close_all(s->fds, s->n_fds);
	strv_free(s->servers);
	free(s->id);
	free(s);
}

static void hold_free(struct feed_hold_rec *h)
{
	(void)fd_close(h->fd);
	free(h->key);
	free(h);
}

static void endpoint_free(struct feed_endpoint_rec *ep)
{
	if (!ep)
		return;
	strv_free(ep->names);
	strv_free(ep->links);
	free(ep->network_id);
	free(ep->network_name);
	free(ep->sandbox);
	free(ep->id);
	free(ep);
}
DEFINE_AUTO(struct feed_endpoint_rec, endpoint_free);

/* Takes the fds; replaces a record of that id. */
static struct feed_sandbox_rec *sandbox_put(struct feed *f, const struct feed_sandbox *s,
					    const int *fds, size_t n_fds)
{
	struct feed_sandbox_rec *rec = calloc(1, sizeof(*rec)), *old = map_get(f->sandboxes, s->id);

	if (!rec) {
		for (size_t i = 0; i < n_fds; i++)
			(void)fd_close(fds[i]);
		return NULL;
	}
	rec->port = s->port;
	rec->external = s->external;
	rec->ndots = s->ndots;
	rec->n_fds = n_fds;
	memcpy(rec->fds, fds, n_fds * sizeof(int));
	rec->id = strdup(s->id);
	rec->servers = strv_copy(s->servers);
	if (!rec->id || (s->servers && s->servers[0] && !rec->servers) ||
	    map_put(f->sandboxes, s->id, rec) < 0) {
		sandbox_free(rec);
		return NULL;
	}
	if (old)
		sandbox_free(old);
	return rec;
}

static struct feed_hold_rec *hold_put(struct feed *f, const char *key, int fd,
				      const struct relay_to *to)
{
	struct feed_hold_rec *rec = calloc(1, sizeof(*rec)), *old = map_get(f->holds, key);

	if (!rec) {
		(void)fd_close(fd);
		return NULL;
	}
	rec->fd = fd;
	rec->to = *to;
	rec->key = strdup(key);
	if (!rec->key || map_put(f->holds, key, rec) < 0) {
		hold_free(rec);
		return NULL;
	}
	if (old)
		hold_free(old);
	return rec;
}

/* ---- messages ---- */

static struct jsonw begin(struct buf *out, const char *op)
{
	struct jsonw w = JSONW_INIT(out);

	jsonw_object(&w, NULL);
	jsonw_str(&w, "op", op);
	return w;
}

static int finish(struct feed *f, struct jsonw *w, const int *fds, size_t n_fds)
{
	jsonw_end_object(w);
	return link_say(f, w->out, fds, n_fds);
}

static int say_sandbox(struct feed *f, const struct feed_sandbox_rec *s)
{
	auto_buf struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	struct jsonw w = begin(&out, "sandbox");

	jsonw_str(&w, "id", s->id);
	jsonw_i64(&w, "port", s->port);
	jsonw_bool(&w, "external", s->external);
	jsonw_bool(&w, "ndots", s->ndots);
	if (s->servers)
		jsonw_strv(&w, "servers", s->servers);
	return finish(f, &w, s->fds, s->n_fds);
}

static int say_external(struct feed *f, const struct feed_sandbox_rec *s)
{
	auto_buf struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	struct jsonw w = begin(&out, "external");

	jsonw_str(&w, "id", s->id);
	jsonw_bool(&w, "external", s->external);
	return finish(f, &w, NULL, 0);
}

static int say_endpoint(struct feed *f, const struct feed_endpoint_rec *ep)
{
	auto_buf struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	struct jsonw w = begin(&out, "endpoint");

	jsonw_str(&w, "network", ep->network_id);
	jsonw_str(&w, "name", ep->network_name);
	jsonw_str(&w, "sandbox", ep->sandbox);
	jsonw_strv(&w, "names", ep->names);
	if (ep->links)
		jsonw_strv(&w, "links", ep->links);
	if (ep->spoke)
		jsonw_bool(&w, "spoke", true);
	addrs_write(&w, ep->addr);
	return finish(f, &w, NULL, 0);
}

/* @with_fd: false where the resolver has the socket, and @h->to alone is new */
static int say_hold(struct feed *f, const struct feed_hold_rec *h, bool with_fd)
{
	auto_buf struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	struct jsonw w = begin(&out, "hold");

	jsonw_str(&w, "key", h->key);
	relay_to_write(&w, &h->to);
	return finish(f, &w, &h->fd, with_fd);
}

/* Messages of one or two texts. */
static void say_gone(struct feed *f, const char *op, const char *key, const char *value,
		     const char *sandbox)
{
	auto_buf struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	struct jsonw w = begin(&out, op);

	if (key)
		jsonw_str(&w, key, value);
	if (sandbox)
		jsonw_str(&w, "sandbox", sandbox);
	(void)finish(f, &w, NULL, 0); /* short, and a lost link has a mirror */
}

void feed_say_all(struct feed *f)
{
	struct feed_sandbox_rec *s;
	struct feed_endpoint_rec *ep;
	struct feed_hold_rec *h;

	/* each fitted into a message when it came; a link lost on the way is made again */
	for (size_t pos = 0; (s = map_next(f->sandboxes, &pos, NULL));)
		(void)(s->reported ? say_external(f, s) : say_sandbox(f, s));
	for (size_t pos = 0; (h = map_next(f->holds, &pos, NULL));)
		if (!h->reported || h->moved)
			(void)say_hold(f, h, !h->reported);
	for (size_t pos = 0; (ep = map_next(f->endpoints, &pos, NULL));)
		(void)say_endpoint(f, ep);
	if (!f->swept)
		return;
	say_gone(f, "sweep", NULL, NULL, NULL);
	for (size_t pos = 0; (s = map_next(f->sandboxes, &pos, NULL));)
		if (!s->claimed)
			feed_sandbox_del(f, s->id);
	for (size_t pos = 0; (h = map_next(f->holds, &pos, NULL));)
		if (!h->claimed)
			feed_release(f, h->key);
}

/* ---- what a running resolver keeps ---- */

void feed_forget_reports(struct feed *f)
{
	struct feed_sandbox_rec *s;
	struct feed_hold_rec *h;

	for (size_t pos = 0; (s = map_next(f->sandboxes, &pos, NULL));)
		s->reported = false;
	for (size_t pos = 0; (h = map_next(f->holds, &pos, NULL));)
		h->reported = h->moved = false;
}

static bool read_sandbox(const json_t *msg, struct feed_sandbox *ret, char ***ret_servers)
{
	int64_t port;

	if (json_get_str(msg, "message", "id", &ret->id, NULL) < 0 || str_empty(ret->id) ||
	    json_get_i64(msg, "message", "port", &port, NULL) < 0 || port < 0 || port > 65535 ||
	    json_get_bool(msg, "message", "external", &ret->external, NULL) < 0 ||
	    json_get_bool(msg, "message", "ndots", &ret->ndots, NULL) < 0 ||
	    json_get_strv(msg, "message", "servers", false, ret_servers, NULL) < 0)
		return false;
	ret->port = (uint16_t)port;
	ret->servers = *ret_servers;
	return true;
}

void feed_told_sandbox(struct feed *f, const json_t *msg, const int *fds, size_t n_fds)
{
	auto_strv char **servers = NULL;
	struct feed_sandbox s = {.id = NULL};
	struct feed_sandbox_rec *rec;
	bool good = n_fds >= 2 && read_sandbox(msg, &s, &servers);

	rec = good ? map_get(f->sandboxes, s.id) : NULL;
	if (!good || rec) {
		for (size_t i = 0; i < n_fds; i++)
			(void)fd_close(fds[i]); /* known: the same sockets as ours */
		if (rec)
			rec->reported = true;
		return;
	}
	rec = sandbox_put(f, &s, fds, n_fds);
	if (!rec)
		return;
	rec->reported = true;
	if (f->opening && f->found_sandbox)
		f->found_sandbox(rec->id, rec->port, f->data);
}

void feed_told_hold(struct feed *f, const json_t *msg, const int *fds, size_t n_fds)
{
	struct feed_hold_rec *rec = NULL;
	const char *key = NULL;
	struct relay_to to = {0};
	bool good = n_fds == 1 && json_get_str(msg, "message", "key", &key, NULL) >= 0 && key &&
		    relay_to_read(msg, &to, NULL) >= 0;

	if (good)
		rec = map_get(f->holds, key);
	if (!good || rec) {
		for (size_t i = 0; i < n_fds; i++)
			(void)fd_close(fds[i]);
		if (rec) {
			rec->reported = true;
			rec->moved = !relay_to_eq(&rec->to, &to);
		}
		return;
	}
	rec = hold_put(f, key, fds[0], &to);
	if (!rec)
		return;
	rec->reported = true;
	if (f->opening && f->found_hold)
		f->found_hold(rec->key, f->data);
}

/* ---- sandboxes ---- */

static void open_some(int *fds, size_t *n, int family, int type, size_t count)
{
	while (count--) {
		int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd >= 0)
			fds[(*n)++] = fd;
	}
}

_Static_assert(FEED_POOL_MAX == 2 * (POOL_TCP + POOL_UDP) && FEED_POOL_MAX <= FD_PASS_MAX - 2,
	       "they go in one message with two others");

size_t feed_pool_open(char *const *servers, int fds[FEED_POOL_MAX])
{
	bool want[N_FAMILIES] = {false};
	size_t n = 0;
	struct ip ip;

	for (char *const *s = servers; s && *s; s++)
		if (ip_parse(*s, &ip) == 0)
			want[ip_fam(ip)] = true;
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		int family = fam == V6 ? AF_INET6 : AF_INET;

		open_some(fds, &n, family, SOCK_STREAM, want[fam] ? POOL_TCP : 0);
		open_some(fds, &n, family, SOCK_DGRAM, want[fam] ? POOL_UDP : 0);
	}
	return n;
}

int feed_sandbox_add(struct feed *f, const struct feed_sandbox *s, struct err *e)
{
	int fds[FD_PASS_MAX] = {s->udp, s->tcp};
	size_t n = 2;
	struct feed_sandbox_rec *rec;

	for (size_t i = 0; i < s->n_pool; i++) {
		if (n < FD_PASS_MAX)
			fds[n++] = s->pool[i];
		else
			(void)fd_close(s->pool[i]); /* more than fit into a message */
	}
	rec = sandbox_put(f, s, fds, n);
	if (!rec)
		return err_nomem(e);
	rec->claimed = true;
	if (say_sandbox(f, rec) < 0) {
		feed_sandbox_del(f, s->id);
		return err_invalid(e, "too many DNS servers");
	}
	return 0;
}

int feed_sandbox_external(struct feed *f, const char *id, bool external)
{
	struct feed_sandbox_rec *s = map_get(f->sandboxes, id);

	if (!s)
		return -ENOENT;
	s->claimed = true;
	s->external = external;
	return say_external(f, s);
}

void feed_sandbox_del(struct feed *f, const char *id)
{
	struct feed_sandbox_rec *s = map_del(f->sandboxes, id);

	if (!s)
		return;
	say_gone(f, "sandbox-del", "id", s->id, NULL);
	sandbox_free(s);
}

bool feed_sandbox_known(const struct feed *f, const char *id)
{
	struct feed_sandbox_rec *s = map_get(f->sandboxes, id);

	if (s)
		s->claimed = true;
	return s;
}

/* ---- endpoints ---- */

static struct feed_endpoint_rec *endpoint_new(const struct feed_endpoint *ep)
{
	auto_(endpoint_free) struct feed_endpoint_rec *rec = calloc(1, sizeof(*rec));

	if (!rec)
		return NULL;
	rec->id = str_printf("%s %s", ep->network_id, ep->sandbox);
	rec->network_id = strdup(ep->network_id);
	rec->network_name = strdup(ep->network_name);
	rec->sandbox = strdup(ep->sandbox);
	rec->names = strv_copy(ep->names);
	rec->links = strv_copy(ep->links);
	rec->spoke = ep->spoke;
	memcpy(rec->addr, ep->addr, sizeof(rec->addr));
	if (!rec->id || !rec->network_id || !rec->network_name || !rec->sandbox ||
	    (ep->names && ep->names[0] && !rec->names) ||
	    (ep->links && ep->links[0] && !rec->links))
		return NULL;
	return TAKE_PTR(rec);
}

int feed_endpoint_set(struct feed *f, const struct feed_endpoint *ep, struct err *e)
{
	auto_(endpoint_free) struct feed_endpoint_rec *rec = endpoint_new(ep);
	struct feed_endpoint_rec *old;
	int r;

	if (!rec)
		return err_nomem(e);
	/* said first: what cannot be said is not kept either */
	r = say_endpoint(f, rec);
	if (r < 0)
		return r == -E2BIG ? err_set(e, ERR_INVALID, E2BIG,
					     "too many aliases on network %s", ep->network_name)
				   : err_nomem(e);
	old = map_get(f->endpoints, rec->id);
	if (map_put(f->endpoints, rec->id, rec) < 0) {
		feed_endpoint_del(f, ep->network_id, ep->sandbox);
		return err_nomem(e);
	}
	rec = NULL;
	endpoint_free(old);
	(void)feed_sandbox_known(f, ep->sandbox); /* it is wanted, then */
	return 0;
}

void feed_endpoint_del(struct feed *f, const char *network_id, const char *sandbox)
{
	auto_free char *id = str_printf("%s %s", network_id, sandbox);

	if (id)
		endpoint_free(map_del(f->endpoints, id));
	say_gone(f, "endpoint-del", "network", network_id, sandbox);
}

int feed_sweep(struct feed *f)
{
	struct feed_sandbox_rec *s;
	struct feed_hold_rec *h;

	f->swept = true;
	say_gone(f, "sweep", NULL, NULL, NULL);
	for (size_t pos = 0; (s = map_next(f->sandboxes, &pos, NULL));)
		if (!s->claimed)
			feed_sandbox_del(f, s->id);
	for (size_t pos = 0; (h = map_next(f->holds, &pos, NULL));)
		if (!h->claimed)
			feed_release(f, h->key);
	return 0;
}

/* ---- holds ---- */

/* The target of a socket that is held already. */
static int hold_move(struct feed *f, const char *key, const struct relay_to *to, struct err *e)
{
	struct feed_hold_rec *rec = map_get(f->holds, key);

	if (!rec)
		return err_not_found(e, "no socket is held as %s", key);
	rec->claimed = true;
	if (relay_to_eq(&rec->to, to))
		return 0;
	rec->to = *to;
	return say_hold(f, rec, false);
}

int feed_hold(struct feed *f, const struct feed_hold *h, struct err *e)
{
	struct relay_to to = {0};
	struct feed_hold_rec *rec;

	if (ip_set(h->target))
		to = (struct relay_to){h->proto, h->target, h->port};
	if (h->fd < 0)
		return hold_move(f, h->key, &to, e);
	rec = hold_put(f, h->key, h->fd, &to);
	if (!rec)
		return err_nomem(e);
	rec->claimed = true;
	if (say_hold(f, rec, true) < 0) {
		feed_release(f, h->key);
		return err_invalid(e, "key too long");
	}
	return 0;
}

void feed_release(struct feed *f, const char *key)
{
	struct feed_hold_rec *h = map_del(f->holds, key);
	int on = 1;

	if (!h)
		return;
	/* the resolver closes its duplicate in a moment: who wants the port now, by TCP and for
	 * serving, need not wait for that; a relay's socket stops listening (it stays bound) */
	(void)setsockopt(h->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ip_set(h->to.target) && h->to.proto == IPPROTO_TCP)
		(void)shutdown(h->fd, SHUT_RDWR);
	say_gone(f, "release", "key", h->key, NULL);
	hold_free(h);
}

bool feed_held(const struct feed *f, const char *key)
{
	struct feed_hold_rec *h = map_get(f->holds, key);

	if (h)
		h->claimed = true;
	return h;
}

bool feed_busy(const struct feed *f)
{
	int unread = 0;

	return f->state == LINK_UP && ioctl(f->sock, SIOCOUTQ, &unread) == 0 && unread > 0;
}

int feed_pid(const struct feed *f)
{
	return f->state == LINK_UP ? f->peer_pid : 0;
}

/* ---- the feed ---- */

static void feed_free(struct feed *f)
{
	struct feed_sandbox_rec *s;
	struct feed_endpoint_rec *ep;
	struct feed_hold_rec *h;

	for (size_t pos = 0; (s = map_next(f->sandboxes, &pos, NULL));)
		sandbox_free(s);
	for (size_t pos = 0; (ep = map_next(f->endpoints, &pos, NULL));)
		endpoint_free(ep);
	for (size_t pos = 0; (h = map_next(f->holds, &pos, NULL));)
		hold_free(h);
	map_free(f->sandboxes);
	map_free(f->endpoints);
	map_free(f->holds);
	free(f->program);
	free(f->path);
	free(f);
}

int feed_open(struct loop *l, const struct feed_config *c, struct feed **ret, struct err *e)
{
	struct feed *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_nomem(e);
	*f = (struct feed){.loop = l, .sock = -EBADF, .ready = -EBADF, .data = c->data};
	f->found_sandbox = c->found_sandbox;
	f->found_hold = c->found_hold;
	f->program = strdup(c->program);
	f->path = strdup(c->socket_path);
	r = f->program && f->path ? 0 : -ENOMEM;
	if (r >= 0)
		r = map_new(&f->sandboxes);
	if (r >= 0)
		r = map_new(&f->endpoints);
	if (r >= 0)
		r = map_new(&f->holds);
	r = r < 0 ? err_nomem(e) : link_open(f, e);
	if (r < 0) {
		link_close(f);
		feed_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void feed_close(struct feed *f)
{
	if (!f)
		return;
	link_close(f);
	feed_free(f);
}

void feed_shutdown(struct feed *f)
{
	if (!f)
		return;
	link_quit(f);
	feed_free(f);
}
