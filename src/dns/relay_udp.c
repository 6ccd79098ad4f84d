/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_udp.c - relayed datagrams: a flow is a client and the address of ours it called
 *
 * A flow has a socket connected to the target, so that answers find their client and strangers do
 * not get in. Answers leave from the address that was called. What cannot be sent is lost, as
 * datagrams may be.
 */

#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "dns/relay_internal.h"
#include "loop/loop.h"

#define DATAGRAM_MAX 65536
#define DATAGRAMS    8 /* of one socket, an event */
#define KEY_MAX	     (2 * (sizeof(struct sockaddr_in6) + sizeof(struct in6_addr)) + 1)

struct flow {
	struct list node; /* relays->flows */
	struct relay *relay;
	struct watch out; /* towards the target */
	char *key;
	struct sockaddr_storage client;
	socklen_t client_len;
	struct in6_pktinfo called; /* IPv6 */
	int64_t used_ns;
};

static uint8_t packet[DATAGRAM_MAX];

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static void flow_free(struct flow *f)
{
	struct relays *all = f->relay->all;

	(void)watch_set(all, &f->out, 0);
	(void)fd_close(f->out.fd);
	list_remove(&f->node);
	all->n_flows--;
	if (f->key)
		(void)map_del(f->relay->flows, f->key);
	free(f->key);
	free(f);
}

void flows_end(struct relay *r)
{
	struct flow *f;

	for (size_t pos = 0; r->flows && (f = map_next(r->flows, &pos, NULL));)
		flow_free(f);
}

/* ---- idle ones ---- */

static void touch(struct flow *f)
{
	f->used_ns = clock_mono_ns();
	list_remove(&f->node);
	list_append(&f->relay->all->flows, &f->node);
}

void flows_on_idle(void *data)
{
	struct relays *all = data;
	int64_t limit = clock_mono_ns() - RELAY_IDLE_MS * NS_PER_MS;

	while (!list_empty(&all->flows)) {
		struct flow *f = list_entry(all->flows.next, struct flow, node);

		if (f->used_ns > limit) {
			source_timer_set(all->idle, (f->used_ns - limit) / NS_PER_MS + 1);
			return;
		}
		flow_free(f);
	}
}

static void make_room(struct relay *r)
{
	struct relays *all = r->all;
	struct flow *f;

	if (map_len(r->flows) < RELAY_FLOWS_EACH && all->n_flows < RELAY_FLOWS_MAX)
		return;
	list_for_each (f, &all->flows, node) {
		if (all->n_flows < RELAY_FLOWS_MAX && f->relay != r)
			continue;
		flow_free(f);
		return;
	}
}

/* ---- back to the client ---- */

static void answer(struct flow *f, size_t len)
{
	union control c = {.align = {.cmsg_len = CMSG_LEN(sizeof(f->called)),
				     .cmsg_level = IPPROTO_IPV6,
				     .cmsg_type = IPV6_PKTINFO}};
	struct iovec iov = {packet, len};
	struct msghdr m = {.msg_name = &f->client,
			   .msg_namelen = f->client_len,
			   .msg_iov = &iov,
			   .msg_iovlen = 1};

	if (f->client.ss_family == AF_INET6) {
		memcpy(CMSG_DATA(&c.align), &f->called, sizeof(f->called));
		m.msg_control = &c;
		m.msg_controllen = sizeof(c);
	}
	(void)sendmsg(f->relay->in.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_answer(struct watch *w, UNUSED uint32_t events)
{
	struct flow *f = CONTAINER_OF(w, struct flow, out);

	touch(f);
	for (unsigned i = 0; i < DATAGRAMS; i++) {
		ssize_t n = recv(w->fd, packet, sizeof(packet), MSG_DONTWAIT);

		if (n >= 0)
			answer(f, (size_t)n);
		else if (errno == EAGAIN)
			return; /* other errors tell of what was sent: read, and gone */
	}
}

/* ---- on to the target ---- */

static const char *key_of(const struct flow *f, char out[KEY_MAX])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[(KEY_MAX - 1) / 2];
	size_t n = MIN((size_t)f->client_len, sizeof(struct sockaddr_in6));
	char *p = out;

	memcpy(raw, &f->client, n);
	memcpy(raw + n, &f->called.ipi6_addr, sizeof(f->called.ipi6_addr));
	n += sizeof(f->called.ipi6_addr);
	for (size_t i = 0; i < n; i++) {
		*p++ = digits[raw[i] >> 4];
		*p++ = digits[raw[i] & 15];
	}
	*p = '\0';
	return out;
}

/* One datagram, and who sent it to which address of ours. Return: its length, -errno */
static ssize_t receive(int fd, struct flow *ret)
{
	union control c;
	struct iovec iov = {packet, sizeof(packet)};
	struct msghdr m = {.msg_name = &ret->client,
			   .msg_namelen = sizeof(ret->client),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &c,
			   .msg_controllen = sizeof(c)};
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	ret->client_len = m.msg_namelen;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == IPV6_PKTINFO)
			memcpy(&ret->called, CMSG_DATA(h), sizeof(ret->called));
	/* routes decide where answers leave, but for addresses that mean nothing without it */
	if (!IN6_IS_ADDR_LINKLOCAL(&ret->called.ipi6_addr))
		ret->called.ipi6_ifindex = 0;
	return n;
}

static int flow_connect(struct flow *f)
{
	const struct relay_to *to = &f->relay->to;
	struct sockaddr_storage sa;
	socklen_t len = ip_sockaddr(to->target, to->port, &sa);

	f->out.fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->out.fd < 0 || connect(f->out.fd, (struct sockaddr *)&sa, len) < 0)
		return -errno;
	return watch_set(f->relay->all, &f->out, EPOLLIN);
}

static struct flow *flow_new(struct relay *r, const struct flow *like, const char *key)
{
	struct flow *f;

	make_room(r);
	f = malloc(sizeof(*f));
	if (!f)
		return NULL;
	*f = *like;
	f->relay = r;
	f->out = (struct watch){.fd = -EBADF, .fn = on_answer};
	list_append(&r->all->flows, &f->node);
	r->all->n_flows++;
	if (r->all->n_flows == 1)
		source_timer_set(r->all->idle, RELAY_IDLE_MS);
	f->key = strdup(key);
	if (!f->key || flow_connect(f) < 0 || map_put(r->flows, key, f) < 0) {
		flow_free(f);
		return NULL;
	}
	return f;
}

static void on_datagrams(struct watch *w, UNUSED uint32_t events)
{
	struct relay *r = CONTAINER_OF(w, struct relay, in);

	for (unsigned i = 0; i < DATAGRAMS; i++) {
		struct flow like = {.relay = r}, *f;
		ssize_t n = receive(w->fd, &like);
		char key[KEY_MAX];

		if (n == -EAGAIN)
			return;
		if (n < 0 || !like.client_len)
			continue;
		f = map_get(r->flows, key_of(&like, key));
		if (!f)
			f = flow_new(r, &like, key);
		if (!f)
			continue;
		touch(f);
		(void)send(f->out.fd, packet, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

int flows_start(struct relay *r)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	const int on = 1;

	r->in.fn = on_datagrams;
	if (getsockname(r->in.fd, (struct sockaddr *)&sa, &len) < 0 ||
	    (sa.ss_family == AF_INET6 &&
	     setsockopt(r->in.fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0))
		return -errno;
	return map_new(&r->flows);
}
