/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_forward.c - forwarding: switched on where it is needed, remembered, switched off again */

#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "net/internal.h"
#include "steps.h"
#include "tap.h"
#include "world.h"

#define MARK4 WORLD_DIR "/run/forwarding"
#define MARK6 WORLD_DIR "/run/forwarding6"

static struct world w;
static bool per_link; /* this kernel has force_forwarding */

static const char *sysctl(const char *key)
{
	auto_free char *cmd = str_printf("cat /proc/sys/net/%s", key);

	return world_ask(NULL, cmd);
}

static void set(const char *key, const char *value)
{
	auto_free char *cmd = str_printf("echo %s >/proc/sys/net/%s", value, key);

	is_str(world_ask(NULL, cmd), "", "%s is set to %s", key, value);
}

static const char *file(const char *path)
{
	auto_free char *cmd = str_printf("cat %s", path);

	return fs_exists(path) ? world_ask(NULL, cmd) : "none";
}

static const char *six_is(void)
{
	return sysctl(per_link ? "ipv6/conf/all/force_forwarding" : "ipv6/conf/all/forwarding");
}

static struct network *six(const char *name, bool internal)
{
	struct network_spec s = {
		.name = (char *)(uintptr_t)name, .internal = internal, .off = {[V4] = true}};

	return world_make(&w, &s);
}

static bool again(bool orderly)
{
	struct err e = {0};

	world_close(&w, orderly);
	return ok(world_open(&w, &e) >= 0, "the next life begins %s", e.msg);
}

static void switched_on(void)
{
	is_str(sysctl("ipv4/ip_forward"), "1", "IPv4 is on from the start");
	is_str(file(MARK4), "ext0", "the links of before stand in the mark");
	ok(world_element("uplinks4", "\"ext0\"") && !world_element("uplinks4", "docker0"),
	   "they are uplinks, ours are not");
	is_str(six_is(), "0", "IPv6 is not: nobody needs it");
	is_str(file(MARK6), "none", "nor has it a mark");
	ok(!world_element("uplinks6", "ext0"), "nor an uplink");
}

static void six_when_needed(void)
{
	struct network *in = six("inside", true), *a, *b;

	is_str(six_is(), "0", "an internal network needs none");
	a = six("a", false);
	b = six("b", false);
	if (!in || !a || !b)
		return;
	is_str(six_is(), "1", "another does");
	is_str(file(MARK6), "ext0", "marked");
	ok(world_element("uplinks6", "\"ext0\""), "an uplink");
	if (per_link) {
		is_str(sysctl("ipv6/conf/all/forwarding"), "0",
		       "by the switch that leaves the host deaf to no router");
		is_str(sysctl("ipv6/conf/ext0/force_forwarding"), "1", "of each link");
		(void)world_ask(NULL, "ip link add late0 type veth peer name late1");
		is_str(sysctl("ipv6/conf/late0/force_forwarding"), "1",
		       "one that comes later, too");
		(void)world_ask(NULL, "ip link del late0");
	}
	world_unmake(&w, a);
	is_str(six_is(), "1", "one goes, another needs it still");
	world_unmake(&w, b);
	is_str(six_is(), "0", "off with the last");
	is_str(file(MARK6), "none", "no mark");
	ok(!world_element("uplinks6", "ext0"), "no uplink");
	is_str(sysctl("ipv4/ip_forward"), "1", "IPv4 stays");
	world_unmake(&w, in);
}

static void lives(void)
{
	struct err e = {0};

	if (!six("kept", false) || !again(false))
		return;
	ok(world_element("uplinks4", "\"ext0\"") && world_element("uplinks6", "\"ext0\""),
	   "uplinks are known");
	ok(!world_element("uplinks4", "\"br-"), "our bridges of the last life are none");
	ok(streq(sysctl("ipv4/ip_forward"), "1") && streq(six_is(), "1"), "it is on");
	/* killed between the mark and the switch */
	world_close(&w, false);
	set("ipv4/ip_forward", "0");
	is_int(fs_write(MARK4, "old0\n", 5, 0600), 0, "a mark of another day");
	is_int(world_open(&w, &e), 0, "the next life begins %s", e.msg);
	is_str(sysctl("ipv4/ip_forward"), "1", "a beginning is finished");
	is_str(file(MARK4), "ext0", "with the links of now");
}

static void orderly_end(void)
{
	world_close(&w, true);
	is_str(sysctl("ipv4/ip_forward"), "0", "IPv4 is off as it was");
	is_str(six_is(), "0", "IPv6 too");
	ok(!fs_exists(MARK4) && !fs_exists(MARK6), "no marks");
}

/* Whose host forwards already is left alone, whatever we do. */
static void on_before_us(void)
{
	struct err e = {0};

	set("ipv4/ip_forward", "1");
	set("ipv6/conf/all/forwarding", "1");
	is_int(world_open(&w, &e), 0, "on a router %s", e.msg);
	(void)six("other", false);
	ok(!fs_exists(MARK4) && !fs_exists(MARK6), "nothing is marked");
	ok(!world_element("uplinks4", "ext0") && !world_element("uplinks6", "ext0"),
	   "its interfaces are routed as before");
	world_close(&w, true);
	ok(streq(sysctl("ipv4/ip_forward"), "1") && streq(sysctl("ipv6/conf/all/forwarding"), "1"),
	   "it goes on being one");
	set("ipv4/ip_forward", "0");
	set("ipv6/conf/all/forwarding", "0");
}

/* --ip-forward=false */
static void not_ours(void)
{
	struct err e = {0};

	w.no_forward = true;
	is_int(world_open(&w, &e), 0, "told not to %s", e.msg);
	(void)six("third", false);
	ok(streq(sysctl("ipv4/ip_forward"), "0") && streq(six_is(), "0"), "nothing is switched");
	ok(!fs_exists(MARK4) && !fs_exists(MARK6), "nothing is marked");
	world_close(&w, true);
}

int main(void)
{
	const char *why = world_enter();
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (!fs_exists("/proc/sys/net/ipv6"))
		return tap_skip_all("a kernel without IPv6");
	per_link = fs_exists("/proc/sys/net/ipv6/conf/all/force_forwarding");
	w.config.ula = (struct cidr){world_ip("fd12:3456:789a::"), 48};
	if (!ok(world_outside(&e) >= 0, "a neighbour (%s)", e.msg))
		return tap_done();
	set("ipv4/ip_forward", "0"); /* a new namespace has the first one's setting */
	if (!ok(world_open(&w, &e) >= 0, "a world (%s)", e.msg))
		return tap_done();
	switched_on();
	six_when_needed();
	lives();
	orderly_end();
	on_before_us();
	not_ours();
	return tap_done();
}
