/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * users.c - passwd and group files of a rootfs
 *
 * As Docker does it: the first matching entry wins; a number without an entry is taken as it is; a
 * user that was found brings the groups that list it, unless a group is named.
 */

#include "runtime/users.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"

#define FILE_MAX   (1u << 20)
#define GROUPS_MAX 4096
#define ID_MAX	   2147483647

struct files {
	struct buf passwd, group;
};

struct want {
	const char *name; /* "" where not given */
	int64_t number;	  /* -1: not a number */
};

/* Opens without a look at the content first: a fifo or device of the image is never opened. */
static int read_regular(int root, const char *path, struct buf *out)
{
	auto_close int fd = fs_open_in_root(root, path, O_PATH, 0);
	auto_close int file = -EBADF;
	struct stat st;
	char self[32], block[16384];
	ssize_t n;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	file = open(self, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	while ((n = read(file, block, sizeof(block))) > 0)
		if (buf_add(out, block, (size_t)n) < 0)
			return -EFBIG;
	return n < 0 ? -errno : 0;
}

static struct want want_of(const char *text)
{
	struct want w = {.name = text, .number = -1};

	if (parse_i64(text, &w.number) < 0)
		w.number = -1;
	return w;
}

static int id_check(int64_t id, struct err *e)
{
	if (id < 0 || id > ID_MAX)
		return err_invalid(e, "uids and gids must be in range 0-%d", ID_MAX);
	return 0;
}

/* A line's fields, cut in place at ':'; the last takes the rest. Return: how many there are. */
static size_t fields(char *line, char **f, size_t max)
{
	size_t n = 0;

	while (n < max) {
		f[n++] = line;
		line = n < max ? strchr(line, ':') : NULL;
		if (!line)
			break;
		*line++ = '\0';
	}
	return n;
}

/* Calls @fn for each line with at least @min fields; stops at the first non-zero result. */
static int each_line(const struct buf *file, size_t min, int (*fn)(char **f, void *data),
		     void *data)
{
	auto_free char *copy = strdup(buf_str(file));
	char *rest = copy, *line, *f[7];
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		for (size_t i = 0; i < ARRAY_SIZE(f); i++)
			f[i] = NULL;
		if (*line && *line != '#' && fields(line, f, ARRAY_SIZE(f)) >= min)
			r = fn(f, data);
	}
	return r;
}

static bool matches(const struct want *w, const char *name, uint32_t id)
{
	return w->number >= 0 ? w->number == id : streq(w->name, name);
}

/* ---- passwd: name:password:uid:gid:comment:home:shell ---- */

struct passwd_search {
	struct want want;
	struct user_ids *ids;
	char *name; /* the entry's */
};

static int passwd_line(char **f, void *data)
{
	struct passwd_search *s = data;
	uint32_t uid, gid;

	if (parse_u32(f[2], &uid) < 0 || parse_u32(f[3], &gid) < 0 || !matches(&s->want, f[0], uid))
		return 0;
	s->ids->uid = uid;
	s->ids->gid = gid;
	if (str_set(&s->name, f[0]) < 0 || (f[5] && *f[5] && str_set(&s->ids->home, f[5]) < 0))
		return -ENOMEM;
	return 1;
}

static int find_user(const struct files *files, const char *user, struct user_ids *ids,
		     char **ret_name, struct err *e)
{
	struct passwd_search s = {.want = want_of(*user ? user : "0"), .ids = ids};
	int r = each_line(&files->passwd, 4, passwd_line, &s);

	*ret_name = s.name;
	if (r < 0)
		return err_nomem(e);
	if (r > 0 || !*user)
		return id_check(ids->uid, e) < 0 ? -EINVAL : id_check(ids->gid, e);
	if (parse_i64(user, &s.want.number) < 0)
		return err_invalid(e, "unable to find user %s: no matching entries in passwd file",
				   user);
	ids->uid = (uint32_t)s.want.number;
	return id_check(s.want.number, e);
}

/* ---- group: name:password:gid:members ---- */

struct group_search {
	struct want want;
	const char *member; /* or the groups that list this user */
	struct user_ids *ids;
	uint32_t gid;
};

