/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp.c - a profile's lines, kept or left out for one container on this machine */

#include "runtime/seccomp.h"

#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "runtime/caps.h"

/* uname's, Docker's (Go's) and libseccomp's name of an architecture */
static const struct arch {
	const char *machine, *docker, *scmp;
} arches[] = {
	{"x86_64", "amd64", "SCMP_ARCH_X86_64"},
	{"i686", "x86", "SCMP_ARCH_X86"},
	{"i386", "x86", "SCMP_ARCH_X86"},
	{"aarch64", "arm64", "SCMP_ARCH_AARCH64"},
	{"armv7l", "arm", "SCMP_ARCH_ARM"},
	{"armv6l", "arm", "SCMP_ARCH_ARM"},
	{"riscv64", "riscv64", "SCMP_ARCH_RISCV64"},
	{"ppc64le", "ppc64le", "SCMP_ARCH_PPC64LE"},
	{"ppc64", "ppc64", "SCMP_ARCH_PPC64"},
	{"s390x", "s390x", "SCMP_ARCH_S390X"},
	{"mips64", "mips64", "SCMP_ARCH_MIPS64"},
};

static const struct arch *arch_of(const char *machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(arches); i++)
		if (streq(arches[i].machine, machine))
			return &arches[i];
	return NULL;
}

static int bad(struct err *e, const char *what)
{
	return err_invalid(e, "Decoding seccomp profile failed: %s", what);
}

/* The first two numbers of "6.1.0-18-amd64" as 6 << 16 | 1; -EINVAL. */
static int64_t version_of(const char *s)
{
	uint32_t part[2];

	for (int i = 0; i < 2; i++) {
		size_t n = strspn(s, "0123456789");
		char digits[8] = "";

		if (n >= sizeof(digits))
			return -EINVAL;
		memcpy(digits, s, n);
		if (parse_u32(digits, &part[i]) < 0 || (i == 0 && s[n] != '.'))
			return -EINVAL;
		s += n + (i == 0);
	}
	return (int64_t)part[0] << 16 | part[1];
}

static bool list_has(const json_t *list, const char *text)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (text && streq(json_string_value(v), text))
			return true;
	}
	return false;
}

/* How many of @list the container has. */
static size_t caps_in(const json_t *list, uint64_t caps)
{
	size_t i, n = 0;
	json_t *v;

	json_array_foreach(list, i, v)
	{
		int number = json_is_string(v) ? cap_number(json_string_value(v)) : -1;

		n += number >= 0 && (caps & CAP_BIT(number));
	}
	return n;
}

/* Whether the container meets a line's "includes" (all of it), or its "excludes" (@any of it). */
static int meets(const json_t *filter, const struct seccomp_target *t, bool any, struct err *e)
{
	const struct arch *a = arch_of(t->machine);
	json_t *list, *caps;
	const char *kernel;
	bool yes = !any, hit;
	int r = json_get_arr(filter, "Filter", "arches", &list, e);

	if (r >= 0)
		r = json_get_arr(filter, "Filter", "caps", &caps, e);
	if (r >= 0)
		r = json_get_str(filter, "Filter", "minKernel", &kernel, e);
	if (r < 0)
		return r;
	if (json_array_size(list)) {
		hit = list_has(list, a ? a->docker : NULL);
		yes = any ? yes || hit : yes && hit;
	}
	if (json_array_size(caps)) {
		hit = any ? caps_in(caps, t->caps) > 0
			  : caps_in(caps, t->caps) == json_array_size(caps);
		yes = any ? yes || hit : yes && hit;
	}
	if (kernel) {
		if (version_of(kernel) < 0)
			return bad(e, "invalid kernel version");
		hit = version_of(t->release) >= version_of(kernel);
		yes = any ? yes || hit : yes && hit;
	}
	return yes;
}

