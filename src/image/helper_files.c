/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_files.c - stat, get and put: the files of a container, seen from within its root
 *
 * The view is the root (helper_view.c), so the kernel itself resolves each path as the container
 * would. Modes are told as Go's os.FileMode, which is what the Engine API has.
 * Sources: the Engine API's /containers/{id}/archive; moby daemon/archive_unix.go (behaviour).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "image/helper.h"

#define REQUEST_MAX (256u << 20) /* the configs of all images that are saved */
#define LINKS_MAX   255

/* ---- the request ---- */

static int read_mounts(struct request *r, struct err *e)
{
	const json_t *list = json_object_get(r->json, "mounts"), *m;
	size_t i;

	r->mounts = calloc(json_array_size(list) + 1, sizeof(*r->mounts));
	if (!r->mounts)
		return err_nomem(e);
	json_array_foreach(list, i, m)
	{
		r->mounts[r->n_mounts++] = (struct view_mount){
			.source = json_string_value(json_object_get(m, "source")),
			.target = json_string_value(json_object_get(m, "target")),
			.read_only = json_is_true(json_object_get(m, "ro")),
			.optional = json_is_true(json_object_get(m, "optional"))};
		if (!r->mounts[i].source || !r->mounts[i].target)
			return err_set(e, ERR_INTERNAL, EINVAL, "a mount of the request is broken");
	}
	return 0;
}

int request_read(struct request *r, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(REQUEST_MAX);
	char block[4096];
	ssize_t n;

	*r = (struct request){.rules.plain = true};
	while ((n = read(REQUEST_FD, block, sizeof(block))) > 0)
		(void)buf_add(&text, block, (size_t)n);
	if (n < 0 || buf_err(&text))
		return err_set(e, ERR_INTERNAL, EIO, "cannot read the request");
	int rc = json_read(buf_str(&text), text.len, &r->json, e);

	if (rc < 0)
		return rc;
	const json_t *chown = json_object_get(r->json, "chown");

	r->path = json_string_value(json_object_get(r->json, "path"));
	r->read_only = json_is_true(json_object_get(r->json, "read_only"));
	r->rules.no_overwrite = json_is_true(json_object_get(r->json, "no_overwrite"));
	r->rules.chown = json_array_size(chown) == 2;
	r->rules.uid = (uint32_t)json_integer_value(json_array_get(chown, 0));
	r->rules.gid = (uint32_t)json_integer_value(json_array_get(chown, 1));
	return read_mounts(r, e);
}

void request_done(struct request *r)
{
	free(r->mounts);
	json_decref(r->json);
}

/* ---- paths ---- */

/* Takes the first part of @rest away. Return: its length; 0 none is left */
static size_t next_part(const char **rest, const char **part)
{
	*rest += strspn(*rest, "/");
	*part = *rest;
	*rest += strcspn(*rest, "/");
	return (size_t)(*rest - *part);
}

static void step(struct buf *at, const char *part, size_t len)
{
	if (len == 1 && *part == '.')
		return;
	if (len == 2 && part[0] == '.' && part[1] == '.') {
		while (at->len > 0 && at->data[at->len - 1] != '/')
			at->data[--at->len] = '\0';
		if (at->len > 0)
			at->data[--at->len] = '\0';
		return;
	}
	(void)buf_putc(at, '/');
	(void)buf_add(at, part, len);
}

/* @at is a link. Return: what is to be walked from its directory on, NULL it is none */
static char *follow(struct buf *at, const char *rest)
{
	char target[4097];
	ssize_t n = at->len ? readlink(at->data, target, sizeof(target) - 1) : -1;

	if (n < 0)
		return NULL;
	target[n] = '\0';
	if (*target == '/')
		buf_clear(at);
	else
		step(at, "..", 2);
	return str_printf("%s/%s", target, rest);
}

char *files_resolve(const char *path)
{
	auto_buf struct buf at = BUF_INIT(1 << 16);
	auto_free char *whole = strdup(path);
	const char *rest = whole, *part;
	int links = 0;

	if (!whole)
		return NULL;
	for (size_t len; (len = next_part(&rest, &part)) > 0;) {
		step(&at, part, len);
		char *more = links < LINKS_MAX ? follow(&at, rest) : NULL;

		if (!more)
			continue;
		links++;
		free(whole);
		rest = whole = more;
	}
	if (!at.len)
		(void)buf_putc(&at, '/');
	return buf_take(&at);
}

/* "/" before it; "." and ".." taken out as text, as clients' libraries do; a "/" or "/." at the end
 * stays, for it asks for a directory */
static char *clean(const char *path)
{
	auto_buf struct buf at = BUF_INIT(1 << 16);
	const char *rest = path, *part;

	for (size_t len; (len = next_part(&rest, &part)) > 0;)
		step(&at, part, len);
	if (!at.len)
		(void)buf_putc(&at, '/');
	else if (str_has_suffix(path, "/.") || streq(path, "."))
		(void)buf_puts(&at, "/.");
	else if (str_has_suffix(path, "/"))
		(void)buf_putc(&at, '/');
	return buf_take(&at);
}

