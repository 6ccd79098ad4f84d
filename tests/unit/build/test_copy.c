/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sources found and hashed, files copied; links that lead out lead nowhere */

#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "build/copy.h"
#include "tap.h"

static char top[] = "/tmp/atoll-test-copy-XXXXXX";
static atomic_bool cancelled;

static void put(const char *path, const char *text)
{
	auto_free char *whole = str_printf("%s/%s", top, path), *dir = strdup(whole);

	*strrchr(dir, '/') = '\0';
	if (fs_mkdir_p(dir, 0755) < 0 || fs_write(whole, text, strlen(text), 0644) < 0)
		abort();
}

static void link_to(const char *target, const char *path)
{
	auto_free char *whole = str_printf("%s/%s", top, path);

	if (symlink(target, whole) < 0)
		abort();
}

static int open_top(const char *path)
{
	auto_free char *whole = str_printf("%s/%s", top, path);

	if (fs_mkdir_p(whole, 0755) < 0)
		abort();
	return open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static const char *text_of(const char *path)
{
	static struct buf b = BUF_INIT(4096);
	auto_free char *whole = str_printf("%s/%s", top, path);

	buf_clear(&b);
	return fs_read(whole, 4096, &b) < 0 ? "(none)" : buf_str(&b);
}

static struct find_job find(int root, const char *patterns, int *result)
{
	struct find_job j = {
		.root = root, .from_context = true, .word = "COPY", .cancelled = &cancelled};

	if (strv_split(patterns, " ", &j.patterns) < 0)
		abort();
	*result = find_work(&j);
	return j;
}

static int copy(int from, int to, const char *patterns, const char *dest, struct err *e)
{
	int r;
	struct find_job f = find(from, patterns, &r);
	struct copy_job j = {.from = from,
			     .to = to,
			     .sources = f.found,
			     .n = f.n,
			     .dest = strdup(dest),
			     .uid = getuid(),
			     .gid = getgid(),
			     .mode = -1,
			     .cancelled = &cancelled};

	if (r >= 0)
		r = copy_work(&j);
	*e = f.err.code ? f.err : j.err;
	copy_done(&j);
	find_done(&f);
	return r;
}

static void key(int root, const char *patterns, char out[HASH_SIZE + 8])
{
	int r;
	struct find_job f = find(root, patterns, &r);

	(void)snprintf(out, HASH_SIZE + 8, "%.72s", r < 0 ? f.err.msg : f.key);
	find_done(&f);
}

static void test_hashes(int from)
{
	char a[HASH_SIZE + 8], b[HASH_SIZE + 8];
	auto_free char *file = str_printf("%s/in/d/f", top);
	const struct timespec times[2] = {{1, 0}, {1, 0}};

	key(from, "d", a);
	ok(str_has_prefix(a, "dir:"), "a directory's key");
	key(from, "d/f", b);
	ok(str_has_prefix(b, "file:"), "a file's");
	key(from, "d/f a", b);
	ok(str_has_prefix(b, "multi:"), "of several");
	ok(utimensat(AT_FDCWD, file, times, 0) == 0, "another time");
	key(from, "d", b);
	is_str(b, a, "times do not count");
	ok(chmod(file, 0600) == 0, "another mode");
	key(from, "d", b);
	ok(!streq(a, b), "modes count");
	put("in/d/f", "other");
	key(from, "d", a);
	ok(!streq(a, b), "content counts");
}

static void test_find(int from)
{
	static const struct {
		const char *patterns, *says;
	} bad[] = {
		{"none", "COPY failed: file not found in build context or excluded by "
			 ".dockerignore: stat none: file does not exist"},
		{"../x", "COPY failed: forbidden path outside the build context: ../x ()"},
		{"none*", "COPY failed: no source files were specified"},
		{"[a", "COPY failed: syntax error in pattern"},
		{"out", "COPY failed: file not found in build context or excluded by "
			".dockerignore: stat out: file does not exist"},
	};
	int r;
	struct find_job f = find(from, "*/f a", &r);

	ok(r == 0 && f.n == 2 && streq(f.found[0].path, "d/f") && streq(f.found[1].path, "a"),
	   "a wildcard");
	find_done(&f);
	f = find(from, "/./a", &r);
	ok(r == 0 && f.n == 1 && streq(f.found[0].path, "a"), "a path is cleaned");
	find_done(&f);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		f = find(from, bad[i].patterns, &r);
		is_str(r < 0 ? f.err.msg : "found", bad[i].says, "%s", bad[i].patterns);
		find_done(&f);
	}
}

