/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_feed.c - atolld's side over the lives and deaths of both: what comes back, what is told
 * again, what is inherited and given up. Argument: the program.
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/str.h"
#include "loop/loop.h"
#include "tap.h"
#include "world.h"

static struct world w;
static struct box a, b;
static int marker; /* a descriptor that the resolver must not inherit */

/* ---- what the process gave up ---- */

static const char *status_line(int pid, const char *key)
{
	static char value[128];
	char line[256];
	auto_free char *path = str_printf("/proc/%d/status", pid);
	auto_fclose FILE *f = path ? fopen(path, "re") : NULL;
	size_t len = strlen(key);

	value[0] = '\0';
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, len) && line[len] == ':')
			snprintf(value, sizeof(value), "%s",
				 line + len + 1 + strspn(line + len + 1, " \t"));
	value[strcspn(value, "\n")] = '\0';
	return value;
}

static bool has_fd(int pid, int fd)
{
	auto_free char *dir = str_printf("/proc/%d/fd", pid);
	DIR *d = dir ? opendir(dir) : NULL;
	struct stat mine, its;
	struct dirent *de;
	bool found = false;

	if (!d || fstat(fd, &mine) < 0)
		return true;
	while ((de = readdir(d)))
		if (fstatat(dirfd(d), de->d_name, &its, 0) == 0 && its.st_ino == mine.st_ino &&
		    its.st_dev == mine.st_dev)
			found = true;
	closedir(d);
	return found;
}

static void isolation(void)
{
	int pid = feed_pid(w.feed), sid = getsid(pid);
	struct stat st;

	is_str(status_line(pid, "Uid"), "65534\t65534\t65534\t65534", "a user of its own");
	is_str(status_line(pid, "Gid"), "65534\t65534\t65534\t65534", "a group of its own");
	is_str(status_line(pid, "Groups"), "", "no groups");
	is_str(status_line(pid, "CapPrm"), "0000000000000000", "no capabilities");
	is_str(status_line(pid, "CapBnd"), "0000000000000000", "none to be had");
	is_str(status_line(pid, "NoNewPrivs"), "1", "no new privileges");
	is_str(status_line(pid, "Seccomp"), "2", "system calls filtered");
	ok(sid == pid && sid != getsid(0), "a session of its own");
	ok(!has_fd(pid, marker), "our descriptors are not inherited");
	ok(stat(w.sock, &st) == 0 && (st.st_mode & 0777) == 0600, "the socket is ours alone");
}

/* ---- atolld goes and comes ---- */

static int listening(uint16_t *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		return -1;
	}
	(void)getsockname(fd, (struct sockaddr *)&sa, &len);
	*port = ntohs(sa.sin_port);
	return fd;
}

static int hold(const char *key, int fd)
{
	struct err e = {0};

	return feed_hold(w.feed, &(struct feed_hold){.key = key, .fd = fd}, &e);
}

static bool port_free(uint16_t port)
{
	double end = now_ms() + 2000;
	int fd;

	do { /* the resolver closes it when it has read so */
		fd = listening(&port);
		if (fd >= 0) {
			close(fd);
			return true;
		}
		(void)poll(NULL, 0, 5);
	} while (now_ms() < end);
	return false;
}

static void announce(void)
{
	box_join(&w, &a, "front", "172.18.0.2", "web");
	box_join(&w, &b, "front", "172.18.0.3", "api");
}

