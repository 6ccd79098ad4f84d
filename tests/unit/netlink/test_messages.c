/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_messages.c - requests that do not fit, forged and stale answers, dumps that are torn */

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/str.h"
#include "netlink/internal.h"
#include "space.h"
#include "tap.h"

static struct rtnl *nl;

static void too_long(void)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_GETLINK, 0, 1);
	char text[1000];
	struct rtnl_link l;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 10; i++)
		nlsock_str(&nl->s, nh, IFLA_IFALIAS, text);
	is_int(nlsock_call(&nl->s, nh, NULL, NULL), -EMSGSIZE, "a request that does not fit");
	is_int(rtnl_link_by_index(nl, 1, &l), 0, "is forgotten by the next");
}

/* Somebody of this namespace sends us what looks like the kernel's answer to our next request. */
static void forged(void)
{
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = nl->s.port};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr er;
	} lie = {.h = {.nlmsg_len = sizeof(lie),
		       .nlmsg_type = NLMSG_ERROR,
		       .nlmsg_seq = nl->s.seq + 1,
		       .nlmsg_pid = nl->s.port},
		 .er = {.error = -EPERM}};
	struct rtnl_link l = {0};

	is_int(sendto(fd, &lie, sizeof(lie), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(lie),
	       "a forged answer is in the queue");
	is_int(rtnl_link_by_index(nl, 1, &l), 0, "it is not believed");
	is_str(l.name, "lo", "the kernel is");
}

/* An answer to a request nobody waits for any more. */
static void stale(void)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_GETLINK, NLM_F_ACK, 9999);
	struct rtnl_link l = {0};

	ok(mnl_socket_sendto(nl->s.sock, nh, nh->nlmsg_len) > 0, "a request that is given up");
	is_int(rtnl_link_by_index(nl, 1, &l), 0, "its late answer is passed over");
	is_str(l.name, "lo", "for the right one");
}

/* ---- torn dumps ---- */

struct walk {
	struct rtnl *other;
	unsigned links, late;
};

static int add_one(const struct rtnl_link *l, void *data)
{
	struct rtnl_bridge b = {.name = "late", .mac = {2, 1, 1, 1, 1, 1}};
	struct walk *w = data;
	int ifindex;

	if (!w->links++ && rtnl_bridge_add(w->other, &b, &ifindex, NULL) < 0)
		printf("# cannot add one\n");
	w->late += streq(l->name, "late");
	return 0;
}

static void torn(void)
{
	struct rtnl_bridge b = {.mac = {2, 2, 2, 2, 2, 2}};
	struct walk w = {0};
	unsigned made = 0;
	char name[16];
	int ifindex;

	for (int i = 0; i < 80; i++) { /* five answers of 32 KiB and more */
		(void)snprintf(name, sizeof(name), "b%d", i);
		b.name = name;
		made += rtnl_bridge_add(nl, &b, &ifindex, NULL) >= 0;
	}
	is_int(made, 80, "many links");
	is_int(rtnl_open(&w.other), 0, "somebody else");
	is_int(rtnl_link_each(nl, add_one, &w), 0, "changes them while they are listed");
	ok(w.links > 82 && w.late >= 1, "they are listed again (%u entries seen)", w.links);
	rtnl_close(w.other);
}

static int refuse(const struct nlmsghdr *nh, void *data)
{
	(void)nh;
	++*(unsigned *)data;
	return -EDOM;
}

static void refused(void)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_GETLINK, NLM_F_DUMP, 0);
	struct rtnl_link l;
	unsigned n = 0;

	is_int(nlsock_call(&nl->s, nh, refuse, &n), -EDOM, "a callback's refusal is the result");
	is_int(n, 1, "it is not asked again");
	is_int(rtnl_link_by_index(nl, 1, &l), 0, "and the rest of the dump is out of the way");
}

int main(void)
{
	const char *why = space_enter();

	if (why)
		return tap_skip_all(why);
	if (rtnl_open(&nl) < 0)
		return 1;
	too_long();
	forged();
	stale();
	torn();
	refused();
	rtnl_close(nl);
	return tap_done();
}
