/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_resolver.c - a real atoll-dns judged by dig, drill and dnspython: local names, forwarding,
 * odd and hostile clients. Argument: the program.
 */

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/str.h"
#include "messages.h"
#include "tap.h"
#include "world.h"

static struct world w;
static struct box a, b, in;

static void local_names(void)
{
	double t;

	box_join(&w, &a, "front", "172.18.0.2 fd00:18::2", "web www aaaaaaaaaaaa both");
	box_join(&w, &b, "front", "172.18.0.3", "api app both ext.alias.test");
	box_join(&w, &in, "inside", "172.19.0.2", "db");

	is_str(dig(&a, "api"), "172.18.0.3", "dig: a name");
	is_str(dig(&a, "API.Front"), "172.18.0.3", "dig: name.network, case");
	is_str(dig(&a, "+tcp api"), "172.18.0.3", "dig: by TCP");
	is_str(dig(&a, "+noedns api"), "172.18.0.3", "dig: without EDNS");
	is_str(dig(&a, "+bufsize=512 api"), "172.18.0.3", "dig: small EDNS");
	is_str(dig(&b, "-x 172.18.0.2"), "web.front.", "dig: PTR");
	is_str(dig(&b, "-x fd00:18::2"), "web.front.", "dig: PTR of IPv6");
	is_str(dig(&b, "web AAAA"), "fd00:18::2", "dig: AAAA");
	is_str(dig(&b, "both AAAA"), "fd00:18::2", "dig: a shared alias, one of two has IPv6");
	ok(strlen(dig(&b, "both")) == strlen("172.18.0.2\n172.18.0.3"), "both have IPv4");
	is_str(status(&a, "api AAAA"), "NOERROR", "dig: AAAA of a known name is no error");
	is_str(dig(&a, "api AAAA"), "", "and empty");
	is_str(status(&a, "api MX"), "NOERROR", "dig: MX likewise");
	is_str(status(&a, "+edns=3 +noednsneg api"), "BADVERS", "dig: another EDNS version");
	is_str(status(&a, "+opcode=update api"), "NOTIMP", "dig: another opcode");
	ok(strstr(dig(&a, "api AXFR"), "Transfer failed"), "dig: no transfers");
	ok(strstr(run(a.netns, "drill -p %u api @127.0.0.11", a.port), "172.18.0.3"),
	   "drill: a name");
	ok(strstr(run(a.netns, "drill -t -p %u api @127.0.0.11", a.port), "172.18.0.3"),
	   "drill: by TCP");
	is_str(dig(&in, "db"), "172.19.0.2", "internal: its own name");
	t = now_ms();
	is_str(quick(&in, "example.com", 1000), "NXDOMAIN", "internal: anything else");
	ok(now_ms() - t < 50, "at once: %.1f ms", now_ms() - t);
	is_str(quick(&in, "web", 1000), "NXDOMAIN", "internal: another network's name");

	/* no server yet: the file is empty */
	t = now_ms();
	is_str(quick(&a, "nobody", 1000), "NXDOMAIN", "nobody to ask: a single label");
	is_str(quick(&a, "example.com", 1000), "SERVFAIL", "nobody to ask: a dotted name");
	ok(now_ms() - t < 50, "at once: %.1f ms", now_ms() - t);
}

static void said_then_asked(void)
{
	char name[64], addr[32];
	bool good = true;

	for (int i = 0; i < 300 && good; i++) {
		snprintf(name, sizeof(name), "api gen%d", i);
		snprintf(addr, sizeof(addr), "172.18.1.%d", i % 250);
		box_join(&w, &b, "front", addr, name);
		good = !strcmp(quick(&a, name + 4, 1000), addr);
		if (good && i)
			snprintf(name, sizeof(name), "gen%d", i - 1);
		good = good && (!i || !strcmp(quick(&a, name, 1000), "NXDOMAIN"));
	}
	ok(good, "300 times: said, then asked, is known; the old one is not");
	box_join(&w, &b, "front", "172.18.0.3", "api app");
}

