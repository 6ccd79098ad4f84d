/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * security.c - SecurityOpt: what each word means here
 *
 * SELinux labels and AppArmor profiles are not applied. A host without them makes no difference to
 * Docker, which ignores both there; so does this engine. A profile that is asked for by name where
 * the host has AppArmor would be a protection that is not there: refused. systempaths=unconfined
 * never comes here: clients send empty MaskedPaths and ReadonlyPaths.
 */

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/internal.h"

static int apparmor(const char *profile, struct err *e)
{
	if (streq(profile, "unconfined") || streq(profile, "docker-default") ||
	    !fs_exists("/sys/kernel/security/apparmor"))
		return 0;
	return err_invalid(e, "apparmor=%s: this engine applies no AppArmor profiles", profile);
}

static int seccomp(const char *profile, struct security *ret, struct err *e)
{
	auto_json json_t *j = NULL;

	if (streq(profile, "builtin")) {
		ret->seccomp = NULL;
		return 0;
	}
	if (!streq(profile, "unconfined") && json_read(profile, strlen(profile), &j, e) < 0) {
		(void)err_wrap(e, "decoding seccomp profile failed");
		return -EINVAL;
	}
	ret->seccomp = profile;
	return 0;
}

static int one(const char *opt, struct security *ret, struct err *e)
{
	const char *sep = strchr(opt, '=') ? strchr(opt, '=') : strchr(opt, ':');
	auto_free char *key = sep ? strndup(opt, (size_t)(sep - opt)) : NULL;

	if (streq(opt, "no-new-privileges")) {
		ret->no_new_privileges = true;
		return 0;
	}
	if (streq(opt, "disable"))
		return 0; /* of labels, as old clients say it */
	if (!sep)
		return err_invalid(e, "invalid --security-opt 1: \"%s\"", opt);
	if (!key)
		return err_nomem(e);
	if (streq(key, "label") || streq(key, "systempaths"))
		return 0;
	if (streq(key, "apparmor"))
		return apparmor(sep + 1, e);
	if (streq(key, "seccomp"))
		return seccomp(sep + 1, ret, e);
	if (streq(key, "no-new-privileges") && parse_bool(sep + 1, &ret->no_new_privileges) >= 0)
		return 0;
	return err_invalid(e, "invalid --security-opt 2: \"%s\"", opt);
}

int security_parse(struct engine *en, const json_t *host, struct security *ret, struct err *e)
{
	json_t *list = jo(host, "SecurityOpt"), *o;
	size_t i;
	int r = 0;

	*ret = (struct security){.no_new_privileges = en->config->no_new_privileges,
				 .seccomp = en->seccomp};
	json_array_foreach(list, i, o)
	{
		r = r < 0 ? r : one(json_string_value(o), ret, e);
	}
	return r;
}
