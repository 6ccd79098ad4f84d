/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_fs.c - files and trees in a directory of its own, descriptors over a socket pair */

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"
#include "tap.h"

static char top[] = "/tmp/atoll-test-fs-XXXXXX";

/* below @top; two may be in use */
static const char *at(const char *name)
{
	static char paths[2][256];
	static unsigned turn;

	turn ^= 1;
	(void)snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", top, name);
	return paths[turn];
}

static const char *content(const char *name)
{
	static char text[256];
	auto_buf struct buf b = BUF_INIT(200);

	if (fs_read(at(name), 200, &b) < 0)
		return NULL;
	(void)snprintf(text, sizeof(text), "%s", buf_str(&b));
	return text;
}

static void files(void)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct stat before, after;

	is_int(fs_write(at("f"), "hello", 5, 0640), 0, "written");
	is_str(content("f"), "hello", "read");
	is_int(stat(at("f"), &before), 0, "is there");
	is_int(before.st_mode & 0777, 0640, "with its mode");
	is_int(fs_write(at("f"), "new", 3, 0600), 0, "written again");
	ok(stat(at("f"), &after) == 0 && before.st_ino == after.st_ino, "in place");
	is_str(content("f"), "new", "shorter");
	is_int(fs_write_str(at("f"), "NE"), 0, "over its beginning");
	is_str(content("f"), "NEw", "without cutting it");
	is_int(fs_write_str(at("absent"), "x"), -ENOENT, "never making one");
	is_int(fs_write_atomic(at("f"), "swapped", 7, 0600), 0, "swapped");
	ok(stat(at("f"), &after) == 0 && before.st_ino != after.st_ino, "for another");
	is_str(content("f"), "swapped", "whole");
	is_int(fs_read(at("f"), 3, &b), -EFBIG, "more than wanted");
	buf_clear(&b);
	is_int(fs_read(at("absent"), 3, &b), -ENOENT, "not there");
	ok(fs_exists(at("f")) && !fs_exists(at("absent")), "exists or not");
	ok(!fs_unlink(at("f")) && !fs_exists(at("f")) && !fs_unlink(at("f")), "unlinked, twice");
}

static void directories(void)
{
	is_int(fs_mkdir_p(at("a/b/c"), 0700), 0, "a path of directories");
	is_int(fs_mkdir_p(at("a/b/c"), 0700), 0, "which may exist");
	is_int(fs_mkdir_p(at("a/b/d/"), 0700), 0, "with a slash behind");
	ok(fs_exists(at("a/b/d")), "is there");
	is_int(fs_write(at("a/file"), "", 0, 0600), 0, "a file");
	is_int(fs_mkdir_p(at("a/file"), 0700), -ENOTDIR, "is no directory");
	is_int(fs_mkdir_p(at("a/file/x"), 0700), -ENOTDIR, "and has none");
	is_int(fs_mkdir_p("", 0700), -ENOENT, "no path at all");
}

/* 300 deep, with files and links on the way; what links point to stays */
static void trees(void)
{
	auto_buf struct buf path = BUF_INIT(1 << 16);
	int bad = 0;

	is_int(fs_write(at("kept"), "kept", 4, 0600), 0, "a file outside");
	(void)buf_puts(&path, at("tree"));
	for (int i = 0; i < 300; i++) {
		auto_free char *link = NULL;

		bad += mkdir(buf_str(&path), 0700) < 0;
		link = str_printf("%s/link", buf_str(&path));
		bad += !link || symlink(at("kept"), link) < 0;
		(void)buf_printf(&path, "/d%d", i % 10);
	}
	is_int(bad, 0, "a tree 300 deep");
	is_int(symlink(at("a"), at("tree/dirlink")), 0, "with a link to a directory");
	is_int(fs_rm_tree(at("tree")), 0, "removed");
	ok(!fs_exists(at("tree")), "is gone");
	is_str(content("kept"), "kept", "what its links point to is not");
	ok(fs_exists(at("a/b/c")), "nor the directory");
	is_int(fs_rm_tree(at("tree")), 0, "absent is fine");
	is_int(symlink(at("a"), at("tree")), 0, "a link itself");
	ok(!fs_rm_tree(at("tree")) && fs_exists(at("a/b/c")), "is removed, not followed");
	is_int(fs_rm_tree(at("kept")), 0, "a file too");
}

static void in_root(void)
{
	auto_close int root = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;

	is_int(fs_mkdir_p(at("root/etc"), 0700), 0, "a root");
	is_int(fs_write(at("secret"), "out", 3, 0600), 0, "and a file outside");
	is_int(fs_write(at("root/secret"), "in", 2, 0600), 0, "and its namesake inside");
	ok(symlink("/secret", at("root/etc/abs")) == 0 &&
		   symlink("../../../../secret", at("root/etc/up")) == 0,
	   "links that lead out");
	fd = open(at("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		static const char *const ways[] = {"etc/abs", "/etc/up", "../../secret"};
		auto_close int f = fs_open_in_root(fd, ways[i], O_RDONLY, 0);
		char text[8] = "";

		ok(f >= 0 && read(f, text, 7) == 2 && streq(text, "in"), "%s stays inside",
		   ways[i]);
	}
	is_int(fs_open_in_root(fd, "absent", O_RDONLY, 0), -ENOENT, "not there");
	(void)root;
}

static void passing(void)
{
	int sv[2], fds[FD_PASS_MAX], got[FD_PASS_MAX];
	size_t n = 2;
	char text[16] = "";

	is_int(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0, "a socket pair");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	is_int(fd_send(sv[0], "hello", 5, fds, 3), 5, "three descriptors");
	is_int(fd_recv(sv[1], text, sizeof(text), got, &n), 5, "come");
	is_int(n, 2, "as many as there is room for");
	is_str(text, "hello", "with the text");
	ok(fcntl(got[0], F_GETFD) == FD_CLOEXEC, "closed at an exec");
	for (size_t i = 0; i < n; i++)
		close(got[i]);
	is_int(fd_send(sv[0], "x", 1, fds, FD_PASS_MAX + 1), -EINVAL, "too many");
	is_int(fd_send(sv[0], "a long message here", 19, fds, 1), 19, "more than the room");
	n = 1;
	is_int(fd_recv(sv[1], text, 4, got, &n), -EMSGSIZE, "is refused");
	is_int(n, 0, "with its descriptors");
	is_int(fd_nonblock(sv[1]), 0, "non-blocking");
	is_int(fd_recv(sv[1], text, 4, got, &n), -EAGAIN, "nothing there");
	close(sv[0]);
	is_int(fd_recv(sv[1], text, 4, got, &n), 0, "the peer is gone");
	close(sv[1]);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

int main(void)
{
	(void)umask(022);
	if (!mkdtemp(top))
		return tap_skip_all("no directory below /tmp");
	files();
	directories();
	trees();
	in_root();
	passing();
	is_int(fs_rm_tree(top), 0, "all is swept");
	return tap_done();
}