static int add_group(struct user_ids *ids, uint32_t gid)
{
	uint32_t *more;

	for (size_t i = 0; i < ids->n_groups; i++)
		if (ids->groups[i] == gid)
			return 0;
	if (ids->n_groups == GROUPS_MAX)
		return 0;
	more = realloc(ids->groups, (ids->n_groups + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	ids->groups = more;
	ids->groups[ids->n_groups++] = gid;
	return 0;
}

static bool lists(const char *members, const char *name)
{
	size_t len = strlen(name);

	while (members && *members) {
		size_t n = strcspn(members, ",");

		if (n == len && !memcmp(members, name, n))
			return true;
		members += n + (members[n] == ',');
	}
	return false;
}

static int group_line(char **f, void *data)
{
	struct group_search *s = data;

	if (parse_u32(f[2], &s->gid) < 0)
		return 0;
	if (s->member)
		return lists(f[3], s->member) ? add_group(s->ids, s->gid) : 0;
	return matches(&s->want, f[0], s->gid);
}

static int find_group(const struct files *files, const char *group, uint32_t *ret, struct err *e)
{
	struct group_search s = {.want = want_of(group)};
	int r = each_line(&files->group, 3, group_line, &s);
	int64_t number;

	if (r < 0)
		return err_nomem(e);
	if (r > 0)
		number = s.gid;
	else if (parse_i64(group, &number) < 0)
		return err_invalid(e, "unable to find group %s: no matching entries in group file",
				   group);
	if (id_check(number, e) < 0)
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

static int find_groups(const struct files *files, const char *group, const char *name,
		       struct user_ids *ids, struct err *e)
{
	struct group_search s = {.member = name, .ids = ids};

	if (group && *group)
		return find_group(files, group, &ids->gid, e);
	if (name && each_line(&files->group, 4, group_line, &s) < 0)
		return err_nomem(e);
	return 0;
}

static int read_files(const char *rootfs, struct files *f, struct err *e)
{
	auto_close int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (root < 0)
		return err_sys(e, errno, "cannot open the root file system %s", rootfs);
	r = read_regular(root, "/etc/passwd", &f->passwd);
	if (r < 0)
		return err_sys(e, -r, "cannot read the container's /etc/passwd");
	r = read_regular(root, "/etc/group", &f->group);
	return r < 0 ? err_sys(e, -r, "cannot read the container's /etc/group") : 0;
}

static int resolve(const struct files *f, const char *spec, char *const *group_add,
		   struct user_ids *ids, struct err *e)
{
	auto_free char *user = strdup(spec ? spec : ""), *name = NULL;
	char *group;
	uint32_t gid = 0;
	int r;

	ids->home = strdup("/");
	if (!user || !ids->home)
		return err_nomem(e);
	group = strchr(user, ':');
	if (group)
		*group++ = '\0';
	r = find_user(f, user, ids, &name, e);
	if (r >= 0)
		r = find_groups(f, group, name, ids, e);
	if (r >= 0 && add_group(ids, ids->gid) < 0)
		return err_nomem(e);
	for (; r >= 0 && group_add && *group_add; group_add++) {
		r = find_group(f, *group_add, &gid, e);
		if (r >= 0 && add_group(ids, gid) < 0)
			return err_nomem(e);
	}
	return r;
}

int users_resolve(const char *rootfs, const char *user, char *const *group_add,
		  struct user_ids *ret, struct err *e)
{
	struct files f = {BUF_INIT(FILE_MAX), BUF_INIT(FILE_MAX)};
	struct user_ids ids = {0};
	int r = read_files(rootfs, &f, e);

	if (r >= 0)
		r = resolve(&f, user, group_add, &ids, e);
	buf_done(&f.passwd);
	buf_done(&f.group);
	if (r < 0)
		user_ids_done(&ids);
	else
		*ret = ids;
	return r < 0 ? r : 0;
}

void user_ids_done(struct user_ids *u)
{
	free(u->groups);
	free(u->home);
	*u = (struct user_ids){0};
}
