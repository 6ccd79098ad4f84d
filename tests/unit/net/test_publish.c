/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_publish.c - published ports: reached, refused, reserved, given back */

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"
#include "net/internal.h"
#include "tap.h"
#include "world.h"

#define LOCALHOST 0x7f000001u

static struct world w;

static int make(const char *id, const char *name, const char *network, const char *const *publish,
		struct err *e)
{
	const char *const networks[] = {network, NULL};
	int r = 0;

	*e = (struct err){0};
	if (!net_container_endpoint_next(w.net, id, NULL))
		r = world_join(&w, id, name, networks, e);
	return r < 0 ? r : world_start(&w, id, name, publish, e);
}

static uint32_t address(const char *id)
{
	return world_ip4(net_container_endpoint_next(w.net, id, NULL));
}

/* a program of the host listens on @port: its socket, or -errno */
static int listens(int type, uint32_t addr, uint16_t port)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(addr), .sin_port = htons(port)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1, r;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 1) < 0)) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

static void reached(void)
{
	static const char *const pub[] = {"8080:80", "127.0.0.1:8081:80", NULL};
	const char *web = world_id('1');
	const struct net_port *ports;
	struct sandbox *sb, *other;
	struct err e;
	int pid;

	is_int(make(web, "web", "site", pub, &e), 0, "web with two ports (%s)", e.msg);
	is_int(make(world_id('2'), "other", "elsewhere", NULL, &e), 0,
	       "other on another network (%s)", e.msg);
	sb = net_sandbox_find(w.net, web);
	other = net_sandbox_find(w.net, world_id('2'));
	if (!sb || !other)
		return;
	is_int(sandbox_ports(sb, &ports), 3, "two ports are shown, one of both families");
	ok(ports[0].host_port == 8080 && ports[0].port == 80 && ip_is_any(ports[0].host_ip),
	   "the first");
	ok(ports[1].host_port == 8080 && ip_eq(ports[1].host_ip, ip_any(V6)), "on IPv6, too");
	ok(ports[2].host_port == 8081 && ip_eq(ports[2].host_ip, ip_v4(LOCALHOST)), "the second");
	pid = world_serve(sb, 80);
	is_int(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 8080, 2000), 0, "from outside");
	is_int(world_talk(NULL, LOCALHOST, 8080, 2000), 0, "from the host, by localhost");
	is_int(world_talk(NULL, LOCALHOST, 8081, 2000), 0, "one that is for localhost alone");
	is_int(world_talk(NULL, WORLD_HOST_ADDR, 8080, 2000), 0, "from the host, by its address");
	is_int(world_talk(other, WORLD_HOST_ADDR, 8080, 2000), 0,
	       "from a container of another network");
	is_int(world_talk(sb, WORLD_HOST_ADDR, 8080, 2000), 0, "from itself");
	ok(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 8081, 300) != 0,
	   "not localhost's from outside");
	ok(world_talk_from(WORLD_OUTSIDE, address(web), 80, 300) != 0, "not past the publishing");
	is_int(listens(SOCK_STREAM, 0, 8080), -EADDRINUSE, "no program of the host takes it");
	world_end(pid);
	net_sandbox_stop(w.net, web);
	ok(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 8080, 300) != 0,
	   "stopped: nobody answers");
	pid = listens(SOCK_STREAM, 0, 8080);
	ok(pid >= 0, "and the port is free");
	(void)close(pid);
}

static void clashes(void)
{
	static const char *const p80[] = {"80:80", NULL}, *const p81[] = {"81:80", NULL},
				 *const two[] = {"9100:80", "80:81", NULL},
				 *const local[] = {"127.0.0.1:80:80", NULL},
				 *const foreign[] = {"203.0.113.9:85:80", NULL},
				 *const udp[] = {"80:80/udp", NULL};
	auto_free char *want = NULL;
	struct endpoint *ep;
	struct err e;
	int fd;

	is_int(make(world_id('1'), "web", "site", p80, &e), 0, "web has port 80 (%s)", e.msg);
	is_int(make(world_id('3'), "late", "site", two, &e), -EADDRINUSE, "late does not get it");
	ep = net_container_endpoint_next(w.net, world_id('3'), NULL);
	want = str_printf(
		"driver failed programming external connectivity on endpoint late (%s): "
		"Bind for 0.0.0.0:80 failed: port is already allocated (by container web)",
		endpoint_id(ep));
	is_str(e.msg, want, "told so, and who has it");
	ok(!endpoint_attached(ep) && !net_sandbox_find(w.net, world_id('3')),
	   "nothing of late runs");
	fd = listens(SOCK_STREAM, 0, 9100);
	ok(fd >= 0, "what it had got already is given back");
	(void)close(fd);
	is_int(make(world_id('3'), "late", "site", local, &e), -EADDRINUSE, "nor on one address");
	is_int(make(world_id('3'), "late", "site", udp, &e), 0, "but by UDP (%s)", e.msg);
	net_sandbox_stop(w.net, world_id('3'));
	fd = listens(SOCK_STREAM, 0, 81);
	is_int(make(world_id('3'), "late", "site", p81, &e), -EADDRINUSE, "a program has port 81");
	ok(strstr(e.msg, "failed to bind host port 0.0.0.0:81/tcp: address already in use") != NULL,
	   "told so: %s", e.msg);
	(void)close(fd);
	is_int(make(world_id('3'), "late", "site", p81, &e), 0, "it ends: late gets it (%s)",
	       e.msg);
	net_sandbox_stop(w.net, world_id('3'));
	is_int(make(world_id('3'), "late", "site", foreign, &e), -EADDRNOTAVAIL,
	       "an address the host has not: %s", e.msg);
	net_sandbox_stop(w.net, world_id('1'));
}