static void we_go(void)
{
	uint16_t port = 0, gone = 0;
	int pid = feed_pid(w.feed), fd;
	struct err e = {0};

	is_int(hold("tcp/keep", listening(&port)), 0, "hold a port");
	is_int(hold("tcp/drop", listening(&gone)), 0, "and another");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "before");
	feed_close(w.feed);
	is_str(quick(&a, "api", 1000), "172.18.0.3", "answered while we are gone");
	fd = listening(&port);
	ok(fd < 0, "the port stays reserved while we are gone");

	is_int(world_open(&w, &e), 0, "back");
	is_int(feed_pid(w.feed), pid, "the same resolver");
	is_str(w.found, "aaaa:1 bbbb:1 tcp/keep tcp/drop ", "told what it keeps");
	ok(feed_sandbox_known(w.feed, "aaaa") && !feed_sandbox_known(w.feed, "zzzz"), "known");
	ok(feed_held(w.feed, "tcp/keep"), "held");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "before anything is set again");
	box_join(&w, &a, "front", "172.18.0.2", "web");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "not yet swept");
	is_int(feed_sweep(w.feed), 0, "sweep");
	is_str(quick(&a, "api", 1000), "NXDOMAIN", "what was not set again is gone");
	is_str(quick(&a, "web", 1000), "172.18.0.2", "what was set again is there");
	is_str(quick(&b, "web", 200), "none", "the sandbox nobody asked for is gone");
	ok(!feed_sandbox_known(w.feed, "bbbb") && !feed_held(w.feed, "tcp/drop"), "here too");
	ok(port_free(gone), "the port nobody asked for is free");
	fd = listening(&port);
	ok(fd < 0, "the other is reserved");
	feed_release(w.feed, "tcp/keep");
	ok(port_free(port), "until it is released");
	box_free(&b);
	box_new(&b, "bbbb");
	box_add(&w, &b, true, NULL);
	announce();
}

/* ---- the resolver goes ---- */

static int old_pid;

static bool has_other(struct world *world)
{
	return feed_pid(world->feed) > 0 && feed_pid(world->feed) != old_pid;
}

static void it_dies(void)
{
	uint16_t port = 0;
	struct err e = {0};
	double t;
	bool good;

	is_int(hold("udp/1", listening(&port)), 0, "hold a port");
	is_int(feed_sandbox_external(w.feed, "aaaa", false), 0, "internal now");
	is_int(feed_sandbox_external(w.feed, "zzzz", false), -ENOENT, "nobody");
	for (int i = 0; i < 3; i++) {
		old_pid = feed_pid(w.feed);
		t = now_ms();
		kill(old_pid, SIGKILL);
		good = world_pump(&w, has_other, 5000);
		ok(good, "killed: another one after %.0f ms", now_ms() - t);
		ok(kill(old_pid, 0) < 0 && errno == ESRCH, "the dead one is reaped");
		is_str(quick(&a, "api", 1000), "172.18.0.3", "it was told all: names and sockets");
		is_str(quick(&b, "web", 1000), "172.18.0.2", "for all");
		is_str(quick(&a, "example.com", 1000), "NXDOMAIN", "and who is internal");
	}
	feed_close(w.feed);
	is_int(world_open(&w, &e), 0, "back");
	is_str(w.found, "aaaa:1 bbbb:1 udp/1 ", "what was told again is kept too");
	announce();
	ok(feed_sandbox_known(w.feed, "aaaa") && feed_held(w.feed, "udp/1"), "claimed");
	is_int(feed_sweep(w.feed), 0, "swept");
	/* said while it is dead: known to the next one */
	old_pid = feed_pid(w.feed);
	kill(old_pid, SIGKILL);
	box_join(&w, &b, "front", "172.18.0.7", "api late");
	ok(world_pump(&w, has_other, 5000), "killed once more");
	is_str(quick(&a, "late", 1000), "172.18.0.7", "what was said meanwhile is known");
	feed_release(w.feed, "udp/1");
	ok(port_free(port), "and released");
	is_int(feed_sandbox_external(w.feed, "aaaa", true), 0, "external again");
}

/* ---- sockets that are served ---- */

static int socket_at(const char *text, int type, uint16_t *port)
{
	struct sockaddr_storage sa;
	struct ip ip;
	socklen_t len;
	int fd, on = 1, off = 0;

	if (ip_parse(text, &ip) < 0)
		abort();
	len = ip_sockaddr(ip, *port, &sa);
	fd = socket(sa.ss_family, type | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) < 0) {
		close(fd);
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
	len = sizeof(sa);
	(void)getsockname(fd, (struct sockaddr *)&sa, &len);
	*port = ntohs(((struct sockaddr_in *)&sa)->sin_port);
	return fd;
}

static int call(uint16_t port, int type)
{
	struct sockaddr_storage sa;
	struct ip ip = {.lo = 1, .family = 6};
	socklen_t len = ip_sockaddr(ip, port, &sa);
	struct timeval tv = {.tv_sec = 3};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&sa, len) == 0)
		return fd;
	close(fd);
	return -1;
}

static int accept_soon(int listener)
{
	return poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 3000) == 1
		       ? accept(listener, NULL, NULL)
		       : -1;
}

