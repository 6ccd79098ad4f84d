/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_caps.c - --cap-add, --cap-drop, --privileged */

#include <linux/capability.h>

#include "runtime/caps.h"
#include "tap.h"

static char *one(const char *s)
{
	return (char *)(uintptr_t)s;
}

static uint64_t resolve(const char *add, const char *drop, bool privileged)
{
	char *a[] = {one(add), NULL}, *d[] = {one(drop), NULL};
	struct err e = {0};
	uint64_t got = 0;

	if (caps_resolve(add ? a : NULL, drop ? d : NULL, privileged, &got, &e) < 0)
		printf("# %s\n", e.msg);
	return got;
}

static void test_names(void)
{
	is_int(cap_number("CAP_NET_ADMIN"), CAP_NET_ADMIN, "with CAP_");
	is_int(cap_number("net_admin"), CAP_NET_ADMIN, "without, in small letters");
	is_int(cap_number("cap_Chown"), CAP_CHOWN, "mixed");
	is_int(cap_number("CAP_"), -EINVAL, "only a prefix");
	is_int(cap_number(""), -EINVAL, "empty");
	is_int(cap_number("CAP_CAP_CHOWN"), -EINVAL, "twice the prefix");
	is_str(cap_name(CAP_BPF), "CAP_BPF", "a name");
	ok(!cap_name(64), "beyond the last");
}

static void test_sets(void)
{
	uint64_t all = caps_available(), def = caps_default() & all;

	is_int(caps_default(), 0xa80425fb, "Docker's default capabilities");
	is_int(resolve(NULL, NULL, false), def, "nothing asked");
	is_int(resolve(NULL, "ALL", false), 0, "all dropped");
	is_int(resolve("ALL", NULL, false), all, "all added");
	is_int(resolve("all", "CHOWN", false), all & ~CAP_BIT(CAP_CHOWN), "all but one");
	is_int(resolve(NULL, "cap_kill", false), def & ~CAP_BIT(CAP_KILL), "one dropped");
	is_int(resolve(NULL, "SYS_RESOURCE", false), def, "one dropped that was not there");
	is_int(resolve(NULL, "ALL", true), all, "privileged");
	if (all & CAP_BIT(CAP_NET_ADMIN)) {
		is_int(resolve("NET_ADMIN", NULL, false), def | CAP_BIT(CAP_NET_ADMIN), "added");
		is_int(resolve("NET_ADMIN", "ALL", false), CAP_BIT(CAP_NET_ADMIN), "that alone");
	}
}

static void test_refusals(void)
{
	char *list[] = {one("no_such_cap"), NULL};
	struct err e = {0};
	uint64_t got;

	is_err(caps_resolve(list, NULL, false, &got, &e), e, ERR_INVALID,
	       "invalid CapAdd: unknown capability: \"CAP_NO_SUCH_CAP\"");
	is_err(caps_resolve(NULL, list, true, &got, &e), e, ERR_INVALID,
	       "invalid CapDrop: unknown capability: \"CAP_NO_SUCH_CAP\"");
	list[0] = one("SYS_RESOURCE");
	if (!(caps_available() & CAP_BIT(CAP_SYS_RESOURCE)))
		is_err(caps_resolve(list, NULL, false, &got, &e), e, ERR_INVALID,
		       "invalid CapAdd: capability not supported by your kernel or not available "
		       "in the current environment: \"CAP_SYS_RESOURCE\"");
}

int main(void)
{
	test_names();
	test_sets();
	test_refusals();
	return tap_done();
}
