/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_publish6.c - ports published on both families: by one number, relayed where nothing can be
 * translated, kept over stops and restarts; who is in the way
 */

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "net/internal.h"
#include "steps.h"
#include "tap.h"
#include "world.h"

static struct world w;

static const char *const on_both[] = {"both", NULL}, *const on_four[] = {"four", NULL},
			 *const on_six[] = {"six", NULL};

static struct network *network(const char *name, bool v4, bool v6)
{
	struct network_spec s = {.name = (char *)(uintptr_t)name, .off = {!v4, !v6}};

	return world_make(&w, &s);
}

/* "0.0.0.0:8080 [::]:8080", in the order they are shown */
static const char *shown(char letter)
{
	static char text[256];
	const struct net_port *p;
	size_t n = sandbox_ports(net_sandbox_find(w.net, world_id(letter)), &p);
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n && len < sizeof(text); i++) {
		char ip[IP_STR];

		len += (size_t)snprintf(text + len, sizeof(text) - len,
					p[i].host_ip.family == 6 ? "%s[%s]:%u" : "%s%s:%u",
					i ? " " : "", ip_str(p[i].host_ip, ip), p[i].host_port);
	}
	return text;
}

static int from_outside(int fam, uint16_t port, int ms)
{
	return world_reach(WORLD_OUTSIDE, fam ? WORLD_HOST_ADDR6 : ip_v4(WORLD_HOST_ADDR), port,
			   ms);
}

/* A program of that name listens on @ip:@port (a child); its pid. */
/* Tries for a while: the resolver closes its part of a port that was given up a moment later. */
static int squat(int fd, const struct sockaddr_storage *sa, socklen_t len)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	int r = -1;

	for (int i = 0; r < 0 && i < 400; i++) {
		r = bind(fd, (const struct sockaddr *)sa, len);
		if (r < 0)
			(void)nanosleep(&pause, NULL);
	}
	return r < 0 ? r : listen(fd, 1);
}