/* A byte there and back. */
static bool talks(int client, int server)
{
	char byte = 0;

	return send(client, "a", 1, MSG_NOSIGNAL) == 1 &&
	       poll(&(struct pollfd){.fd = server, .events = POLLIN}, 1, 3000) == 1 &&
	       recv(server, &byte, 1, 0) == 1 && send(server, "b", 1, MSG_NOSIGNAL) == 1 &&
	       recv(client, &byte, 1, 0) == 1 && byte == 'b';
}

/* A new connection to @port comes out at @listener. */
static bool reaches(uint16_t port, int listener)
{
	int c = call(port, SOCK_STREAM), s = c < 0 ? -1 : accept_soon(listener);
	bool good = s >= 0 && talks(c, s);

	close(c);
	close(s);
	return good;
}

static void move_to(uint16_t port, uint8_t proto, const char *want)
{
	struct feed_hold h = {.key = proto == IPPROTO_TCP ? "tcp/[::1]" : "udp/[::1]",
			      .fd = -1,
			      .proto = proto,
			      .target = ip_v4(0x7f000001),
			      .port = port};
	struct err e = {0};

	is_int(feed_hold(w.feed, &h, &e), 0, "%s", want);
}

/* Another client takes the connection from ours and goes. */
static void steal(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char buf[256];
	ssize_t n;

	old_pid = feed_pid(w.feed);
	memcpy(sa.sun_path, w.sock, strlen(w.sock));
	ok(connect(s, (struct sockaddr *)&sa, sizeof(sa)) == 0, "a second client");
	n = recv(s, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	ok(strstr(buf, "hello"), "is greeted");
	close(s);
}

static bool is_down(struct world *world)
{
	return feed_pid(world->feed) == 0;
}

static bool is_back(struct world *world)
{
	return feed_pid(world->feed) == old_pid;
}

static void relayed_datagrams(void)
{
	uint16_t port = 0, at = 0;
	int fd = socket_at("::1", SOCK_DGRAM, &port), c;
	int server = socket_at("127.0.0.1", SOCK_DGRAM, &at);
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct err e = {0};
	char byte = 0;

	is_int(feed_hold(w.feed, &(struct feed_hold){.key = "udp/[::1]", .fd = fd}, &e), 0, "UDP");
	move_to(at, IPPROTO_UDP, "served later");
	(void)poll(NULL, 0, 0);
	while (feed_busy(w.feed)) /* a datagram is not kept for a relay that comes later */
		(void)poll(NULL, 0, 1);
	c = call(port, SOCK_DGRAM);
	(void)send(c, "a", 1, 0);
	(void)poll(&(struct pollfd){.fd = server, .events = POLLIN}, 1, 3000);
	ok(recvfrom(server, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &len) == 1, "there");
	(void)sendto(server, "b", 1, 0, (struct sockaddr *)&from, len);
	ok(recv(c, &byte, 1, 0) == 1 && byte == 'b', "and back");
	feed_release(w.feed, "udp/[::1]");
	close(c);
	close(server);
}

static void relayed(void)
{
	uint16_t port = 0, at[2] = {0};
	int one = socket_at("127.0.0.1", SOCK_STREAM, &at[0]),
	    two = socket_at("127.0.0.1", SOCK_STREAM, &at[1]);
	struct feed_hold h = {.key = "tcp/[::1]", .proto = IPPROTO_TCP, .port = at[0]};
	struct err e = {0};
	int c, s;

	h.fd = -1;
	is_err(feed_hold(w.feed, &h, &e), e, ERR_NOT_FOUND, "no socket is held as tcp/[::1]");
	if (listen(one, 8) < 0 || listen(two, 8) < 0)
		abort();
	h.fd = socket_at("::1", SOCK_STREAM, &port);
	is_int(feed_hold(w.feed, &h, &e), 0, "a socket without a target");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "(the resolver knows of it)");
	ok(call(port, SOCK_STREAM) < 0, "is not served");
	move_to(at[0], IPPROTO_TCP, "a target");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "(known)");
	c = call(port, SOCK_STREAM);
	s = accept_soon(one);
	ok(s >= 0 && talks(c, s), "is served");

	feed_close(w.feed);
	ok(talks(c, s), "we are gone: the connection lives");
	ok(reaches(port, one), "new ones come");
	is_int(world_open(&w, &e), 0, "back");
	ok(strstr(w.found, "tcp/[::1]") && feed_held(w.feed, "tcp/[::1]"), "found again");
	announce();
	ok(feed_sandbox_known(w.feed, "aaaa"), "claimed");
	is_int(feed_sweep(w.feed), 0, "swept");
	ok(talks(c, s) && reaches(port, one), "as before");
	move_to(at[1], IPPROTO_TCP, "another target");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "(known)");
	ok(reaches(port, two), "next connections go there");
	ok(talks(c, s), "the earlier one stays where it was");

	steal();
	ok(world_pump(&w, is_down, 1000), "the link is lost");
	move_to(at[0], IPPROTO_TCP, "a target meanwhile");
	ok(world_pump(&w, is_back, 3000), "and made again");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "(known)");
	ok(reaches(port, one), "it is told where connections go now");
	move_to(at[1], IPPROTO_TCP, "back to the other");

	kill(old_pid, SIGKILL);
	ok(world_pump(&w, has_other, 5000), "the resolver dies");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "(the next one knows)");
	ok(reaches(port, two), "its relays are made again");
	close(c);
	close(s);
	feed_release(w.feed, "tcp/[::1]");
	h.fd = socket_at("::1", SOCK_STREAM, &port);
	ok(h.fd >= 0, "released: the port is free at once");
	h.target = ip_v4(0x7f000001);
	is_int(feed_hold(w.feed, &h, &e), 0, "held and served from the first");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "(known)");
	ok(reaches(port, one), "reached again");
	h.fd = -1;
	h.target = (struct ip){0};
	is_int(feed_hold(w.feed, &h, &e), 0, "no target any more");
	is_str(quick(&a, "api", 1000), "172.18.0.3", "(known)");
	ok(call(port, SOCK_STREAM) < 0, "not served");
	c = socket_at("::1", SOCK_STREAM, &port);
	ok(c < 0, "but reserved");
	feed_release(w.feed, "tcp/[::1]");
	close(one);
	close(two);
	relayed_datagrams();
}

