/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isolate.c - the first four stages */

#include "dns/isolate.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/log.h"

#define USER_NAME  "atoll-dns"
#define NOBODY	   65534
#define MEMORY_MAX (1ull << 30) /* in flight, cached, named: all bounded far below */

int isolate_initial(struct err *e)
{
	static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT};
	struct sigaction sa = {.sa_handler = SIG_IGN};

	if (syscall(SYS_close_range, 3, ~0u, 0) < 0 && errno != ENOSYS)
		return err_sys(e, errno, "cannot close inherited descriptors");
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)sigaction(ignored[i], &sa, NULL); /* these can all be ignored */
	(void)umask(0177);				/* also makes the control socket 0600 */
	return 0;
}

static int limit(int what, rlim_t value)
{
	struct rlimit l;

	if (getrlimit((__rlimit_resource_t)what, &l) < 0)
		return -1;
	l.rlim_max = MIN(l.rlim_max, value); /* never up */
	l.rlim_cur = l.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &l);
}

int isolate_limits(struct err *e)
{
	/* descriptors: as many as there may be, for there are some in every container */
	if (limit(RLIMIT_NOFILE, RLIM_INFINITY) < 0 || limit(RLIMIT_CORE, 0) < 0 ||
	    limit(RLIMIT_MEMLOCK, 0) < 0 || limit(RLIMIT_MSGQUEUE, 0) < 0)
		return err_sys(e, errno, "cannot set limits");
#ifndef ISOLATE_SANITIZED /* whose shadow is terabytes, and whose leak check is a process */
	if (limit(RLIMIT_AS, MEMORY_MAX) < 0 || limit(RLIMIT_NPROC, 1) < 0)
		return err_sys(e, errno, "cannot set limits");
#endif
	return 0;
}

int isolate_user(struct err *e)
{
	const struct passwd *pw;
	uid_t uid = NOBODY;
	gid_t gid = NOBODY;

	if (geteuid() != 0)
		return 0;		   /* a plain user's resolver stays that user's */
	for (int cap = 0; cap < 64; cap++) /* while we may */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return err_sys(e, errno, "cannot drop capability %d for good", cap);
	pw = getpwnam(USER_NAME);
	if (pw) {
		uid = pw->pw_uid;
		gid = pw->pw_gid;
	}
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_sys(e, errno, "cannot become user %u", uid);
	return 0;
}

int isolate_privileges(struct err *e)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &head, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot drop capabilities");
#ifdef ISOLATE_SANITIZED
	const unsigned long dumpable = 1; /* the leak check looks at the process from outside */
#else
	const unsigned long dumpable = 0;
#endif
	if (prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot forbid dumps");
	return 0;
}