static void test_places(int from, int to)
{
	struct err e = {0};

	ok(copy(from, to, "a", "/file", &e) == 0 && streq(text_of("root/file"), "A"), "to a name");
	ok(copy(from, to, "a", "/new/", &e) == 0 && streq(text_of("root/new/a"), "A"), "into one");
	ok(copy(from, to, "a", "/new", &e) == 0 && streq(text_of("root/new/a"), "A"),
	   "into one that is there");
	ok(copy(from, to, "d", "/deep/er", &e) == 0 && streq(text_of("root/deep/er/f"), "other"),
	   "a directory's content");
	ok(copy(from, to, "a d", "/", &e) == 0 && streq(text_of("root/f"), "other"), "to the root");
	/* links of the root: inside of it they are followed, and nowhere else */
	link_to("/real", "root/abs");
	link_to("../../../../real2", "root/rel");
	link_to(top, "root/escape");
	link_to("/real/there", "root/name");
	link_to("loop", "root/loop");
	ok(copy(from, to, "a", "/abs/", &e) == 0 && streq(text_of("root/real/a"), "A"),
	   "absolute link");
	ok(copy(from, to, "a", "/rel/x", &e) == 0 && streq(text_of("root/real2/x"), "A"),
	   "relative link");
	ok(copy(from, to, "a", "/name", &e) == 0 && streq(text_of("root/real/there"), "A"),
	   "a link at the end");
	auto_free char *inside = str_printf("root%s/a", top);

	ok(copy(from, to, "a", "/escape/", &e) == 0 && streq(text_of("a"), "(none)") &&
		   streq(text_of(inside), "A"),
	   "a link to the host's directory stays inside");
	ok(copy(from, to, "a", "/loop/x", &e) < 0, "a link to itself");
	ok(copy(from, to, "a", "/file/x", &e) < 0, "through a file");
	is_int(copy_mkdir(to, "/w/o/rk", &e), 0, "WORKDIR");
	ok(copy_mkdir(to, "/file", &e) < 0 && streq(e.msg, "mkdir /file: not a directory"),
	   "WORKDIR on a file");
}

static void test_hard_links(int from, int to)
{
	auto_free char *one = str_printf("%s/in/h/1", top), *two = str_printf("%s/in/h/2", top);
	auto_free char *copied = str_printf("%s/root/h/2", top);
	struct err e = {0};
	struct stat st;

	put("in/h/1", "same");
	ok(link(one, two) == 0 && copy(from, to, "h", "/h", &e) == 0 && stat(copied, &st) == 0 &&
		   st.st_nlink == 2,
	   "a hard link stays one");
}

static void test_cancel(int from, int to)
{
	struct err e = {0};

	atomic_store(&cancelled, true);
	is_int(copy(from, to, "d", "/never", &e), -ECANCELED, "cancelled");
	atomic_store(&cancelled, false);
}

int main(void)
{
	if (!mkdtemp(top))
		return 1;
	auto_close int from = open_top("in"), to = open_top("root");

	put("in/a", "A");
	put("in/d/f", "F");
	link_to(top, "in/out");
	link_to("f", "in/d/l");
	test_find(from);
	test_hashes(from);
	test_places(from, to);
	test_hard_links(from, to);
	test_cancel(from, to);
	return fs_rm_tree(top) < 0 ? 1 : tap_done();
}