static void too_much(void)
{
	auto_strv char **names = NULL;
	struct feed_endpoint ep = {.network_id = "big", .network_name = "big", .sandbox = "aaaa"};
	struct err e = {0};
	int r;

	for (int i = 0; i < 3000; i++)
		if (strv_addf(&names, "alias-number-%012d", i) < 0)
			abort();
	ep.names = names;
	r = feed_endpoint_set(w.feed, &ep, &e);
	is_err(r, e, ERR_INVALID, "too many aliases on network big");
	for (int i = 2000; i < 3000; i++) {
		free(names[i]);
		names[i] = NULL;
	}
	is_int(feed_endpoint_set(w.feed, &ep, &e), 0, "2000 aliases fit");
	is_str(quick(&a, "alias-number-000000001999", 1000), "NODATA", "and all are known");
	feed_endpoint_del(w.feed, "big", "aaaa");
	is_str(quick(&a, "alias-number-000000001999", 1000), "NXDOMAIN", "and gone again");
}

/* ---- a resolver of another version ---- */

/* Says hello as version 99, keeps one sandbox and one hold, and quits when told so. */
static void other_version(const struct box *b_)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_free char *sandbox = str_printf(
		"{\"op\":\"sandbox\",\"id\":\"vvvv\",\"port\":%u,\"external\":true,\"new\":[]}",
		b_->port);
	static const char hello[] = "{\"op\":\"hello\",\"version\":99,\"pid\":1,\"more\":{}}";
	static const char hold[] = "{\"op\":\"hold\",\"key\":\"tcp/v\"}",
			  end[] = "{\"op\":\"end\"}";
	static const char news[] = "{\"op\":\"unheard-of\"}";
	int fds[2] = {b_->udp, b_->tcp}, s = socket(AF_UNIX, SOCK_SEQPACKET, 0), c;
	char buf[256];
	ssize_t n;

	memcpy(sa.sun_path, w.sock, strlen(w.sock));
	(void)unlink(w.sock);
	if (!sandbox || bind(s, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(s, 1) < 0)
		_exit(1);
	kill(getpid(), SIGSTOP); /* "listening" */
	c = accept(s, NULL, NULL);
	if (fd_send(c, hello, strlen(hello), NULL, 0) < 0 ||
	    fd_send(c, news, strlen(news), NULL, 0) < 0 ||
	    fd_send(c, sandbox, strlen(sandbox), fds, 2) < 0 ||
	    fd_send(c, hold, strlen(hold), &b_->udp, 1) < 0 ||
	    fd_send(c, end, strlen(end), NULL, 0) < 0)
		_exit(2);
	n = recv(c, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	_exit(strcmp(buf, "{\"op\":\"quit\"}") == 0 ? 0 : 3);
}

static void version_changes(void)
{
	struct box v;
	struct err e = {0};
	int wstatus = -1;
	pid_t pid;

	feed_shutdown(w.feed);
	ok(!fs_exists(w.sock), "shut down: the socket is gone");
	box_new(&v, "vvvv");
	pid = fork();
	if (pid == 0)
		other_version(&v);
	(void)waitpid(pid, NULL, WUNTRACED);
	kill(pid, SIGCONT);
	close(v.udp);
	close(v.tcp);
	is_int(world_open(&w, &e), 0, "another version was replaced%s", e.msg);
	ok(waitpid(pid, &wstatus, 0) == pid && WIFEXITED(wstatus) && !WEXITSTATUS(wstatus),
	   "it was told to quit");
	is_str(w.found, "vvvv:1 tcp/v ", "what it kept was taken over");
	box_join(&w, &v, "front", "172.18.0.9", "me");
	is_str(quick(&v, "me", 1000), "172.18.0.9", "its sockets are served");
	feed_sandbox_del(w.feed, "vvvv");
	feed_release(w.feed, "tcp/v");
	box_free(&v);
}

/* ---- when it cannot be ---- */

static void failures(void)
{
	struct feed_config c = {.program = "/nonexistent/atoll-dns", .mntns = -1, .life_fd = -1};
	auto_free char *path = str_printf("%s/other.sock", w.dir);
	auto_free char *dir = str_printf("%s/none/dns.sock", w.dir);
	struct feed *f = NULL;
	struct err e = {0};
	double t = now_ms();

	c.socket_path = path;
	ok(feed_open(w.loop, &c, &f, &e) < 0 &&
		   strstr(e.msg, "cannot start the resolver /nonexistent"),
	   "no program: %s", e.msg);
	c.program = "/bin/true";
	ok(feed_open(w.loop, &c, &f, &e) < 0 && strstr(e.msg, "does not serve"), "no resolver: %s",
	   e.msg);
	c.program = w.program;
	c.socket_path = dir;
	ok(feed_open(w.loop, &c, &f, &e) < 0, "no directory: %s", e.msg);
	ok(now_ms() - t < 1500, "at once");
	c.program = "/bin/cat"; /* complains and ends */
	c.socket_path = path;
	ok(feed_open(w.loop, &c, &f, &e) < 0, "another program: %s", e.msg);
}

static void second_client(void)
{
	steal();
	(void)world_pump(&w, is_down, 1000);
	ok(world_pump(&w, is_back, 3000), "the first comes back to the same resolver");
	is_str(quick(&a, "api", 1000), "172.18.0.7", "which still answers");
	box_join(&w, &b, "front", "172.18.0.8", "api");
	is_str(quick(&a, "api", 1000), "172.18.0.8", "and listens");
}

int main(int argc, char **argv)
{
	struct err e = {0};
	int pid;

	if (argc != 2 || !world_new(&w, argv[1]))
		return tap_skip_all("needs root for network namespaces");
	marker = socket(AF_UNIX, SOCK_STREAM,
			0); /* without CLOEXEC: spawn must close it all the same */
	is_int(world_open(&w, &e), 0, "started and connected%s", e.msg);
	if (!w.feed) {
		world_free(&w);
		return tap_done();
	}
	box_new(&a, "aaaa");
	box_new(&b, "bbbb");
	box_add(&w, &a, true, NULL);
	box_add(&w, &b, true, NULL);
	announce();
	isolation();
	we_go();
	relayed();
	it_dies();
	too_much();
	second_client();
	version_changes();
	failures();
	pid = feed_pid(w.feed);
	world_free(&w);
	ok(kill(pid, 0) < 0 && errno == ESRCH, "shut down: the process is gone");
	return tap_done();
}
