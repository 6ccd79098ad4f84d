/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msg.c - requests and answers over libmnl, with the kernel's extended acks */

#include "netlink/msg.h"

#include <string.h>
#include <sys/socket.h>

#define DUMP_TRIES 4 /* of a dump during which something changed */

int nlsock_open(struct nlsock *s, int bus)
{
	int one = 1, r;

	memset(s, 0, sizeof(*s));
	s->sock = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!s->sock)
		return -errno;
	if (mnl_socket_bind(s->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		nlsock_close(s);
		return r;
	}
	s->port = mnl_socket_get_portid(s->sock);
	/* older kernels lack some of these: answers are then only less exact */
	(void)mnl_socket_setsockopt(s->sock, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)mnl_socket_setsockopt(s->sock, NETLINK_CAP_ACK, &one, sizeof(one));
	(void)mnl_socket_setsockopt(s->sock, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	return 0;
}

void nlsock_close(struct nlsock *s)
{
	if (s->sock)
		(void)mnl_socket_close(s->sock);
	s->sock = NULL;
}

struct nlmsghdr *nlsock_begin(struct nlsock *s, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nh = mnl_nlmsg_put_header(s->out);

	nh->nlmsg_type = type;
	nh->nlmsg_flags = NLM_F_REQUEST | flags;
	nh->nlmsg_seq = ++s->seq;
	s->full = false;
	s->ext[0] = '\0';
	return nh;
}

void nlsock_put(struct nlsock *s, struct nlmsghdr *nh, uint16_t type, const void *data, size_t len)
{
	if (!mnl_attr_put_check(nh, sizeof(s->out), type, len, data))
		s->full = true;
}

void nlsock_u32(struct nlsock *s, struct nlmsghdr *nh, uint16_t type, uint32_t value)
{
	nlsock_put(s, nh, type, &value, sizeof(value));
}

void nlsock_u8(struct nlsock *s, struct nlmsghdr *nh, uint16_t type, uint8_t value)
{
	nlsock_put(s, nh, type, &value, sizeof(value));
}

void nlsock_str(struct nlsock *s, struct nlmsghdr *nh, uint16_t type, const char *value)
{
	nlsock_put(s, nh, type, value, strlen(value) + 1);
}

struct nlattr *nlsock_nest(struct nlsock *s, struct nlmsghdr *nh, uint16_t type)
{
	struct nlattr *a = mnl_attr_nest_start_check(nh, sizeof(s->out), type);

	if (!a)
		s->full = true;
	return a;
}

/* NLMSGERR_ATTR_MSG behind the (possibly capped) copy of our header */
static void read_ext(struct nlsock *s, const struct nlmsghdr *nh)
{
	const struct nlmsgerr *er = mnl_nlmsg_get_payload(nh);
	size_t skip = sizeof(*er);
	const struct nlattr *a;

	if (!(nh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nh->nlmsg_flags & NLM_F_CAPPED))
		skip += MNL_ALIGN(er->msg.nlmsg_len) - sizeof(er->msg);
	if (mnl_nlmsg_get_payload_len(nh) <= skip)
		return;
	mnl_attr_for_each(a, nh, skip) if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
					   mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)(void)
		snprintf(s->ext, sizeof(s->ext), "%s", mnl_attr_get_str(a));
}

/* Return: 1 go on, 0 ended well, -errno. */
static int one_answer(struct nlsock *s, const struct nlmsghdr *nh, mnl_cb_t cb, void *data)
{
	const struct nlmsgerr *er = mnl_nlmsg_get_payload(nh);

	if (nh->nlmsg_seq != s->seq)
		return 1; /* of an earlier, given-up request */
	if (nh->nlmsg_flags & NLM_F_DUMP_INTR)
		s->torn = true;
	switch (nh->nlmsg_type) {
	case NLMSG_NOOP:
		return 1;
	case NLMSG_DONE:
		return 0;
	case NLMSG_OVERRUN:
		return -EOVERFLOW;
	case NLMSG_ERROR:
		if (mnl_nlmsg_get_payload_len(nh) < sizeof(*er))
			return -EBADMSG;
		if (er->error)
			read_ext(s, nh);
		return er->error > 0 ? -er->error : er->error;
	}
	if (cb) {
		int r = cb(nh, data);

		if (r < 0)
			return r;
	}
	return 1;
}

/* The next datagram of the kernel's. Whoever has CAP_NET_ADMIN in this namespace, a container's
 * process for one, can send to our port: such messages are passed over. */
static ssize_t receive(struct nlsock *s)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		struct iovec iov = {.iov_base = s->in, .iov_len = sizeof(s->in)};
		struct msghdr mh = {.msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = &iov,
				    .msg_iovlen = 1};
		ssize_t n = recvmsg(mnl_socket_get_fd(s->sock), &mh, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (mh.msg_namelen != sizeof(from) || from.nl_pid != 0)
			continue;
		return mh.msg_flags & MSG_TRUNC ? -ENOBUFS : n;
	}
}

static int transact(struct nlsock *s, struct nlmsghdr *nh, mnl_cb_t cb, void *data)
{
	int failed = 0;

	if (mnl_socket_sendto(s->sock, nh, nh->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		const struct nlmsghdr *a = (const struct nlmsghdr *)s->in;
		ssize_t n = receive(s);
		int len = (int)n, r = 1;

		if (n < 0)
			return (int)n;
		for (; mnl_nlmsg_ok(a, len); a = mnl_nlmsg_next(a, &len)) {
			/* a callback's refusal is kept, the rest of the dump drained */
			r = one_answer(s, a, failed ? NULL : cb, data);
			if (r < 0 && a->nlmsg_type >= NLMSG_MIN_TYPE) {
				failed = r;
				r = 1;
			}
			if (r <= 0)
				return r < 0 ? r : failed;
		}
	}
}

int nlsock_call(struct nlsock *s, struct nlmsghdr *nh, mnl_cb_t cb, void *data)
{
	if (s->full)
		return -EMSGSIZE;
	/* NLM_F_EXCL of a new object shares its bit with half of NLM_F_DUMP */
	if ((nh->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		nh->nlmsg_flags |= NLM_F_ACK;
	for (int tries = 0;; tries++) {
		int r;

		s->torn = false;
		r = transact(s, nh, cb, data);
		/* where things never stand still, the last look has to do */
		if (r < 0 || !s->torn || tries == DUMP_TRIES)
			return r;
		nh->nlmsg_seq = ++s->seq;
	}
}