static void ephemeral_and_ranges(void)
{
	static const char *const any[] = {"80", "81", "82/udp", NULL},
				 *const first[] = {"8000-8003:80", NULL},
				 *const range[] = {"9000-9020:9000-9020", "7000-7002:8000-8002",
						   NULL};
	const struct net_port *p;
	struct sandbox *sb;
	struct err e;
	uint16_t last[3] = {0};
	int pid, taken;

	is_int(make(world_id('1'), "web", "site", any, &e), 0, "any ports (%s)", e.msg);
	is_int(sandbox_ports(net_sandbox_find(w.net, world_id('1')), &p), 6, "three");
	ok(p[0].host_port >= 1024 && p[2].host_port >= 1024 && p[0].host_port != p[2].host_port,
	   "%u and %u", p[0].host_port, p[2].host_port);
	for (int i = 0; i < 6; i += 2) {
		last[i / 2] = p[i].host_port;
		is_int(p[i].host_port, p[i + 1].host_port, "one number on both families");
	}
	net_sandbox_stop(w.net, world_id('1'));
	is_int(make(world_id('1'), "web", "site", any, &e), 0, "again (%s)", e.msg);
	is_int(sandbox_ports(net_sandbox_find(w.net, world_id('1')), &p), 6, "three");
	for (int i = 0; i < 6; i += 2)
		is_int(p[i].host_port, last[i / 2], "the number it had");
	net_sandbox_stop(w.net, world_id('1'));
	taken = listens(SOCK_STREAM, 0, 8000);
	is_int(make(world_id('1'), "web", "site", first, &e), 0, "the first free of a range (%s)",
	       e.msg);
	is_int(sandbox_ports(net_sandbox_find(w.net, world_id('1')), &p), 2, "one");
	is_int(p[0].host_port, 8001, "the second, for the first is taken");
	(void)close(taken);
	net_sandbox_stop(w.net, world_id('1'));
	is_int(make(world_id('1'), "web", "site", range, &e), 0, "two ranges (%s)", e.msg);
	sb = net_sandbox_find(w.net, world_id('1'));
	is_int(sandbox_ports(sb, &p), 2 * (21 + 3), "21 and 3");
	pid = world_serve(sb, 9013);
	is_int(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 9013, 2000), 0, "one within");
	world_end(pid);
	pid = world_serve(sb, 8002);
	is_int(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 7002, 2000), 0,
	       "one whose number changes");
	world_end(pid);
	net_sandbox_stop(w.net, world_id('1'));
}

static void internal_then_connected(void)
{
	static const char *const pub[] = {"8088:80", NULL};
	struct network_spec spec = world_spec("closed", "10.66.0.0/24");
	const char *id = world_id('9');
	const char *const site[] = {"site", NULL};
	const struct net_port *p;
	struct network *nw;
	struct endpoint *ep;
	struct err e = {0};
	int pid;

	spec.internal = true;
	is_int(net_create(w.net, &spec, &nw, NULL, &e), 0, "an internal network");
	is_int(make(id, "inner", "closed", pub, &e), 0, "a container that wants to publish (%s)",
	       e.msg);
	is_int(sandbox_ports(net_sandbox_find(w.net, id), &p), 0, "publishes nothing there");
	is_int(world_join(&w, id, "inner", site, &e), 0, "on another one");
	ep = net_container_endpoint_next(w.net, id, net_container_endpoint_next(w.net, id, NULL));
	is_int(net_endpoint_attach(w.net, ep, &e), 0, "connected (%s)", e.msg);
	is_int(sandbox_ports(net_sandbox_find(w.net, id), &p), 2, "now it does");
	pid = world_serve(net_sandbox_find(w.net, id), 80);
	is_int(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 8088, 2000), 0, "and is reached");
	is_int(net_endpoint_remove(w.net, ep, &e), 0, "disconnected");
	ok(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 8088, 300) != 0, "and is not");
	world_end(pid);
	net_sandbox_stop(w.net, id);
}