static void many_addresses(void)
{
	struct box r = {.id = NULL};
	char id[16], addr[32];
	int lines = 0;

	for (int i = 0; i < 60; i++) {
		snprintf(id, sizeof(id), "replica%d", i);
		snprintf(addr, sizeof(addr), "172.18.2.%d", i);
		r.id = id;
		box_join(&w, &r, "front", addr, "many");
	}
	ok(strstr(run(a.netns, "dig @127.0.0.11 -p %u +ignore +noedns many", a.port), " tc "),
	   "60 addresses in 512 bytes: cut");
	for (const char *p = dig(&a, "many"); p && *p; p = strchr(p, '\n'), p += !!p)
		lines++;
	is_int(lines, 60, "all of them by the TCP that follows");
	for (int i = 0; i < 60; i++) {
		snprintf(id, sizeof(id), "replica%d", i);
		feed_endpoint_del(w.feed, "id-of-front", id);
	}
	is_str(quick(&a, "many", 1000), "NXDOMAIN", "all gone");
}

static bool resolv_is(const char *text, const char *name, const char *want)
{
	double end = now_ms() + 3000;

	world_resolv(&w, text);
	while (now_ms() < end)
		if (!strcmp(quick(&a, name, 1000), want))
			return true;
	return false;
}

static void timed(const char *name, const char *want, double from, double to)
{
	double t = now_ms();

	is_str(quick(&a, name, 6000), want, "%s", name);
	t = now_ms() - t;
	ok(t >= from && t <= to, "after %.0f ms (%.0f to %.0f)", t, from, to);
}

static void forwarding(void)
{
	char text[80], before[32];

	ok(resolv_is("nameserver 127.0.1.1\n", "follow1.test", "192.0.2.1"),
	   "resolv.conf is followed");
	is_str(dig(&a, "ext.test"), "192.0.2.1", "forwarded");
	is_str(dig(&a, "+tcp ext2.test"), "192.0.2.1", "forwarded by TCP");
	is_str(status(&a, "nx1.test"), "NXDOMAIN", "a name that is not there");
	box_join(&w, &b, "front", "172.18.0.3", "api app both ext.alias.test");
	is_str(dig(&a, "ext.alias.test"), "172.18.0.3", "an alias that is a domain's name");
	is_str(status(&a, "nx.alias.test TXT"), "NXDOMAIN", "not there");
	box_join(&w, &b, "front", "172.18.0.3", "api app both nx.alias.test");
	is_str(status(&a, "nx.alias.test TXT"), "NOERROR", "an alias is there, whatever they say");
	box_join(&w, &b, "front", "172.18.0.3", "api app both ext.alias.test");
	is_str(dig(&a, "count.test TXT +noedns"), dig(&b, "count.test TXT"), "(asked)");
	is_str(dig(&a, "single"), "192.0.2.1", "a single label too");

	snprintf(before, sizeof(before), "%s", dig(&a, "count.test TXT"));
	is_str(dig(&b, "EXT.test"), "192.0.2.1", "again, for another container");
	is_str(status(&b, "nx1.test"), "NXDOMAIN", "the missing one again");
	is_str(dig(&a, "count.test TXT"), before, "both from the cache");

	ok(resolv_is("nameserver 127.0.1.2\nnameserver 127.0.1.1\n", "follow2.test", "192.0.2.1"),
	   "followed again");
	timed("sf.test", "192.0.2.1", 0, 150);
	ok(resolv_is("nameserver 127.0.1.8\nnameserver 127.0.1.2\nnameserver 127.0.1.10\n",
		     "follow3.test", "192.0.2.10"),
	   "REFUSED, then SERVFAIL, then an answer");
	ok(resolv_is("nameserver 127.0.1.99\nnameserver 127.0.1.1\n", "follow4.test", "192.0.2.1"),
	   "nobody there, then an answer");
	timed("dead.test", "192.0.2.1", 0, 150);
	ok(resolv_is("nameserver 127.0.1.4\nnameserver 127.0.1.10\n", "follow5.test", "192.0.2.10"),
	   "silence, then an answer");
	timed("silent.test", "192.0.2.10", 250, 600);
	(void)quick(&a, "silent2.test", 1000);
	is_str(quick(&a, "known-silent.test", 250), "192.0.2.10",
	       "silent twice: no head start any more");
	ok(resolv_is("nameserver ::1\n", "follow-six.test", "192.0.2.6"), "a server of IPv6");
	is_str(dig(&a, "+tcp six.test"), "192.0.2.6", "by TCP");
	ok(resolv_is("nameserver 127.0.1.2\nnameserver ::1\n", "follow-mixed.test", "192.0.2.6"),
	   "after one of IPv4");
	ok(resolv_is("nameserver 127.0.1.3\nnameserver 127.0.1.4\n", "follow6.test", "192.0.2.3"),
	   "a slow one");
	timed("late.test", "192.0.2.3", 600, 1200);
	ok(resolv_is("nameserver 127.0.1.2\n", "follow7.test", "SERVFAIL"), "only failing ones");
	timed("fails.test", "SERVFAIL", 0, 150);
	ok(resolv_is("nameserver 127.0.1.9\n", "follow8.test", "192.0.2.9"), "one that loses");
	timed("lost.test", "192.0.2.9", 1400, 2000);
	ok(resolv_is("nameserver 127.0.1.7\n", "follow9.test", "192.0.2.7"), "past forgeries");
	is_str(dig(&a, "forged.test"), "192.0.2.7",
	       "wrong id, question and source are not believed");

	ok(resolv_is("nameserver 127.0.1.5\n", "switch1.test", "NODATA"), "a server that cuts");
	ok(strstr(run(a.netns, "dig @127.0.0.11 -p %u +ignore cut.test", a.port), " tc "),
	   "TC is passed on");
	is_str(dig(&a, "cut.test"), "192.0.2.5", "and dig comes by TCP");
	ok(resolv_is("nameserver 127.0.1.10\n", "switch2.test", "192.0.2.10"), "one between");
	ok(resolv_is("nameserver 127.0.1.6\n", "switch3.test", "NODATA"),
	   "a server with much to say");
	ok(strstr(run(a.netns, "dig @127.0.0.11 -p %u +noedns +ignore big.test", a.port), " tc "),
	   "too much for 512 bytes");
	snprintf(text, sizeof(text), "%s", "+bufsize=4096 +ignore big2.test");
	ok(strstr(dig(&a, text), "192.0.2.139"), "but not for 4096");
	ok(strstr(run(a.netns, "dig @127.0.0.11 -p %u +bufsize=512 +ignore big2.test", a.port),
		  " tc "),
	   "from the cache: cut for whom it is too long");

	ok(resolv_is("nameserver 127.0.1.4\n", "lost9.test", "none"), "only silence");
	timed("nothing.test", "SERVFAIL", 3900, 4300);
	ok(resolv_is("nameserver 127.0.1.1\n", "follow10.test", "192.0.2.1"), "back to a good one");
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "p%d.test", i);
		(void)quick(&a, text, 1000);
	}
	snprintf(text, sizeof(text), "%s", dig(&a, "ports.test TXT"));
	{
		int ports = 0, ids = 0;

		ok(sscanf(text, "\"%d\" \"%d\"", &ports, &ids) == 2 && ports > 180 && ids > 180,
		   "source ports and ids vary: %s", text);
	}
}

