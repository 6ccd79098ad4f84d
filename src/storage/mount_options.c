/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount_options.c - "bind,ro,size=1m" as flags, propagation and data of mount(2). Pure. */
#include <errno.h>
#include <sys/mount.h>

#include "base/buf.h"
#include "base/str.h"
#include "storage/internal.h"

#define OPTIONS_MAX 4096 /* mount(2) takes a page */

static const struct {
	const char *word;
	bool clear;
	unsigned long flag;
} words[] = {
	{"defaults", false, 0},
	{"ro", false, MS_RDONLY},
	{"rw", true, MS_RDONLY},
	{"suid", true, MS_NOSUID},
	{"nosuid", false, MS_NOSUID},
	{"dev", true, MS_NODEV},
	{"nodev", false, MS_NODEV},
	{"exec", true, MS_NOEXEC},
	{"noexec", false, MS_NOEXEC},
	{"sync", false, MS_SYNCHRONOUS},
	{"async", true, MS_SYNCHRONOUS},
	{"dirsync", false, MS_DIRSYNC},
	{"remount", false, MS_REMOUNT},
	{"mand", false, MS_MANDLOCK},
	{"nomand", true, MS_MANDLOCK},
	{"atime", true, MS_NOATIME},
	{"noatime", false, MS_NOATIME},
	{"diratime", true, MS_NODIRATIME},
	{"nodiratime", false, MS_NODIRATIME},
	{"bind", false, MS_BIND},
	{"rbind", false, MS_BIND | MS_REC},
	{"relatime", false, MS_RELATIME},
	{"norelatime", true, MS_RELATIME},
	{"strictatime", false, MS_STRICTATIME},
	{"nostrictatime", true, MS_STRICTATIME},
};

static const struct {
	const char *word;
	unsigned long flag;
} propagations[] = {
	{"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC},
	{"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
	{"shared", MS_SHARED},	       {"rshared", MS_SHARED | MS_REC},
	{"slave", MS_SLAVE},	       {"rslave", MS_SLAVE | MS_REC},
};

static bool known(const char *word, struct mount_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(words[i].word, word)) {
			if (words[i].clear)
				o->flags &= ~words[i].flag;
			else
				o->flags |= words[i].flag;
			return true;
		}
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++)
		if (streq(propagations[i].word, word)) {
			o->propagation = propagations[i].flag;
			return true;
		}
	return !*word;
}

int mount_options_parse(const char *text, struct mount_options *ret)
{
	auto_buf struct buf data = BUF_INIT(OPTIONS_MAX);
	auto_strv char **parts = NULL;
	struct mount_options o = {0};

	if (strv_split(text ? text : "", ",", &parts) < 0)
		return -ENOMEM;
	for (size_t i = 0; parts && parts[i]; i++)
		if (!known(parts[i], &o))
			(void)buf_printf(&data, "%s%s", data.len ? "," : "", parts[i]);
	if (buf_err(&data))
		return buf_err(&data) == -ENOBUFS ? -E2BIG : -ENOMEM;
	o.data = data.len ? buf_take(&data) : NULL;
	*ret = o;
	return 0;
}