static void many(void)
{
	static const char *const range[] = {"20000-20999:20000-20999", NULL},
				 *const long_one[] = {"20000-29999:20000-29999", NULL};
	int64_t t0;
	struct err e;

	t0 = clock_mono_ns();
	is_int(make(world_id('1'), "web", "site", range, &e), 0, "1,000 ports (%s)", e.msg);
	printf("# start with 1,000 ports %.1f ms\n", (double)(clock_mono_ns() - t0) / 1e6);
	is_int(listens(SOCK_STREAM, 0, 20500), -EADDRINUSE, "held");
	t0 = clock_mono_ns();
	net_sandbox_stop(w.net, world_id('1'));
	printf("# stop %.1f ms\n", (double)(clock_mono_ns() - t0) / 1e6);
	t0 = clock_mono_ns();
	is_int(make(world_id('1'), "web", "site", long_one, &e), 0, "10,000 ports (%s)", e.msg);
	printf("# start with 10,000 ports %.1f ms\n", (double)(clock_mono_ns() - t0) / 1e6);
	net_sandbox_stop(w.net, world_id('1'));
}

/* The resolver keeps its duplicates of the sockets a moment longer than we do. */
static void at_once_again(void)
{
	static const char *const both[] = {"8070:80", "8070:80/udp", NULL}, *const tcp[] = {
										    "8070:80",
										    NULL};
	const char *id = world_id('8');
	struct err e = {0};
	int good = 0, pid = feed_pid(w.net->feed), waker;

	for (int i = 0; i < 50; i++, good++) {
		if (make(id, "again", "site", both, &e) < 0)
			break;
		net_sandbox_stop(w.net, id);
	}
	is_int(good, 50, "stopped and started again, fifty times %s", e.msg);
	is_int(make(id, "again", "site", both, &e), 0, "once more %s", e.msg);
	is_int(kill(pid, SIGSTOP), 0, "the resolver is busy");
	net_sandbox_stop(w.net, id);
	is_int(make(id, "again", "site", tcp, &e), 0, "its port is free all the same %s", e.msg);
	is_int(listens(SOCK_STREAM, 0, 8070), -EADDRINUSE, "for nobody but us");
	net_sandbox_stop(w.net, id);
	waker = fork();
	if (waker == 0) {
		(void)poll(NULL, 0, 60);
		_exit(kill(pid, SIGCONT));
	}
	is_int(make(id, "again", "site", both, &e), 0, "by UDP it is waited for %s", e.msg);
	net_sandbox_stop(w.net, id);
	world_end(waker);
	is_int(kill(pid, SIGCONT), 0, "it goes on");
}

/* Another engine comes, after the network was made, and has bridges ask the firewall. */
static void bridge_nf_later(void)
{
	static const char key[] = "net/bridge/bridge-nf-call-iptables";
	static const char *const pub[] = {"8090:80", NULL};
	const char *id = world_id('7');
	struct err e;
	int pid;

	if (netns_sysctl(key, "0") < 0)
		return; /* no br_netfilter here */
	ok(world_network(&w, "early", NULL) != NULL, "a network while it is off");
	is_int(netns_sysctl(key, "1"), 0, "it is switched on");
	is_int(make(id, "self", "early", pub, &e), 0, "a container then (%s)", e.msg);
	pid = world_serve(net_sandbox_find(w.net, id), 80);
	is_int(world_talk(net_sandbox_find(w.net, id), WORLD_HOST_ADDR, 8090, 2000), 0,
	       "reaches what it publishes itself");
	world_end(pid);
	net_sandbox_stop(w.net, id);
}

int main(void)
{
	const char *why = world_enter();
	auto_free char *before = NULL, *after = NULL;
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (!ok(world_outside(&e) >= 0, "a neighbour (%s)", e.msg) ||
	    !ok(world_open(&w, &e) >= 0, "a world (%s)", e.msg))
		return tap_done();
	(void)world_network(&w, "site", NULL);
	(void)world_network(&w, "elsewhere", NULL);
	before = world_state();
	reached();
	clashes();
	ephemeral_and_ranges();
	net_sandbox_stop(w.net, world_id('2'));
	world_settle(&w);
	after = world_state();
	is_str(after, before, "nothing of it stays");
	internal_then_connected();
	many();
	at_once_again();
	bridge_nf_later();
	world_close(&w, true);
	return tap_done();
}
