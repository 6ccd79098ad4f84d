/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * volume_mount.c - a volume with a file system of its own on its _data: nfs, tmpfs, a bind, a disk
 *
 * mount(2) is called as mount(8) would for the same "-t type -o options device", but no helper
 * program is run; so for nfs and cifs a host name behind "addr=" is looked up here. Mounting may
 * wait for a server for minutes and unmounting for its data: both are jobs.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/mount.h>

#include "base/str.h"
#include "loop/job.h"
#include "storage/internal.h"

struct volume_job {
	char *path;		       /* volumes/<name>/_data */
	char *type, *device, *options; /* NULL: unmount */
	struct err e;
	void (*done)(int result, const struct err *e, void *data);
	void *data;
};

static void job_free(struct volume_job *j)
{
	free(j->path);
	free(j->type);
	free(j->device);
	free(j->options);
	free(j);
}

/* ---- addr=NAME ---- */

static char *lookup(const char *name)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char text[NI_MAXHOST];
	int r = getaddrinfo(name, NULL, &hints, &list);

	if (r == 0)
		r = getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof(text), NULL, 0,
				NI_NUMERICHOST);
	if (list)
		freeaddrinfo(list);
	return r == 0 ? strdup(text) : NULL;
}

static int resolve_addr(struct volume_job *j, struct err *e)
{
	unsigned char binary[sizeof(struct in6_addr)];
	const char *at = str_has_prefix(j->options, "addr=") ? j->options
							     : strstr(j->options, ",addr=");
	auto_free char *name = NULL, *address = NULL;
	char *all;
	size_t n;

	if (!at || (!streq(j->type, "nfs") && !streq(j->type, "nfs4") && !streq(j->type, "cifs")))
		return 0;
	at += strlen("addr=") + (*at == ',');
	n = strcspn(at, ",");
	name = strndup(at, n);
	if (!name)
		return err_nomem(e);
	if (inet_pton(AF_INET, name, binary) == 1 || inet_pton(AF_INET6, name, binary) == 1)
		return 0;
	address = lookup(name);
	if (!address)
		return err_set(e, ERR_INTERNAL, EHOSTUNREACH,
			       "error resolving passed in network volume address: lookup %s: no "
			       "such host",
			       name);
	all = str_printf("%.*s%s%s", (int)(at - j->options), j->options, address, at + n);
	if (!all)
		return err_nomem(e);
	free(j->options);
	j->options = all;
	return 0;
}

/* ---- the mount ---- */

/* What an error may show of the options. */
static char *without_password(const char *data)
{
	const char *at = data ? strstr(data, "password=") : NULL;
	size_t n = at ? strcspn(at, ",") : 0;

	if (!at)
		return strdup(data ? data : "");
	return str_printf("%.*spassword=********%s", (int)(at - data), data, at + n);
}

static int failed(const struct volume_job *j, const struct mount_options *o, int eno, struct err *e)
{
	auto_free char *data = without_password(o->data);
	char flags[32] = "", why[128];

	if (o->flags)
		(void)snprintf(flags, sizeof(flags), ", flags: 0x%lx", o->flags);
	(void)snprintf(why, sizeof(why), "%s", strerror(eno));
	why[0] = (char)tolower((unsigned char)why[0]); /* as Go has them */
	return err_set(e, ERR_INTERNAL, eno,
		       "error while mounting volume '%s': failed to mount local volume: mount "
		       "%s:%s%s%s%s: %s",
		       j->path, j->device, j->path, flags, data && *data ? ", data: " : "",
		       data ? data : "", why);
}

static int do_mount(const struct volume_job *j, const struct mount_options *o, struct err *e)
{
	const unsigned long ro_bind = MS_BIND | MS_RDONLY;

	if (mount(j->device, j->path, j->type, o->flags, o->data) < 0)
		return failed(j, o, errno, e);
	if ((o->propagation && mount(NULL, j->path, NULL, o->propagation, NULL) < 0) ||
	    /* a bind takes its other flags only when it is mounted again */
	    ((o->flags & ro_bind) == ro_bind &&
	     mount(NULL, j->path, NULL, o->flags | MS_REMOUNT, NULL) < 0)) {
		int eno = errno;

		(void)umount2(j->path, UMOUNT_NOFOLLOW | MNT_DETACH);
		return failed(j, o, eno, e);
	}
	return 0;
}

static int mount_work(void *data)
{
	struct volume_job *j = data;
	struct mount_options o = {0};
	int r = resolve_addr(j, &j->e);

	if (r < 0)
		return r;
	r = mount_options_parse(j->options, &o);
	if (r < 0)
		return err_sys(&j->e, -r, "the mount options of the volume at %s", j->path);
	r = do_mount(j, &o, &j->e);
	free(o.data);
	return r;
}

static int unmount_work(void *data)
{
	struct volume_job *j = data;

	if (umount2(j->path, UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT)
		return 0;
	/* somebody of the host looks into it: it goes when they leave */
	if (errno == EBUSY && umount2(j->path, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		return 0;
	return err_sys(&j->e, errno, "cannot unmount %s", j->path);
}

static void job_over(int result, void *data)
{
	struct volume_job *j = data;

	j->done(result, result < 0 ? &j->e : NULL, j->data);
	job_free(j);
}

static int run(struct storage *s, const char *name, struct volume_job *j, job_work_fn work)
{
	int r = -ENOMEM;

	if (!storage_name_ok(name))
		r = -EINVAL;
	else if ((j->path = storage_path(s, "volumes/%s/_data", name)))
		r = job_run(s->jobs, work, job_over, j);
	if (r < 0)
		job_free(j);
	return r;
}

int storage_volume_mount(struct storage *s, const char *name, const struct volume_source *from,
			 void (*done)(int result, const struct err *e, void *data), void *data)
{
	struct volume_job *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	*j = (struct volume_job){.type = strdup(from->type ? from->type : ""),
				 .device = strdup(from->device ? from->device : ""),
				 .options = strdup(from->options ? from->options : ""),
				 .done = done,
				 .data = data};
	if (!j->type || !j->device || !j->options) {
		job_free(j);
		return -ENOMEM;
	}
	return run(s, name, j, mount_work);
}

int storage_volume_unmount(struct storage *s, const char *name,
			   void (*done)(int result, const struct err *e, void *data), void *data)
{
	struct volume_job *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	*j = (struct volume_job){.done = done, .data = data};
	return run(s, name, j, unmount_work);
}

void storage_volume_detach(struct storage *s, const char *name)
{
	auto_free char *path = storage_name_ok(name) ? storage_path(s, "volumes/%s/_data", name)
						     : NULL;

	if (path && is_mount_point(path))
		(void)umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH); /* trash leaves mounts alone */
}

bool storage_volume_mounted(struct storage *s, const char *name)
{
	auto_free char *path = storage_name_ok(name) ? storage_path(s, "volumes/%s/_data", name)
						     : NULL;

	return path && is_mount_point(path);
}
