/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers and their recipes: each tar comes out again byte for byte, or says why not */

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "image/helper.h"
#include "image/recipe.h"
#include "tap.h"
#include "world.h"

#define ROOM (64u << 20)

struct place {
	int dir; /* what was unpacked is diff, recipe, kept in it */
	struct layer_result result;
	struct buf out;
};

static int take(const void *data, size_t len, void *out)
{
	return buf_add(out, data, len);
}

static int memory(const struct buf *b)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	if (fs_write_all(fd, b->data, b->len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	return fd;
}

/* Return: what layer_make() does, all in its place */
static int unpack(struct world *w, const struct buf *tar, struct place *p, struct err *e)
{
	static unsigned n;
	auto_free char *path = str_printf("%s/p%u", w->dir, n++);
	auto_close int fd = memory(tar);

	*p = (struct place){.out = BUF_INIT(ROOM)};
	if (mkdir(path, 0755) < 0 || (p->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	int r = layer_make(p->dir, "l0", fd, &p->result, e);

	(void)renameat(p->dir, "l0", p->dir, "diff");
	(void)renameat(p->dir, "l0.recipe", p->dir, "recipe");
	(void)renameat(p->dir, "l0.kept", p->dir, "kept");
	return r;
}

static void done(struct place *p)
{
	buf_done(&p->out);
	(void)fd_close(p->dir);
}

static void same(struct world *w, const struct buf *tar, const char *what)
{
	struct place p;
	struct err e = {0};
	uint64_t size = 0;

	if (ok(unpack(w, tar, &p, &e) >= 0, "%s: unpacked", what)) {
		int r = layer_tar_size(p.dir, p.result.diff_id, &size, &e);

		is_int(r < 0 ? r : (int64_t)size, (int64_t)tar->len, "%s: its size", what);
		r = layer_tar(p.dir, p.result.diff_id, take, &p.out, &e);
		ok(r >= 0 && p.out.len == tar->len &&
			   !memcmp(buf_str(&p.out), buf_str(tar), tar->len),
		   "%s: the same bytes", what);
	}
	if (e.msg[0])
		printf("# %s\n", e.msg);
	done(&p);
}

/* ---- formats ---- */

static void big(char *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(i * 2654435761u >> 13);
}

static la_ssize_t write_buf(struct archive *a, void *data, const void *piece, size_t len)
{
	(void)a;
	return buf_add(data, piece, len) < 0 ? -1 : (la_ssize_t)len;
}

static void add(struct archive *a, const char *name, size_t len, bool sparse, int64_t uid)
{
	struct archive_entry *ae = archive_entry_new();
	char *data = calloc(1, len + 1);

	big(data, sparse ? 4096 : len);
	archive_entry_set_pathname(ae, name);
	archive_entry_set_filetype(ae, AE_IFREG);
	archive_entry_set_perm(ae, 0640);
	archive_entry_set_uid(ae, uid);
	archive_entry_set_mtime(ae, 1700000000, 123456789);
	archive_entry_set_size(ae, (int64_t)len);
	archive_entry_xattr_add_entry(ae, "user.mime", "text", 4);
	if (sparse) {
		archive_entry_sparse_add_entry(ae, 0, 4096);
		archive_entry_sparse_add_entry(ae, (int64_t)len - 512, 512);
	}
	(void)archive_write_header(a, ae);
	if (len)
		(void)archive_write_data(a, data, len);
	archive_entry_free(ae);
	free(data);
}

static void make(struct buf *out, int (*format)(struct archive *), bool sparse)
{
	struct archive *a = archive_write_new();
	char name[300];

	memset(name, 'n', sizeof(name));
	name[150] = '/';
	name[299] = '\0';
	(void)format(a);
	(void)archive_write_open(a, out, NULL, write_buf, NULL);
	add(a, "empty", 0, false, 0);
	add(a, "one", 1, false, 5);
	add(a, "block", 512, false, 0);
	add(a, "d/more", 70001, false, 3000000);
	add(a, "big", 3 << 20, false, 0);
	if (format != archive_write_set_format_v7tar && format != archive_write_set_format_ustar)
		add(a, name, 1000, false, 0);
	if (sparse)
		add(a, "sparse", 1 << 20, true, 0);
	add(a, "last", 10, false, 0);
	(void)archive_write_close(a);
	(void)archive_write_free(a);
}

static void formats(struct world *w)
{
	static const struct {
		const char *name;
		int (*set)(struct archive *);
		bool sparse;
	} v[] = {{"ustar", archive_write_set_format_ustar, false},
		 {"pax", archive_write_set_format_pax, true},
		 {"restricted pax", archive_write_set_format_pax_restricted, true},
		 {"gnu", archive_write_set_format_gnutar, false},
		 {"v7", archive_write_set_format_v7tar, false}};

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		auto_buf struct buf tar = BUF_INIT(ROOM);

		make(&tar, v[i].set, v[i].sparse);
		same(w, &tar, v[i].name);
	}
}

/* ---- entries that take another's place ---- */

static void shapes(struct world *w)
{
	static const struct {
		const char *what;
		struct item v[8];
	} cases[] = {
		{"nothing", {{0}}},
		{"a file twice", {{"f", 'f', "one"}, {"f", 'f', "second"}, {"g", 'f', "x"}}},
		{"three times", {{"f", 'f', "one"}, {"f", 'f', "two"}, {"f", 'f', "three"}}},
		{"a file by a directory", {{"f", 'f', "one"}, {"f", 'd'}, {"f/g", 'f', "two"}}},
		{"a directory by a file",
		 {{"d", 'd'}, {"d/a", 'f', "1"}, {"d/e/b", 'f', "22"}, {"d", 'f', "333"}}},
		{"both ways",
		 {{"d/a", 'f', "1"},
		  {"d/a", 'f', "22"},
		  {"d", 'f', "333"},
		  {"d", 'd'},
		  {"d/a", 'f', "4444"},
		  {"d/a", 'f', "5"}}},
		{"a hard link's other end",
		 {{"a", 'f', "one"}, {"b", 'h', "a"}, {"a", 'f', "two"}, {"b", 'f', "three"}}},
		{"by links",
		 {{"a", 'f', "one"}, {"a", 's', "x"}, {"b", 'f', "two"}, {"b", 'h', "b"}}},
		{"whiteouts with content",
		 {{"a", 'f', "one"}, {".wh.a", 'f', "content"}, {"d/.wh..wh..opq", 'f', "more"}}},
		{"aufs's own", {{".wh..wh.plnk/1", 'f', "content"}, {"a", 'f', "one"}}},
		{"behind a link",
		 {{"r", 'd'}, {"l", 's', "r"}, {"l/f", 'f', "one"}, {"l", 'f', "two"}}},
		{"dots", {{"./", 'd'}, {"./a", 'f', "one"}, {".//b", 'f', "two"}}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_buf struct buf tar = BUF_INIT(ROOM);
		size_t n = 0;

		while (n < 8 && cases[i].v[n].name)
			n++;
		tar_make(&tar, cases[i].v, n, "tar");
		same(w, &tar, cases[i].what);
	}
}

static void ends(struct world *w)
{
	static const struct item one[] = {{"a", 'f', "one"}};
	auto_buf struct buf tar = BUF_INIT(ROOM);
	char junk[5000];

	tar_make(&tar, one, 1, "tar");
	tar.len = 1024; /* no end at all */
	same(w, &tar, "without its end");
	memset(junk, 'j', sizeof(junk));
	buf_clear(&tar);
	tar_make(&tar, one, 1, "tar");
	(void)buf_add(&tar, junk, sizeof(junk));
	same(w, &tar, "with something behind its end");
	buf_clear(&tar);
	same(w, &tar, "no byte");
}

/* ---- what cannot be ---- */

static void fails(struct world *w, const struct buf *tar, void (*spoil)(int dir), const char *says)
{
	struct place p;
	struct err e = {0};
	int r = unpack(w, tar, &p, &e);

	if (r >= 0)
		spoil(p.dir);
	r = layer_tar(p.dir, p.result.diff_id, take, &p.out, &e);
	ok(r < 0 && e.kind == ERR_INTERNAL && strstr(e.msg, says), "refused: %s", says);
	if (r < 0 && !strstr(e.msg, says))
		printf("# %s\n", e.msg);
	done(&p);
}

/* the test of what came of it is the failure that follows */
static void put(int dir, const char *name, const char *text)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fs_write_all(fd, text, strlen(text)) < 0)
		abort();
}

static void no_recipe(int dir)
{
	(void)unlinkat(dir, "recipe", 0);
}

static void other_size(int dir)
{
	put(dir, "diff/a", "o");
}

static void other_content(int dir)
{
	put(dir, "diff/a", "One");
}

static void file_gone(int dir)
{
	(void)unlinkat(dir, "diff/a", 0);
}

static void a_link(int dir)
{
	(void)unlinkat(dir, "diff/a", 0);
	if (symlinkat("/etc/passwd", dir, "diff/a") < 0)
		abort();
}

static void cut(int dir)
{
	put(dir, "recipe", "atoll-recipe 1\nR");
}

static void damage(struct world *w)
{
	auto_buf struct buf tar = BUF_INIT(ROOM);

	TAR(&tar, "tar", {"a", 'f', "one"}, {"b", 'f', "two"});
	fails(w, &tar, no_recipe, "load or pull its image again");
	fails(w, &tar, other_size, "is not as it came");
	fails(w, &tar, other_content, "another content came out");
	fails(w, &tar, file_gone, "file a");
	fails(w, &tar, a_link, "file a");
	fails(w, &tar, cut, "its recipe is damaged");
}

int main(void)
{
	struct world w;
	const char *why = world_enter(&w);

	if (why)
		return tap_skip_all(why);
	formats(&w);
	shapes(&w);
	ends(&w);
	damage(&w);
	free(w.dir);
	return tap_done();
}