/* An answer of the old servers that comes when there are new ones is not kept for others. */
static void late_answers(void)
{
	struct msg m = query("stale.test", TYPE_A, false);

	ok(resolv_is("nameserver 127.0.1.3\n", "slow.test", "192.0.2.3"), "a slow server");
	(void)send(b.client, m.data, m.len, 0);
	ok(resolv_is("nameserver 127.0.1.1\n", "replaced.test", "192.0.2.1"), "is replaced");
	ok(poll(&(struct pollfd){.fd = b.client, .events = POLLIN}, 1, 2000) == 1,
	   "who asked it is answered");
	(void)recv(b.client, m.data, sizeof(m.data), 0);
	is_str(quick(&a, "stale.test", 1000), "192.0.2.1", "who asks now hears the new one");
}

static void rewritten(void)
{
	auto_free char *target = str_printf("%s/elsewhere", w.dir);
	auto_free char *conf = str_printf("%s/elsewhere/stub.conf", w.dir);
	const char *text = "nameserver 127.0.1.10\n";

	ok(fs_write(w.resolv, text, strlen(text), 0644) >= 0, "written in place");
	ok(resolv_is(text, "in-place.test", "192.0.2.10"), "is followed");
	if (!target || !conf || mkdir(target, 0755) < 0 || chmod(target, 0755) < 0 ||
	    unlink(w.resolv) < 0 || symlink(conf, w.resolv) < 0)
		abort();
	text = "nameserver 127.0.1.1\n";
	ok(fs_write(conf, text, strlen(text), 0644) >= 0, "through a link");
	(void)chmod(conf, 0644);
	{
		double end = now_ms() + 3000;
		const char *got = "";

		while (now_ms() < end && strcmp(got, "192.0.2.1") != 0)
			got = quick(&a, "link1.test", 1000);
		is_str(got, "192.0.2.1", "a link is followed");
		text = "nameserver 127.0.1.10\n";
		ok(fs_write_atomic(conf, text, strlen(text), 0644) >= 0, "its target replaced");
		(void)chmod(conf, 0644);
		end = now_ms() + 900; /* less than the look each second */
		while (now_ms() < end && strcmp(got, "192.0.2.10") != 0)
			got = quick(&a, "link2.test", 1000);
		is_str(got, "192.0.2.10", "is seen by inotify");
	}
	if (unlink(w.resolv) < 0)
		abort();
	ok(resolv_is("nameserver 127.0.1.1\n", "back.test", "192.0.2.1"), "a file again");
}

