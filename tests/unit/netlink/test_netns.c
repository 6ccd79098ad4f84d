/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_netns.c - namespaces pinned as files, visited, lost and pinned again */

#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/str.h"
#include "base/userns.h"
#include "netlink/netns.h"
#include "netlink/rtnl.h"
#include "space.h"
#include "tap.h"

#define PIN SPACE_DIR "/pin"

static ino_t inode(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static ino_t here(void)
{
	auto_close int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return inode(fd);
}

static const char *sysctl(const char *key)
{
	static char text[64];
	auto_buf struct buf b = BUF_INIT(60);
	auto_free char *path = str_printf("/proc/sys/%s", key);

	if (!path || fs_read(path, 60, &b) < 0)
		return "?";
	(void)snprintf(text, sizeof(text), "%s", buf_str(&b));
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void made(void)
{
	auto_close int fd = -EBADF, again = -EBADF;
	ino_t home = here();
	struct netns_visit v;
	struct err e = {0};

	(void)netns_sysctl("net/ipv4/ip_forward", "1");
	is_int(netns_create(PIN, &fd, &e), 0, "made %s", e.msg);
	ok(here() == home && inode(fd) != home, "and we are where we were");
	ok(netns_is_pinned(PIN), "pinned");
	is_int(netns_open(PIN, &again, &e), 0, "opened by its file");
	is_int(inode(again), inode(fd), "the same");
	is_int(netns_enter(fd, &v), 0, "entered");
	ok(here() == inode(fd), "there");
	is_str(sysctl("net/ipv4/ip_forward"), "0", "it forwards nothing");
	is_str(sysctl("net/ipv4/conf/lo/forwarding"), "0", "not on lo either");
	is_int(netns_sysctl("net/ipv4/ip_default_ttl", "42"), 0, "a sysctl");
	is_int(netns_sysctl("net/ipv4/absent", "42"), -ENOENT, "that is not there");
	{
		auto_(rtnl_close) struct rtnl *nl = NULL;
		struct rtnl_link l = {0};

		ok(rtnl_open(&nl) == 0 && rtnl_link_get(nl, "lo", &l) == 0 && l.flags & IFF_UP,
		   "lo is up");
	}
	netns_leave(&v);
	ok(here() == home, "back");
	is_str(sysctl("net/ipv4/ip_forward"), "1", "where nothing changed");
	ok(strcmp(sysctl("net/ipv4/ip_default_ttl"), "42") != 0, "nothing at all");
}

static void refused(void)
{
	auto_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct netns_visit v = {.home = 99};
	struct err e = {0};
	int fd = 77;

	is_int(fs_write(SPACE_DIR "/plain", "", 0, 0600), 0, "a plain file");
	ok(!netns_is_pinned(SPACE_DIR "/plain") && !netns_is_pinned(SPACE_DIR "/absent"),
	   "pins nothing");
	is_int(netns_open(SPACE_DIR "/plain", &fd, &e), -ESTALE, "nor opens");
	ok(fd == 77 && strstr(e.msg, "/plain pins no network namespace"), "%s", e.msg);
	is_int(netns_open(SPACE_DIR "/absent", &fd, &e), -ESTALE, "nor does one that is not there");
	is_int(netns_enter(null, &v), -EINVAL, "not a namespace");
	ok(v.home < 0, "nothing to leave");
	is_int(netns_create(SPACE_DIR "/absent/pin", &fd, &e), -ENOENT, "no such directory");
	ok(fd == 77 && strstr(e.msg, "cannot make the network namespace"), "%s", e.msg);
	is_int(netns_unpin(SPACE_DIR "/plain"), 0, "a plain file is removed");
	ok(!fs_exists(SPACE_DIR "/plain"), "it is");
}

/* A live process holds the namespace when its file is lost. */
static void lost(void)
{
	auto_close int fd = -EBADF, again = -EBADF;
	struct netns_visit v;
	struct err e = {0};
	ino_t ns;
	pid_t pid;

	is_int(netns_open(PIN, &fd, &e), 0, "the one of before");
	ns = inode(fd);
	if (netns_enter(fd, &v) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	netns_leave(&v);
	is_int(netns_unpin(PIN), 0, "unpinned");
	ok(!fs_exists(PIN) && !netns_is_pinned(PIN), "gone");
	is_int(netns_unpin(PIN), 0, "twice is fine");
	is_int(netns_pin_pid(pid, PIN, &e), 0, "pinned again from its process %s", e.msg);
	is_int(netns_open(PIN, &again, &e), 0, "opened");
	is_int(inode(again), ns, "the same");
	is_int(netns_pin_pid(pid, PIN, &e), 0, "over what is there");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	ok(netns_is_pinned(PIN), "it outlives the process");
	ok(netns_pin_pid(pid, PIN, &e) < 0 && !fs_exists(PIN), "a process that is gone: %s", e.msg);
}

/* A namespace that belongs to a user namespace, which is the same for all who ask for its maps. */
static void owned(void)
{
	struct idmaps maps = {.uid = {{{100000, 10}, {5000, 5}}, 2}, .gid = {{{200000, 20}}, 1}};
	auto_close int user = -EBADF, again = -EBADF, other = -EBADF, fd = -EBADF, owner = -EBADF;
	struct netns_visit v;
	struct err e = {0};
	ino_t home = here();

	is_int(userns_pin(SPACE_DIR "/user", &maps, &user, &e), 0, "a user namespace %s", e.msg);
	is_int(userns_pin(SPACE_DIR "/user", &maps, &again, &e), 0, "asked for again %s", e.msg);
	ok(inode(user) && inode(user) == inode(again), "it is the same");
	is_int(netns_create_in(PIN, user, &fd, &e), 0, "a network namespace in it %s", e.msg);
	ok(here() == home && inode(fd) != home && netns_is_pinned(PIN), "we are where we were");
	owner = ioctl(fd, NS_GET_USERNS);
	is_int(inode(owner), inode(user), "it belongs to it");
	is_int(netns_enter(fd, &v), 0, "entered");
	is_str(sysctl("net/ipv4/ip_forward"), "0", "it forwards nothing");
	is_int(netns_sysctl("net/ipv4/ip_default_ttl", "43"), 0, "a sysctl of ours");
	netns_leave(&v);
	is_int(netns_unpin(PIN), 0, "unpinned");
	maps.gid.v[0].count = 21;
	is_int(userns_pin(SPACE_DIR "/user", &maps, &other, &e), 0, "other maps %s", e.msg);
	ok(inode(other) && inode(other) != inode(user), "are another one");
	userns_unpin(SPACE_DIR "/user");
	ok(!fs_exists(SPACE_DIR "/user"), "gone");
	ok(netns_create_in(PIN, fd, &again, &e) < 0 && !fs_exists(PIN), "not a user namespace");
}

int main(void)
{
	const char *why = space_enter();

	if (why)
		return tap_skip_all(why);
	made();
	refused();
	lost();
	owned();
	return tap_done();
}
