/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caps.c - names, numbers and sets of capabilities */

#include "runtime/caps.h"

#include <ctype.h>
#include <linux/capability.h>
#include <strings.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/str.h"

static const char *const names[] = {
	[CAP_CHOWN] = "CAP_CHOWN",
	[CAP_DAC_OVERRIDE] = "CAP_DAC_OVERRIDE",
	[CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
	[CAP_FOWNER] = "CAP_FOWNER",
	[CAP_FSETID] = "CAP_FSETID",
	[CAP_KILL] = "CAP_KILL",
	[CAP_SETGID] = "CAP_SETGID",
	[CAP_SETUID] = "CAP_SETUID",
	[CAP_SETPCAP] = "CAP_SETPCAP",
	[CAP_LINUX_IMMUTABLE] = "CAP_LINUX_IMMUTABLE",
	[CAP_NET_BIND_SERVICE] = "CAP_NET_BIND_SERVICE",
	[CAP_NET_BROADCAST] = "CAP_NET_BROADCAST",
	[CAP_NET_ADMIN] = "CAP_NET_ADMIN",
	[CAP_NET_RAW] = "CAP_NET_RAW",
	[CAP_IPC_LOCK] = "CAP_IPC_LOCK",
	[CAP_IPC_OWNER] = "CAP_IPC_OWNER",
	[CAP_SYS_MODULE] = "CAP_SYS_MODULE",
	[CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
	[CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
	[CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
	[CAP_SYS_PACCT] = "CAP_SYS_PACCT",
	[CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
	[CAP_SYS_BOOT] = "CAP_SYS_BOOT",
	[CAP_SYS_NICE] = "CAP_SYS_NICE",
	[CAP_SYS_RESOURCE] = "CAP_SYS_RESOURCE",
	[CAP_SYS_TIME] = "CAP_SYS_TIME",
	[CAP_SYS_TTY_CONFIG] = "CAP_SYS_TTY_CONFIG",
	[CAP_MKNOD] = "CAP_MKNOD",
	[CAP_LEASE] = "CAP_LEASE",
	[CAP_AUDIT_WRITE] = "CAP_AUDIT_WRITE",
	[CAP_AUDIT_CONTROL] = "CAP_AUDIT_CONTROL",
	[CAP_SETFCAP] = "CAP_SETFCAP",
	[CAP_MAC_OVERRIDE] = "CAP_MAC_OVERRIDE",
	[CAP_MAC_ADMIN] = "CAP_MAC_ADMIN",
	[CAP_SYSLOG] = "CAP_SYSLOG",
	[CAP_WAKE_ALARM] = "CAP_WAKE_ALARM",
	[CAP_BLOCK_SUSPEND] = "CAP_BLOCK_SUSPEND",
	[CAP_AUDIT_READ] = "CAP_AUDIT_READ",
	[CAP_PERFMON] = "CAP_PERFMON",
	[CAP_BPF] = "CAP_BPF",
	[CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
};

const char *cap_name(unsigned number)
{
	return number < ARRAY_SIZE(names) ? names[number] : NULL;
}

int cap_number(const char *name)
{
	size_t skip = strncasecmp(name, "CAP_", 4) ? 4 : 0;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(name, names[i] + skip))
			return (int)i;
	return -EINVAL;
}

uint64_t caps_available(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};
	uint64_t known = CAP_BIT(ARRAY_SIZE(names)) - 1;

	if (syscall(SYS_capget, &h, d) < 0)
		return 0;
	return (d[0].permitted | (uint64_t)d[1].permitted << 32) & known;
}

uint64_t caps_default(void)
{
	return CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FSETID) |
	       CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_NET_RAW) |
	       CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETFCAP) |
	       CAP_BIT(CAP_SETPCAP) | CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_SYS_CHROOT) |
	       CAP_BIT(CAP_KILL) | CAP_BIT(CAP_AUDIT_WRITE);
}

static int unknown(const char *what, const char *name, struct err *e)
{
	auto_buf struct buf upper = BUF_INIT(256);

	if (strncasecmp(name, "CAP_", 4) != 0)
		(void)buf_puts(&upper, "CAP_");
	for (; *name; name++)
		(void)buf_putc(&upper, (char)toupper((unsigned char)*name));
	return err_invalid(e, "invalid %s: unknown capability: \"%s\"", what, buf_str(&upper));
}

/* @list as a mask, ALL aside. */
static int mask(char *const *list, const char *what, uint64_t *ret, bool *ret_all, struct err *e)
{
	*ret = 0;
	*ret_all = false;
	for (; list && *list; list++) {
		int n = strcasecmp(*list, "ALL") ? cap_number(*list) : -1;

		if (n >= 0)
			*ret |= CAP_BIT(n);
		else if (!strcasecmp(*list, "ALL"))
			*ret_all = true;
		else
			return unknown(what, *list, e);
	}
	return 0;
}

int caps_resolve(char *const *add, char *const *drop, bool privileged, uint64_t *ret, struct err *e)
{
	uint64_t have = caps_available(), added, dropped, missing;
	bool add_all, drop_all;
	int r = mask(add, "CapAdd", &added, &add_all, e);

	if (r >= 0)
		r = mask(drop, "CapDrop", &dropped, &drop_all, e);
	if (r < 0)
		return r;
	missing = added & ~have;
	if (missing && !privileged)
		return err_invalid(e,
				   "invalid CapAdd: capability not supported by your kernel or not "
				   "available in the current environment: \"%s\"",
				   cap_name((unsigned)__builtin_ctzll(missing)));
	if (privileged)
		*ret = have;
	else if (add_all)
		*ret = have & ~dropped;
	else if (drop_all)
		*ret = added;
	else
		*ret = ((caps_default() & have) & ~dropped) | added;
	return 0;
}
