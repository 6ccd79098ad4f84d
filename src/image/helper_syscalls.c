/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_syscalls.c - the system calls atoll-helper may make; any other one kills it
 *
 * No socket, no process, no mount, no exec, no ptrace, no ioctl; memory is never made executable.
 * Source: seccomp(2), Documentation/userspace-api/seccomp_filter.rst.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "image/helper.h"

#if defined(__x86_64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define AUDIT_ARCH_OURS AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define AUDIT_ARCH_OURS AUDIT_ARCH_PPC64LE
#else
#error "add this architecture's AUDIT_ARCH_ here"
#endif

static const unsigned short allowed[] = {
	/* bytes in and out */
	SYS_read,
	SYS_write,
	SYS_pread64,
	SYS_pwrite64,
	SYS_lseek,
	SYS_close,
	SYS_fcntl,
	/* the tree */
	SYS_openat,
	SYS_openat2,
	SYS_getdents64,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_readlinkat,
#ifdef SYS_readlink
	SYS_readlink,
#endif
	SYS_flistxattr,
	SYS_fgetxattr,
	SYS_mkdirat,
	SYS_mknodat,
	SYS_symlinkat,
	SYS_linkat,
	SYS_unlinkat,
#ifdef SYS_renameat
	SYS_renameat,
#endif
	SYS_renameat2,
	SYS_fchown,
	SYS_fchownat,
	SYS_fchmod,
	SYS_fchmodat,
	SYS_utimensat,
	SYS_fsetxattr,
	SYS_ftruncate,
	SYS_syncfs,
	/* memory (mmap and mprotect: see below) */
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	/* libc's own */
	SYS_sysinfo, /* qsort() asks for the memory's size */
	SYS_futex,
	SYS_getrandom,
	SYS_clock_gettime,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_getpid,
	SYS_gettid,
	SYS_tgkill,
	SYS_uname, /* which machine's image of an index is wanted */
	SYS_exit,
	SYS_exit_group,
#ifdef HELPER_SANITIZED /* the sanitizers' run time, in test builds only */
	SYS_sigaltstack,
	SYS_sched_yield,
	SYS_sched_getaffinity,
	SYS_prctl,
	SYS_ioctl,
	SYS_getrusage,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_prlimit64,
#ifdef SYS_open
	SYS_open,
	SYS_readlink,
	SYS_stat,
#endif
#endif
};

#define N_ALLOWED (sizeof(allowed) / sizeof(allowed[0]))
#define ALLOW	  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL	  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define LOAD(off) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off))

int confine_syscalls(struct err *e)
{
	static const struct sock_filter head[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_OURS, 1, 0),
		KILL,
		LOAD(offsetof(struct seccomp_data, nr)),
		/* memory, but never executable */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4),
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		LOAD(offsetof(struct seccomp_data, args[2])),
#else
		LOAD(offsetof(struct seccomp_data, args[2]) + 4),
#endif
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		KILL,
		ALLOW,
	};
	struct sock_filter code[ARRAY_SIZE(head) + 2 * N_ALLOWED + 1];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		code[n++] = head[i];
	for (size_t i = 0; i < N_ALLOWED; i++) {
		code[n++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
		code[n++] = (struct sock_filter)ALLOW;
	}
	code[n++] = (struct sock_filter)KILL;
	const struct sock_fprog prog = {.len = (unsigned short)n, .filter = code};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_sys(e, errno, "cannot set the system call filter");
	return 0;
}