static void own_servers_of_ipv6(void)
{
	char *const six[] = {(char[]){"::1"}, NULL};
	char *const mixed[] = {(char[]){"127.0.2.7"}, (char[]){"::1"}, NULL};
	char *const self[] = {(char[]){"127.0.0.11"}, NULL};
	char *const away[] = {(char[]){"198.51.100.1"}, (char[]){"2001:db8::1"}, NULL};
	struct box c, d, s, i;
	pid_t up;

	box_new(&c, "c6");
	box_new(&d, "d6");
	box_new(&s, "self");
	box_new(&i, "inner");
	box_add(&w, &c, true, six);
	box_add(&w, &d, false, mixed);
	box_add(&w, &s, true, self);
	box_add(&w, &i, false, away);
	up = upstream_start(c.netns, "::1=good,198.51.100.6");
	is_str(dig(&c, "ext.test"), "198.51.100.6", "--dns of IPv6: asked within the container");
	is_str(dig(&c, "+tcp ext3.test"), "198.51.100.6", "by TCP");
	stop(up);
	up = upstream_start(d.netns, "::1=good,198.51.100.7 127.0.2.7=refused");
	is_str(dig(&d, "ext.test"), "198.51.100.7",
	       "internal: a server within is asked, of either family");
	stop(up);
	up = upstream_start(s.netns, "127.0.0.11=good,198.51.100.8");
	is_str(quick(&s, "ext.test", 1000), "SERVFAIL", "--dns the resolver itself: not asked");
	stop(up);
	is_str(quick(&i, "ext.test", 1000), "NXDOMAIN", "internal, no way to its servers: at once");
	feed_sandbox_del(w.feed, "c6");
	feed_sandbox_del(w.feed, "d6");
	feed_sandbox_del(w.feed, "self");
	feed_sandbox_del(w.feed, "inner");
	box_free(&c);
	box_free(&d);
	box_free(&s);
	box_free(&i);
}

static void ndots(void)
{
	struct box n;

	box_new(&n, "nnnn");
	box_add_ndots(&w, &n);
	box_join(&w, &n, "front", "172.18.0.8", "searcher");
	is_str(quick(&n, "api", 1000), "172.18.0.3", "ndots: a known name");
	is_str(quick(&n, "single2", 1000), "NODATA", "ndots: a single label does not leave");
	is_str(quick(&n, "single2.test", 1000), "192.0.2.1", "ndots: with a search domain");
	is_str(quick(&a, "single2", 1000), "192.0.2.1", "others ask");
	feed_endpoint_del(w.feed, "id-of-front", "nnnn");
	feed_sandbox_del(w.feed, "nnnn");
	box_free(&n);
}

static void own_servers(void)
{
	char *const servers[] = {(char[]){"127.0.2.9"}, (char[]){"127.0.2.1"}, NULL};
	char *const silent[] = {(char[]){"127.0.2.4"}, (char[]){"127.0.2.1"}, NULL};
	struct box c, d;
	pid_t up;

	box_new(&c, "cccc");
	box_new(&d, "dddd");
	up = upstream_start(c.netns, "127.0.2.1=good,198.51.100.1");
	box_add(&w, &c, true, servers);
	is_str(dig(&c, "ext.test"), "198.51.100.1",
	       "--dns: asked within the container's namespace");
	is_str(dig(&c, "+tcp ext3.test"), "198.51.100.1", "--dns: by TCP");
	is_str(dig(&c, "+tcp ext4.test"), "198.51.100.1", "--dns: by TCP again, same sockets");
	is_str(dig(&a, "ext.test"), "192.0.2.1", "answers of others are not mixed in");
	stop(up);
	box_add(&w, &d, true, silent);
	up = upstream_start(d.netns, "127.0.2.1=good,198.51.100.2 127.0.2.4=silent");
	for (int i = 0; i < 26; i++) { /* more than twice as many as there are sockets */
		struct msg m = query("x0.test", TYPE_A, false);

		m.data[13] = (uint8_t)('a' + i);
		(void)send(d.client, m.data, m.len, 0);
	}
	is_str(quick(&d, "last.test", 3000), "198.51.100.2",
	       "--dns: a silent server does not take all sockets");
	stop(up);
	own_servers_of_ipv6();
	feed_sandbox_del(w.feed, "cccc");
	feed_sandbox_del(w.feed, "dddd");
	is_str(quick(&c, "ext.test", 200), "none", "removed: nobody answers");
	box_free(&c);
	box_free(&d);
}