/* what comes after the last slash; "/" of "/", "." of "/etc/." */
static char *base_of(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 1 && *path == '/')
		return strdup("/");
	const char *from = memrchr(path, '/', len);

	from = from ? from + 1 : path;
	return strndup(from, len - (size_t)(from - path));
}

/* magic links of a bound /proc lead out of every view */
static int open_path(const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int not_there(int r, const char *path, struct err *e)
{
	if (r == -ENOENT || r == -ENOTDIR)
		return err_not_found(e, "Could not find the file %s", path);
	return err_sys(e, -r, "cannot open %.300s", path);
}

/* ---- stat ---- */

static uint32_t go_mode(mode_t m)
{
	static const struct {
		mode_t type;
		uint32_t bits;
	} types[] = {{S_IFDIR, 1u << 31}, {S_IFLNK, 1u << 27},	{S_IFBLK, 1u << 26},
		     {S_IFIFO, 1u << 25}, {S_IFSOCK, 1u << 24}, {S_IFCHR, 1u << 26 | 1u << 21}};
	uint32_t out = m & 0777;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((m & S_IFMT) == types[i].type)
			out |= types[i].bits;
	out |= m & S_ISUID ? 1u << 23 : 0;
	out |= m & S_ISGID ? 1u << 22 : 0;
	return out | (m & S_ISVTX ? 1u << 20 : 0);
}

static int look(const char *path, struct stat *st, struct err *e)
{
	auto_close int fd = open_path(path, O_PATH | O_NOFOLLOW);

	if (fd < 0)
		return not_there(fd, path, e);
	return fstat(fd, st) < 0 ? err_sys(e, errno, "cannot read %.300s", path) : 0;
}

static int tell(const char *path, const struct stat *st, struct err *e)
{
	auto_free char *target = S_ISLNK(st->st_mode) ? files_resolve(path) : strdup("");
	auto_free char *base = base_of(path);

	if (!base || !target)
		return err_nomem(e);
	return report_stat(base, (uint64_t)st->st_size, go_mode(st->st_mode),
			   st->st_mtim.tv_sec * 1000000000ll + st->st_mtim.tv_nsec, target, e);
}

/* ---- get ---- */

static int get_dir(const char *path, struct err *e)
{
	auto_free char *base = base_of(path);
	const struct pack p = {.prefix = base};
	auto_close int fd = open_path(path, O_RDONLY | O_DIRECTORY);

	if (!base)
		return err_nomem(e);
	return fd < 0 ? not_there(fd, path, e) : pack_tree(fd, &p, STDOUT_FILENO, e);
}

static int get_one(const char *path, struct err *e)
{
	auto_free char *base = base_of(path);
	auto_free char *dir = strndup(path, strlen(path) - strlen(base ? base : ""));

	if (!base || !dir)
		return err_nomem(e);
	auto_close int fd = open_path(dir, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? not_there(fd, path, e) : pack_one(fd, base, STDOUT_FILENO, e);
}

static int get(const char *path, const struct stat *st, struct err *e)
{
	return S_ISDIR(st->st_mode) ? get_dir(path, e) : get_one(path, e);
}

/* ---- put ---- */

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

/* the mount that @path is in says whether it can be written, or else the root */
static int check_writable(const struct request *r, const char *path, struct err *e)
{
	const struct view_mount *in = NULL;

	for (size_t i = 0; i < r->n_mounts; i++) {
		const struct view_mount *m = &r->mounts[i];

		if (is_below(path, m->target) && (!in || strlen(m->target) >= strlen(in->target)))
			in = m;
	}
	if (in && in->read_only)
		return err_invalid(e, "mounted volume is marked read-only");
	if (!in && r->read_only)
		return err_invalid(e, "container rootfs is marked read-only");
	return 0;
}

static int put(const struct request *r, const char *path, struct err *e)
{
	struct layer_result out;
	struct stat st;
	auto_free char *resolved = files_resolve(path);
	auto_close int fd = open_path(path, O_PATH);

	if (!resolved)
		return err_nomem(e);
	if (fd < 0)
		return not_there(fd, path, e);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot read %.300s", path);
	if (!S_ISDIR(st.st_mode))
		return err_invalid(e, "extraction point is not a directory");
	int rc = check_writable(r, resolved, e);

	if (rc < 0)
		return rc;
	auto_close int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, errno, "cannot open %.300s", path);
	return layer_unpack(STDIN_FILENO, dir, &r->rules, &out, e);
}

int files_work(const char *verb, const struct request *r, struct err *e)
{
	struct stat st;

	if (streq(verb, "export")) {
		static const struct pack all = {0};
		auto_close int root = open_path("/", O_RDONLY | O_DIRECTORY);

		return root < 0 ? err_sys(e, -root, "cannot open the root")
				: pack_tree(root, &all, STDOUT_FILENO, e);
	}
	auto_free char *path = clean(r->path ? r->path : "");

	if (!path)
		return err_nomem(e);
	if (streq(verb, "put"))
		return put(r, path, e);
	int rc = look(path, &st, e);

	if (rc >= 0)
		rc = tell(path, &st, e);
	return rc < 0 || streq(verb, "stat") ? rc : get(path, &st, e);
}