/* Return: 1 the line holds for this container, 0 it does not. */
static int line_holds(const json_t *line, const struct seccomp_target *t, struct err *e)
{
	json_t *includes, *excludes;
	int r = json_get_obj(line, "Syscall", "includes", &includes, e);

	if (r >= 0)
		r = json_get_obj(line, "Syscall", "excludes", &excludes, e);
	if (r >= 0 && excludes) {
		r = meets(excludes, t, true, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (r >= 0 && includes)
		return meets(includes, t, false, e);
	return r < 0 ? r : 1;
}

static void copy_key(struct jsonw *w, const json_t *from, const char *key)
{
	const json_t *v = json_get(from, key);

	if (v)
		jsonw_json(w, key, v);
}

static int line_write(struct jsonw *w, const json_t *line, struct err *e)
{
	const char *name, *action;
	auto_strv char **names = NULL;
	int r = json_get_str(line, "Syscall", "name", &name, e);

	if (r >= 0)
		r = json_get_strv(line, "Syscall", "names", false, &names, e);
	if (r >= 0)
		r = json_get_str(line, "Syscall", "action", &action, e);
	if (r < 0)
		return r;
	if (!str_empty(name) && names)
		return bad(e, "both 'name' and 'names' are specified in the seccomp profile, use "
			      "either 'name' or 'names'");
	if (!str_empty(name) && strv_add(&names, name) < 0)
		return err_nomem(e);
	if (!names)
		return 0;
	if (!action || !str_has_prefix(action, "SCMP_ACT_"))
		return bad(e, "a system call without a valid action");
	jsonw_object(w, NULL);
	jsonw_strv(w, "names", names);
	jsonw_str(w, "action", action);
	copy_key(w, line, "errnoRet");
	copy_key(w, line, "args");
	jsonw_end_object(w);
	return 0;
}

/* The native architecture with those that run on it as well (archMap), or the list as given. */
static int arches_write(struct jsonw *w, const json_t *profile, const struct seccomp_target *t,
			struct err *e)
{
	const struct arch *a = arch_of(t->machine);
	json_t *list, *map, *entry, *sub;
	size_t i, k;
	int r = json_get_arr(profile, "Seccomp", "architectures", &list, e);

	if (r >= 0)
		r = json_get_arr(profile, "Seccomp", "archMap", &map, e);
	if (r < 0)
		return r;
	if (json_array_size(list) && json_array_size(map))
		return bad(e, "both 'architectures' and 'archMap' are specified in the seccomp "
			      "profile, use either 'architectures' or 'archMap'");
	jsonw_array(w, "architectures");
	json_array_foreach(list, i, entry) jsonw_json(w, NULL, entry);
	json_array_foreach(map, i, entry)
	{
		if (!a || !streq(json_string_value(json_get(entry, "architecture")), a->scmp))
			continue;
		jsonw_str(w, NULL, a->scmp);
		json_array_foreach(json_get(entry, "subArchitectures"), k, sub)
			jsonw_json(w, NULL, sub);
		break;
	}
	jsonw_end_array(w);
	return 0;
}

static int write_all(struct jsonw *w, const json_t *profile, const struct seccomp_target *t,
		     struct err *e)
{
	json_t *lines, *line;
	size_t i;
	int r = json_get_arr(profile, "Seccomp", "syscalls", &lines, e);

	if (r < 0)
		return r;
	jsonw_object(w, NULL);
	copy_key(w, profile, "defaultAction");
	copy_key(w, profile, "defaultErrnoRet");
	copy_key(w, profile, "flags");
	copy_key(w, profile, "listenerPath");
	copy_key(w, profile, "listenerMetadata");
	r = arches_write(w, profile, t, e);
	jsonw_array(w, "syscalls");
	for (i = 0; r >= 0 && (line = json_array_get(lines, i)); i++) {
		if (!json_is_object(line))
			return bad(e, "a system call is not an object");
		r = line_holds(line, t, e);
		if (r > 0)
			r = line_write(w, line, e);
	}
	jsonw_end_array(w);
	jsonw_end_object(w);
	return r;
}

int seccomp_resolve(const char *text, const struct seccomp_target *t, struct buf *out,
		    struct err *e)
{
	auto_json json_t *profile = NULL;
	struct jsonw w = JSONW_INIT(out);
	const char *action;
	json_error_t je;
	int r;

	profile = json_loads(text, 0, &je);
	if (!profile)
		return bad(e, je.text);
	if (!json_is_object(profile))
		return bad(e, "not an object");
	r = json_get_str(profile, "Seccomp", "defaultAction", &action, e);
	if (r < 0)
		return r;
	if (str_empty(action) && !json_array_size(json_get(profile, "syscalls")))
		return 0;
	if (!action || !str_has_prefix(action, "SCMP_ACT_"))
		return bad(e, "no valid defaultAction");
	r = write_all(&w, profile, t, e);
	if (r >= 0 && buf_err(out))
		return err_sys(e, -buf_err(out), "cannot write the seccomp section");
	return r < 0 ? r : 1;
}
