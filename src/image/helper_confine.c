/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_confine.c - what atoll-helper gives up before it reads the first foreign byte
 *
 * In this order: limits; own namespaces; the view (helper_view.c) becomes the root and all that is
 * in sight; capabilities but the six that unpacking needs; no_new_privs; the list of system calls.
 * Source: capabilities(7).
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/userns.h"
#include "image/helper.h"

#define CPU_SECONDS (2 * 3600)		      /* xz decodes 64 GiB in less than an hour */
#define FILES_MAX   (2 * PATH_DEPTH_MAX + 64) /* path_remove() holds two a level */
#define MEMORY_MAX  (2ull << 30) /* the largest xz dictionary libarchive takes is 1 GiB */

static const int kept[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,
			   CAP_FSETID, CAP_MKNOD,	 CAP_SETFCAP};

static int limit(int what, rlim_t value)
{
	struct rlimit l;

	if (getrlimit((__rlimit_resource_t)what, &l) < 0)
		return -1;
	if (l.rlim_max != RLIM_INFINITY && l.rlim_max < value)
		value = l.rlim_max; /* never up */
	l = (struct rlimit){value, value};
	return setrlimit((__rlimit_resource_t)what, &l);
}

int confine_limits(const struct confine_limits *l, struct err *e)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	(void)sigaction(SIGXFSZ, &ignore, NULL); /* EFBIG tells it better */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	if (limit(RLIMIT_FSIZE, l->file_bytes) < 0 || limit(RLIMIT_NOFILE, l->files) < 0 ||
	    limit(RLIMIT_CORE, 0) < 0 || (l->cpu && limit(RLIMIT_CPU, l->cpu) < 0) ||
	    (l->processes && limit(RLIMIT_NPROC, l->processes) < 0))
		return err_sys(e, errno, "cannot set limits");
#ifndef HELPER_SANITIZED /* whose shadow is terabytes of address space */
	if (limit(RLIMIT_AS, l->memory) < 0)
		return err_sys(e, errno, "cannot set limits");
#endif
	return 0;
}

int confine_bounding(uint64_t keep, struct err *e)
{
	for (int cap = 0; cap < 64; cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
		    errno != EINVAL) /* beyond the kernel's last */
			return err_sys(e, errno, "cannot drop capability %d", cap);
	return 0;
}

int confine_capabilities(uint64_t keep, struct err *e)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(keep >> (32 * i));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &head, data) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot drop privileges");
	return 0;
}

/* The view is built outside, for the folders on the way are the host's; places that are missing in
 * it are made as that root. */
static int enter_as_root_of(const struct view *v, struct err *e)
{
	int r = fsids_enter(v->uid, v->gid);

	if (r < 0)
		return err_sys(e, -r, "cannot act as the container's root");
	r = view_enter(v, e);
	if (r >= 0 && (setns(v->userns, CLONE_NEWUSER) < 0 || setgroups(0, NULL) < 0 ||
		       setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		r = err_sys(e, errno, "cannot enter the user namespace");
	return r;
}

int confine(const struct view *v, struct err *e)
{
	const struct confine_limits limits = {.files = FILES_MAX,
					      .processes = 1,
					      .cpu = CPU_SECONDS,
					      .memory = MEMORY_MAX,
					      .file_bytes = LIMIT_LAYER_BYTES};
	uint64_t keep = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		keep |= 1ull << kept[i];
	(void)umask(0);
	int r = confine_limits(&limits, e);

	if (r >= 0 && unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		r = err_sys(e, errno, "cannot make namespaces");
	if (r >= 0)
		r = v->userns ? enter_as_root_of(v, e) : view_enter(v, e);
	if (r >= 0)
		r = confine_bounding(keep, e);
	if (r >= 0)
		r = confine_capabilities(keep, e);
	return r < 0 ? r : confine_syscalls(CONFINE_FILES, e);
}
