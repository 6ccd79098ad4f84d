/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_syscalls.c - the system calls atoll-helper may make; any other one kills it
 *
 * Who unpacks: no socket, no process, no mount, no exec, no ptrace, no ioctl. Who has the network:
 * clients' sockets of the internet families (and netlink's, which name look-ups ask for the
 * addresses), threads but no process, files to read only. Memory is never made executable.
 * Source: seccomp(2), Documentation/userspace-api/seccomp_filter.rst.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

static const unsigned short common[] = {
	/* bytes in and out */
	SYS_read,
	SYS_write,
	SYS_lseek,
	SYS_close,
	SYS_fcntl,
	SYS_openat,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
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

static const unsigned short files[] = {
	SYS_pread64,	SYS_pwrite64,  SYS_openat2,   SYS_getdents64, SYS_readlinkat,
#ifdef SYS_readlink
	SYS_readlink,
#endif
	SYS_flistxattr, SYS_fgetxattr, SYS_mkdirat,   SYS_mknodat,    SYS_symlinkat,
	SYS_linkat,	SYS_unlinkat,
#ifdef SYS_renameat
	SYS_renameat,
#endif
	SYS_renameat2,	SYS_fchown,    SYS_fchownat,  SYS_fchmod,     SYS_fchmodat,
	SYS_utimensat,	SYS_fsetxattr, SYS_ftruncate, SYS_syncfs,
};

static const unsigned short network[] = {
	SYS_connect, SYS_bind, /* netlink's; nothing here listens */
	SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom, SYS_recvmsg, SYS_getsockname,
	SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_shutdown,
	SYS_socketpair, /* curl wakes its threads by them */
	SYS_pipe2, SYS_eventfd2, SYS_ppoll,
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_pread64, SYS_writev,
	SYS_ioctl, /* FIONREAD, FIONBIO: what they may do to a socket is little */
	SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
	/* threads (clone: see below) */
	SYS_set_robust_list, SYS_rseq, SYS_sched_yield, SYS_sched_getaffinity, SYS_clock_nanosleep,
	SYS_nanosleep, SYS_prctl, /* a thread's name; there is no privilege to gain any more */
	SYS_gettimeofday, SYS_restart_syscall,
	SYS_sysinfo, /* qsort(3) of many addresses asks how much memory there is */
};

#define N(list)		   (sizeof(list) / sizeof((list)[0]))
#define ALLOW		   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL		   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define REFUSE(n)	   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (n))
#define LOAD(off)	   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARG(n) offsetof(struct seccomp_data, args[n])
#else
#define ARG(n) (offsetof(struct seccomp_data, args[n]) + 4)
#endif

static const struct sock_filter head[] = {
	LOAD(offsetof(struct seccomp_data, arch)),
	IS(AUDIT_ARCH_OURS, 1, 0),
	KILL,
	LOAD(offsetof(struct seccomp_data, nr)),
	/* memory, but never executable */
	IS(SYS_mmap, 1, 0),
	IS(SYS_mprotect, 0, 4),
	LOAD(ARG(2)),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
	KILL,
	ALLOW,
};

/* sockets of four families, one of which (unix: the name service cache's) is refused politely;
 * threads, for which clone3 must be refused: its flags are out of a filter's sight */
static const struct sock_filter net_head[] = {
	IS(SYS_socket, 0, 6),
	LOAD(ARG(0)),
	IS(AF_INET, 3, 0),
	IS(AF_INET6, 2, 0),
	IS(AF_NETLINK, 1, 0),
	REFUSE(EACCES),
	ALLOW,
	IS(SYS_clone3, 0, 1),
	REFUSE(ENOSYS),
	IS(SYS_clone, 0, 4),
	LOAD(ARG(0)),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
	ALLOW,
	KILL,
};

struct program {
	struct sock_filter
		code[N(head) + N(net_head) + 2 * (N(common) + N(files) + N(network)) + 1];
	size_t n;
};

static void add(struct program *p, const struct sock_filter *code, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p->code[p->n++] = code[i];
}

static void add_list(struct program *p, const unsigned short *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct sock_filter one[] = {IS(list[i], 0, 1), ALLOW};

		add(p, one, 2);
	}
}

int confine_syscalls(enum confinement kind, struct err *e)
{
	static const struct sock_filter last[] = {KILL};
	struct program p = {.n = 0};

	add(&p, head, N(head));
	if (kind == CONFINE_NETWORK)
		add(&p, net_head, N(net_head));
	add_list(&p, common, N(common));
	if (kind == CONFINE_NETWORK)
		add_list(&p, network, N(network));
	else
		add_list(&p, files, N(files));
	add(&p, last, 1);
	const struct sock_fprog prog = {.len = (unsigned short)p.n, .filter = p.code};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_sys(e, errno, "cannot set the system call filter");
	return 0;
}
