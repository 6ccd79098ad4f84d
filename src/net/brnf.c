/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * brnf.c - bridge-nf-call, which others switch on: ports in hairpin mode while it is
 *
 * It is one switch a network namespace, and a family. We never touch it. While it is on a packet to
 * a port that the sender itself has published is translated within the bridge, and must leave where
 * it came in: the port needs hairpin mode. While it is off no port does, and none has it (it would
 * hear its own broadcasts). The switch is a file that exists once the module is there; a write to
 * it is noticed by inotify(7), which holds for writers that share our proc mount. Whoever else
 * writes it is noticed when the next container is attached.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

#define SYS "/proc/sys/"
static const char *const files[] = {SYS "net/bridge/bridge-nf-call-iptables",
				    SYS "net/bridge/bridge-nf-call-ip6tables"};

static bool is_on(void)
{
	bool on = false;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		on = on || netns_sysctl_first(files[i] + strlen(SYS)) == '1';
	return on;
}

static void set_ports(struct net *n, bool on)
{
	struct network *nw;
	struct endpoint *ep;
	struct rtnl_link l;

	list_for_each (nw, &n->networks, node)
		list_for_each (ep, &nw->endpoints, node)
			if (nw->driver == &driver_bridge && ep->attached &&
			    rtnl_link_get(n->rtnl, ep->host_name, &l) >= 0 &&
			    rtnl_port_set(n->rtnl, l.ifindex, RTNL_PORT_HAIRPIN,
					  on ? RTNL_PORT_HAIRPIN : 0, NULL) < 0)
				log_warn("a container may not reach its own published ports "
					 "container=%s network=%s",
					 ep->container_name, nw->spec.name);
}

static void changed(int fd, uint32_t events, void *data)
{
	_Alignas(struct inotify_event) char buf[4096];

	(void)events;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	(void)brnf_look(data);
}

/* The open files keep their inodes, which are what is watched. */
static void watch(struct net *n)
{
	if (n->brnf_files[0] >= 0 || n->brnf_notify < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		n->brnf_files[i] = open(files[i], O_RDONLY | O_CLOEXEC);
		if (n->brnf_files[i] >= 0 &&
		    inotify_add_watch(n->brnf_notify, files[i], IN_MODIFY) < 0)
			log_debug("%s is not watched: %s", files[i], strerror(errno));
	}
}

bool brnf_look(struct net *n)
{
	bool on = is_on();

	watch(n);
	if (on != n->brnf_on) {
		n->brnf_on = on;
		set_ports(n, on);
	}
	return on;
}

void brnf_open(struct net *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(n->brnf_files); i++)
		n->brnf_files[i] = -EBADF;
	n->brnf_notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (n->brnf_notify >= 0 &&
	    loop_io(n->loop, n->brnf_notify, EPOLLIN, changed, n, &n->brnf_io) < 0)
		n->brnf_notify = fd_close(n->brnf_notify);
	n->brnf_on = is_on();
	watch(n);
}

void brnf_close(struct net *n)
{
	n->brnf_io = source_free(n->brnf_io);
	for (size_t i = 0; i < ARRAY_SIZE(n->brnf_files); i++)
		(void)fd_close(n->brnf_files[i]);
	(void)fd_close(n->brnf_notify);
}