static const char *odd(const char *what, const char *name)
{
	return run(a.netns, "/usr/bin/python3 %s/pipeline.py %u %s %s", TEST_DIR, a.port, what,
		   name);
}

static void odd_clients(void)
{
	is_str(odd("pipeline", "api"), "True True",
	       "several questions on one connection, half-closed");
	is_str(odd("bytes", "api"), "172.18.0.3", "byte by byte");
	is_str(odd("many", "api"), "172.18.0.3 True", "150 connections: the newest is served");
	is_str(odd("garbage", "api"), "172.18.0.3", "garbage, then a question");
	ok(resolv_is("nameserver 127.0.1.4\n", "settle.test", "none"), "a silent server");
	is_str(odd("refused", "x"), "76", "1100 at once: 1024 wait, 76 are refused");
}

/* Floods the box with local and foreign names until it is stopped. */
static pid_t flood(const struct box *from)
{
	pid_t pid = fork();
	struct msg m = query("xxxxxxxx.test", TYPE_A, false), local = query("api", TYPE_A, false);

	if (pid)
		return pid;
	for (uint32_t i = 0;; i++) {
		snprintf((char *)m.data + 13, 9, "%08x", i);
		m.data[21] = 4;
		(void)send(from->client, i & 1 ? m.data : local.data, i & 1 ? m.len : local.len, 0);
	}
}

static void flooded(void)
{
	double worst = 0, sum = 0;
	int good = 0;
	pid_t pid = flood(&a);

	(void)poll(NULL, 0, 300);
	for (int i = 0; i < 200; i++) {
		double t = now_ms();

		good += !strcmp(quick(&b, "web", 1000), "172.18.0.2");
		t = now_ms() - t;
		sum += t;
		worst = t > worst ? t : worst;
	}
	stop(pid);
	is_int(good, 200, "one container floods, the other is answered (mean %.2f, worst %.1f ms)",
	       sum / 200, worst);
	ok(sum / 200 < 20, "in time");
	is_int(good, 200, "all of them");
}

/* A connection that was made @since and never asked anything. */
static void idle(int fd, double since)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	ok(poll(&p, 1, (int)MAX(since + 11000 - now_ms(), 0)) == 1 && recv(fd, &byte, 1, 0) == 0,
	   "an idle connection is closed");
	close(fd);
}

int main(int argc, char **argv)
{
	struct err e = {0};
	double since;
	int conn;
	pid_t up;

	if (argc != 2 || !world_new(&w, argv[1]))
		return tap_skip_all("needs root for network namespaces");
	up = upstream_start(-1,
			    "127.0.1.1=good,192.0.2.1 127.0.1.2=servfail 127.0.1.3=slow,192.0.2.3 "
			    "127.0.1.4=silent 127.0.1.5=tc,192.0.2.5 127.0.1.6=big "
			    "127.0.1.7=forge,192.0.2.7 127.0.1.8=refused 127.0.1.9=drop,192.0.2.9 "
			    "127.0.1.10=good,192.0.2.10 ::1=good,192.0.2.6");
	is_int(world_open(&w, &e), 0, "started and connected%s", e.msg);
	if (!w.feed) {
		world_free(&w);
		return tap_done();
	}
	box_new(&a, "aaaa");
	box_new(&b, "bbbb");
	box_new(&in, "iiii");
	box_add(&w, &a, true, NULL);
	box_add(&w, &b, true, NULL);
	box_add(&w, &in, false, NULL);
	conn = box_connect(&b);
	since = now_ms();
	local_names();
	said_then_asked();
	many_addresses();
	forwarding();
	late_answers();
	rewritten();
	ndots();
	own_servers();
	odd_clients();
	flooded();
	idle(conn, since);
	stop(up);
	world_free(&w);
	return tap_done();
}
