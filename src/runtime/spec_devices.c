/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec_devices.c - device nodes of the host in a container, and which devices its cgroup allows
 *
 * The runtime itself makes /dev/null, zero, full, random, urandom, tty and the terminals.
 */

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/spec.h"

#define DEPTH_MAX   8
#define DEVICES_MAX 8192

struct writer {
	struct jsonw *nodes, *rules;
	const char *access; /* NULL: no rules needed, all is allowed */
	unsigned n;
};

static void write_rule(struct jsonw *w, char type, int64_t major_no, int64_t minor_no,
		       const char *access)
{
	jsonw_object(w, NULL);
	jsonw_bool(w, "allow", true);
	jsonw_strf(w, "type", "%c", type);
	if (major_no >= 0)
		jsonw_i64(w, "major", major_no);
	if (minor_no >= 0)
		jsonw_i64(w, "minor", minor_no);
	jsonw_str(w, "access", access);
	jsonw_end_object(w);
}

static void write_node(struct writer *d, const char *path, const struct stat *st)
{
	char type = S_ISBLK(st->st_mode) ? 'b' : 'c';

	jsonw_object(d->nodes, NULL);
	jsonw_str(d->nodes, "path", path);
	jsonw_strf(d->nodes, "type", "%c", type);
	jsonw_i64(d->nodes, "major", major(st->st_rdev));
	jsonw_i64(d->nodes, "minor", minor(st->st_rdev));
	jsonw_i64(d->nodes, "fileMode", st->st_mode & 07777);
	jsonw_i64(d->nodes, "uid", st->st_uid);
	jsonw_i64(d->nodes, "gid", st->st_gid);
	jsonw_end_object(d->nodes);
	if (d->access)
		write_rule(d->rules, type, major(st->st_rdev), minor(st->st_rdev), d->access);
	d->n++;
}

static int add_tree(struct writer *d, const char *host, const char *inside, int depth);

static int add_entry(struct writer *d, const char *host, const char *inside, int depth)
{
	struct stat st;

	if (lstat(host, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return add_tree(d, host, inside, depth + 1);
	if (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode))
		write_node(d, inside, &st);
	return 0;
}

/* What the container has of its own, and what is no device. */
static bool skipped(const char *name, int depth)
{
	static const char *const names[] = {"pts",  "shm",	   "fd",    "mqueue", ".lxc",
					    ".lxd", ".lxd-mounts", ".udev", "console"};

	if (streq(name, ".") || streq(name, ".."))
		return true;
	for (size_t i = 0; depth == 0 && i < ARRAY_SIZE(names); i++)
		if (streq(names[i], name))
			return true;
	return false;
}

static int add_tree(struct writer *d, const char *host, const char *inside, int depth)
{
	DIR *dir = depth < DEPTH_MAX ? opendir(host) : NULL;
	struct dirent *de;
	int r = 0;

	if (!dir)
		return depth < DEPTH_MAX ? -errno : 0;
	while (r >= 0 && d->n < DEVICES_MAX && (de = readdir(dir))) {
		auto_free char *from = str_printf("%s/%s", host, de->d_name);
		auto_free char *to = str_printf("%s/%s", inside, de->d_name);

		if (!from || !to)
			r = -ENOMEM;
		else if (!skipped(de->d_name, depth))
			r = add_entry(d, from, to, depth);
	}
	(void)closedir(dir);
	return r;
}

static int add_device(struct writer *d, const json_t *device, struct err *e)
{
	const char *host, *inside, *access;
	struct stat st;
	int r = json_get_str(device, "DeviceMapping", "PathOnHost", &host, e);

	if (r >= 0)
		r = json_get_str(device, "DeviceMapping", "PathInContainer", &inside, e);
	if (r >= 0)
		r = json_get_str(device, "DeviceMapping", "CgroupPermissions", &access, e);
	if (r < 0)
		return r;
	host = host ? host : "";
	d->access = d->access ? (str_empty(access) ? "rwm" : access) : NULL;
	if (d->access && strspn(d->access, "rwm") != strlen(d->access))
		return err_invalid(e, "invalid device mode: %s", d->access);
	if (stat(host, &st) < 0)
		return err_invalid(e,
				   "error gathering device information while adding custom device "
				   "\"%s\": no such file or directory",
				   host);
	if (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode))
		write_node(d, str_empty(inside) ? host : inside, &st);
	else if (!S_ISDIR(st.st_mode) ||
		 add_tree(d, host, str_empty(inside) ? host : inside, 1) < 0)
		return err_invalid(e,
				   "error gathering device information while adding custom device "
				   "\"%s\": not a device node",
				   host);
	return 0;
}

/* Docker's: any node may be made, these may be used. */
static void default_rules(struct jsonw *w)
{
	static const struct {
		int major_no, minor_no;
	} chars[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}, {136, -1}};

	jsonw_object(w, NULL);
	jsonw_bool(w, "allow", false);
	jsonw_str(w, "access", "rwm");
	jsonw_end_object(w);
	write_rule(w, 'c', -1, -1, "m");
	write_rule(w, 'b', -1, -1, "m");
	for (size_t i = 0; i < ARRAY_SIZE(chars); i++)
		write_rule(w, 'c', chars[i].major_no, chars[i].minor_no, "rwm");
}

/* "c 42:* rwm"; its form was checked when the container was created */
static int own_rule(struct jsonw *w, const char *rule, struct err *e)
{
	auto_strv char **v = NULL;
	int64_t numbers[2] = {-1, -1};
	char *colon;

	if (strv_split(rule, " ", &v) < 0)
		return err_nomem(e);
	colon = strv_len(v) == 3 ? strchr(v[1], ':') : NULL;
	if (!colon)
		return err_invalid(e, "invalid device cgroup rule format: '%s'", rule);
	*colon = '\0';
	if ((!streq(v[1], "*") && parse_i64(v[1], &numbers[0]) < 0) ||
	    (!streq(colon + 1, "*") && parse_i64(colon + 1, &numbers[1]) < 0))
		return err_invalid(e, "invalid device cgroup rule format: '%s'", rule);
	write_rule(w, v[0][0], numbers[0], numbers[1], v[2]);
	return 0;
}

int spec_devices(struct jsonw *w, struct jsonw *rules, const struct rt_spec *s, struct err *e)
{
	struct writer d = {.nodes = w, .rules = rules, .access = s->privileged ? NULL : "rwm"};
	json_t *device;
	size_t i;
	int r = 0;

	jsonw_array(rules, NULL);
	if (s->privileged) {
		jsonw_object(rules, NULL);
		jsonw_bool(rules, "allow", true);
		jsonw_str(rules, "access", "rwm");
		jsonw_end_object(rules);
	} else {
		default_rules(rules);
	}
	jsonw_array(w, "devices");
	if (s->privileged)
		r = add_tree(&d, "/dev", "/dev", 0);
	if (r < 0)
		return err_sys(e, -r, "cannot list the devices of this host");
	for (i = 0; r >= 0 && (device = json_array_get(s->devices, i)); i++)
		r = add_device(&d, device, e);
	jsonw_end_array(w);
	for (char *const *p = s->privileged ? NULL : s->device_rules; r >= 0 && p && *p; p++)
		r = own_rule(rules, *p, e);
	jsonw_end_array(rules);
	return r;
}