static int squatter(struct ip ip, uint16_t port)
{
	int p[2], one = 1;
	char c = 0;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		struct sockaddr_storage sa;
		socklen_t len = ip_sockaddr(ip, port, &sa);
		int fd = socket(sa.ss_family, SOCK_STREAM, 0);

		if (ip.family == 6)
			(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, "squatter");
		if (squat(fd, &sa, len) < 0 || write(p[1], "+", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(p[1]);
	ok(read(p[0], &c, 1) == 1, "a program listens on port %u", port);
	(void)close(p[0]);
	return pid;
}

/* ---- where a port is reached ---- */

static void dual(void)
{
	static const char *const pub[] = {"8080:80", "127.0.0.1:8081:80", "[::1]:8082:80", NULL};
	int pid;

	if (!world_runs(&w, '1', "web", on_both, pub))
		return;
	is_str(shown('1'), "0.0.0.0:8080 [::]:8080 127.0.0.1:8081 [::1]:8082", "what is shown");
	pid = world_serve_at(world_ns('1'), 80);
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		is_int(from_outside(fam, 8080, 2000), 0, "from outside");
		is_int(world_reach(NULL, world_ip(fam ? "::1" : "127.0.0.1"), 8080, 2000), 0,
		       "from the host, by localhost");
		is_int(world_reach(NULL, fam ? WORLD_HOST_ADDR6 : ip_v4(WORLD_HOST_ADDR), 8080,
				   2000),
		       0, "from the host, by its address");
		is_int(world_reach(world_ns('1'), fam ? WORLD_HOST_ADDR6 : ip_v4(WORLD_HOST_ADDR),
				   8080, 2000),
		       0, "from itself");
		is_int(world_reach(NULL, world_ip(fam ? "::1" : "127.0.0.1"),
				   (uint16_t)(8081 + fam), 2000),
		       0, "what is localhost's");
		ok(from_outside(fam, (uint16_t)(8081 + fam), 300) != 0, "not from outside");
	}
	world_end(pid);
	world_leave(&w, '1');
	for (int fam = 0; fam < N_FAMILIES; fam++)
		ok(from_outside(fam, 8080, 300) != 0, "stopped: nobody answers");
}

/* IPv6 clients of a container that has IPv4 alone are relayed; the other way round nobody can. */
static void single(void)
{
	static const char *const pub[] = {"8080:80", NULL}, *const at4[] = {"127.0.0.1:8083:80",
									    NULL};
	int pid;

	if (!world_runs(&w, '1', "web", on_four, pub) || !world_runs(&w, '2', "api", on_six, at4))
		return;
	is_str(shown('1'), "0.0.0.0:8080 [::]:8080", "of IPv4 alone: both");
	pid = world_serve_at(world_ns('1'), 80);
	for (int fam = 0; fam < N_FAMILIES; fam++)
		is_int(from_outside(fam, 8080, 2000), 0, "from outside");
	is_int(world_reach(NULL, world_ip("::1"), 8080, 2000), 0, "by [::1]");
	world_end(pid);
	world_leave(&w, '1');
	is_str(shown('2'), "", "of IPv6 alone: no IPv4 address is published");
	world_leave(&w, '2');
	if (!world_runs(&w, '2', "api", on_six, pub))
		return;
	is_str(shown('2'), "[::]:8080", "but everywhere in IPv6");
	pid = world_serve_at(world_ns('2'), 80);
	is_int(from_outside(V6, 8080, 2000), 0, "from outside");
	ok(from_outside(V4, 8080, 300) != 0, "not by IPv4");
	world_end(pid);
	world_leave(&w, '2');
}

/* com.docker.network.bridge.host_binding_ipv4 takes IPv6, too; --ip is the daemon's. */
static void bound(void)
{
	static const char *const pub[] = {"8080:80", NULL}, *const on[] = {"bound", NULL};
	struct network_spec s = {.name = (char *)(uintptr_t) "bound"};
	struct network *nw;

	s.options = json_pack("{ss}", "com.docker.network.bridge.host_binding_ipv4", "::1");
	nw = world_make(&w, &s);
	if (world_runs(&w, '1', "web", on, pub))
		is_str(shown('1'), "[::1]:8080", "where the network says");
	world_leave(&w, '1');
	world_unmake(&w, nw);
}

/* ---- numbers that stay ---- */

static uint16_t number(char letter)
{
	const struct net_port *p;
	size_t n = sandbox_ports(net_sandbox_find(w.net, world_id(letter)), &p);

	return n ? p[0].host_port : 0;
}

static void one_number(const char *what)
{
	auto_free char *want = str_printf("0.0.0.0:%u [::]:%u", number('1'), number('1'));

	ok(number('1') >= 1024, "%s: %u", what, number('1'));
	is_str(shown('1'), want, "one number for both families");
}

static void ephemeral(void)
{
	static const char *const pub[] = {"80", NULL};
	struct err e = {0};
	uint16_t first;
	int pid;

	if (!world_runs(&w, '1', "web", on_both, pub))
		return;
	first = number('1');
	one_number("an ephemeral port");
	net_sandbox_stop(w.net, world_id('1'));
	for (int i = 0; i < 2; i++) { /* others take what the kernel gives next */
		static const char *const names[] = {"api", "db"};

		(void)world_runs(&w, (char)('2' + i), names[i], on_both, pub);
	}
	is_int(world_start(&w, world_id('1'), "web", pub, &e), 0, "started again %s", e.msg);
	is_int(number('1'), first, "the same number");
	one_number("again");
	/* the daemon ends while it is stopped, and comes back */
	net_sandbox_stop(w.net, world_id('1'));
	world_close(&w, false);
	is_int(world_open(&w, &e), 0, "the next life %s", e.msg);
	is_int(net_recover_sandbox(w.net, world_id('2'), "api", 1, &e), 0, "api %s", e.msg);
	is_int(net_recovered(w.net, &e), 0, "recovered %s", e.msg);
	is_int(world_start(&w, world_id('1'), "web", pub, &e), 0, "started %s", e.msg);
	is_int(number('1'), first, "the same number still");
	/* the daemon dies while it runs */
	world_close(&w, false);
	is_int(world_open(&w, &e), 0, "the next life %s", e.msg);
	is_int(net_recover_sandbox(w.net, world_id('1'), "web", 1, &e), 0, "web %s", e.msg);
	is_int(net_recovered(w.net, &e), 0, "recovered %s", e.msg);
	one_number("it has them");
	is_int(number('1'), first, "unchanged");
	net_sandbox_stop(w.net, world_id('1'));
	is_int(world_start(&w, world_id('1'), "web", pub, &e), 0, "started %s", e.msg);
	is_int(number('1'), first, "and after a stop");
	/* somebody takes it meanwhile, of one family */
	net_sandbox_stop(w.net, world_id('1'));
	pid = squatter(ip_any(V6), first);
	is_int(world_start(&w, world_id('1'), "web", pub, &e), 0, "started all the same %s", e.msg);
	ok(number('1') != first, "another one");
	one_number("again");
	world_end(pid);
	for (char c = '1'; c <= '3'; c++)
		world_leave(&w, c);
}

/* ---- who is in the way ---- */

static int start(char letter, const char *const *publish, struct err *e)
{
	*e = (struct err){0};
	return world_start(&w, world_id(letter), "late", publish, e);
}

static void clashes(void)
{
	static const char *const p80[] = {"80:80", NULL}, *const at1[] = {"[::1]:80:80", NULL},
				 *const p91[] = {"91:80", NULL}, *const u91[] = {"91:80/udp", NULL};
	auto_free char *want = NULL, *who = NULL, *tail = NULL;
	struct endpoint *ep;
	struct err e = {0};
	int pid;

	if (!world_runs(&w, '1', "web", on_both, p80))
		return;
	is_int(world_join(&w, world_id('2'), "late", on_both, &e), 0, "late comes");
	ep = net_container_endpoint_next(w.net, world_id('2'), NULL);
	is_int(start('2', at1, &e), -EADDRINUSE, "one address of what another has");
	want = str_printf("driver failed programming external connectivity on endpoint late (%s): "
			  "Bind for [::1]:80 failed: port is already allocated (by container web)",
			  endpoint_id(ep));
	is_str(e.msg, want, "told so");
	pid = squatter(ip_any(V4), 91);
	is_int(start('2', p91, &e), -EADDRINUSE, "a program has it");
	who = str_printf("driver failed programming external connectivity on endpoint late (%s): "
			 "failed to bind host port 0.0.0.0:91/tcp: address already in use (by "
			 "squatter, pid %d)",
			 endpoint_id(ep), pid);
	is_str(e.msg, who, "told who");
	world_end(pid);
	pid = squatter(ip_any(V6), 91);
	is_int(start('2', p91, &e), -EADDRINUSE, "of IPv6 alone");
	tail = str_printf(":91/tcp: address already in use (by squatter, pid %d)", pid);
	ok(str_has_suffix(e.msg, tail), "told who: %s", e.msg);
	is_int(start('2', u91, &e), 0, "by UDP it is free %s", e.msg);
	net_sandbox_stop(w.net, world_id('2'));
	world_end(pid);
	is_int(start('2', p91, &e), 0, "what was had of IPv4 was given back %s", e.msg);
	world_leave(&w, '1');
	world_leave(&w, '2');
}

/* What it wants to publish is known in the next life, for a network that is connected then. */
static void published_later(void)
{
	static const char *const pub[] = {"8088:80", NULL}, *const in[] = {"inside", NULL};
	struct network_spec s = {.name = (char *)(uintptr_t) "inside", .internal = true};
	struct network *nw = world_make(&w, &s);
	struct endpoint *ep;
	struct err e = {0};

	if (!nw || !world_runs(&w, '1', "web", in, pub))
		return;
	is_str(shown('1'), "", "nothing is published on an internal network");
	world_close(&w, false);
	is_int(world_open(&w, &e), 0, "the next life %s", e.msg);
	is_int(net_recover_sandbox(w.net, world_id('1'), "web", 1, &e), 0, "web %s", e.msg);
	is_int(net_recovered(w.net, &e), 0, "recovered %s", e.msg);
	is_int(world_join(&w, world_id('1'), "web", on_both, &e), 0, "on another network");
	ep = net_container_endpoint_next(w.net, world_id('1'),
					 net_container_endpoint_next(w.net, world_id('1'), NULL));
	is_int(net_endpoint_attach(w.net, ep, &e), 0, "connected %s", e.msg);
	is_str(shown('1'), "0.0.0.0:8088 [::]:8088", "now it is");
	world_leave(&w, '1');
	is_int(net_find(w.net, "inside", &nw, &e), 0, "inside");
	world_unmake(&w, nw);
}

/* A range of one address of each family is one element each. */
static void ranges(void)
{
	static const char *const pub[] = {"9000-9019:9000-9019", NULL};
	int pid;

	if (!world_runs(&w, '1', "web", on_both, pub))
		return;
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		struct endpoint *ep = net_container_endpoint_next(w.net, world_id('1'), NULL);
		char ip[IP_STR];
		auto_free char *want =
			str_printf("tcp . 9000-9019 : %s", ip_str(endpoint_addr(ep, fam).ip, ip));

		ok(world_element(fam ? "range6" : "range4", want),
		   "twenty ports are one element a family");
	}
	pid = world_serve_at(world_ns('1'), 9007);
	for (int fam = 0; fam < N_FAMILIES; fam++)
		is_int(from_outside(fam, 9007, 2000), 0, "one within");
	world_end(pid);
	world_leave(&w, '1');
}

int main(void)
{
	int ended;

	if (!world_begins_dual(&w, &ended))
		return ended;
	if (!network("both", true, true) || !network("four", true, false) ||
	    !network("six", false, true))
		return tap_done();
	dual();
	single();
	bound();
	ranges();
	clashes();
	ephemeral();
	published_later();
	world_close(&w, true);
	return tap_done();
}
