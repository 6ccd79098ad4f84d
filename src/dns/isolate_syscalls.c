/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isolate_syscalls.c - the fifth stage: the system calls the resolver may make
 *
 * Files are only read, sockets are only internet sockets, memory is never made executable. What is
 * not listed fails with EPERM, so that a libc that tries something new costs no container its
 * names; starting a program or looking into another process kills: only an intruder does that.
 * Source: seccomp(2), Documentation/userspace-api/seccomp_filter.rst.
 */

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "dns/isolate.h"

#if defined(__x86_64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define AUDIT_ARCH_OURS AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define AUDIT_ARCH_OURS AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_S390X
#else
#error "add this architecture's AUDIT_ARCH_ here"
#endif

static const unsigned short allowed[] = {
	/* questions and answers */
	SYS_recvmmsg,
	SYS_sendmmsg,
	SYS_recvfrom,
	SYS_sendto,
	SYS_recvmsg,
	SYS_sendmsg,
	SYS_accept4,
	SYS_connect,
	SYS_getsockname,
	SYS_getsockopt,
	SYS_close,
	SYS_fcntl,
	SYS_read,
	SYS_write,
	SYS_writev,
	SYS_dup3,
	/* relays */
	SYS_splice,
	SYS_pipe2,
	SYS_listen,
	SYS_shutdown,
	SYS_setsockopt,
	/* the loop */
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
	SYS_signalfd4,
	SYS_clock_gettime,
	/* resolv.conf */
	SYS_inotify_init1,
	SYS_inotify_add_watch,
	SYS_inotify_rm_watch,
	SYS_fstat,
	SYS_newfstatat,
	SYS_readlinkat,
#ifdef SYS_readlink
	SYS_readlink,
#endif
	SYS_getcwd,
	/* memory (mmap and mprotect: see below) and libc's own */
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_futex,
	SYS_getrandom,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_restart_syscall,
	SYS_getpid,
	SYS_gettid,
	SYS_tgkill,
	SYS_exit,
	SYS_exit_group,
#ifdef ISOLATE_SANITIZED /* the sanitizers' run time, in test builds only */
	SYS_sigaltstack,
	SYS_sched_yield,
	SYS_sched_getaffinity,
	SYS_prctl,
	SYS_ioctl,
	SYS_getrusage,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_prlimit64,
	SYS_uname,
	SYS_clone,
	SYS_ptrace,
	SYS_kill,
	SYS_wait4,
	SYS_getppid,
	SYS_getdents64,
	SYS_lseek,
	SYS_set_robust_list,
#ifdef SYS_open
	SYS_open,
	SYS_getdents,
	SYS_stat,
	SYS_pipe,
#endif
#endif
};

#ifndef ISOLATE_SANITIZED
static const unsigned short deadly[] = {SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv,
					SYS_process_vm_writev};
#else
static const unsigned short deadly[] = {SYS_execve, SYS_execveat};
#endif

#define RET(action)	    BPF_STMT(BPF_RET | BPF_K, (action))
#define ALLOW		    RET(SECCOMP_RET_ALLOW)
#define KILL		    RET(SECCOMP_RET_KILL_PROCESS)
#define REFUSE		    RET(SECCOMP_RET_ERRNO | EPERM)
#define LOAD(off)	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off))
#define IF_EQ(k, yes, no)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(k), (yes), (no))
#define IF_BITS(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(k), (yes), (no))
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOAD_ARG(n) LOAD(offsetof(struct seccomp_data, args[n]))
#else
#define LOAD_ARG(n) LOAD(offsetof(struct seccomp_data, args[n]) + 4)
#endif

static const struct sock_filter head[] = {
	LOAD(offsetof(struct seccomp_data, arch)),
	IF_EQ(AUDIT_ARCH_OURS, 1, 0),
	KILL,
	LOAD(offsetof(struct seccomp_data, nr)),
	/* memory, but never executable */
	IF_EQ(SYS_mmap, 1, 0),
	IF_EQ(SYS_mprotect, 0, 4),
	LOAD_ARG(2),
	IF_BITS(PROT_EXEC, 0, 1),
	REFUSE,
	ALLOW,
	/* files, but only to read */
	IF_EQ(SYS_openat, 0, 4),
	LOAD_ARG(2),
	IF_BITS(O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, 0, 1),
	REFUSE,
	ALLOW,
	/* sockets, but only of the internet */
	IF_EQ(SYS_socket, 0, 5),
	LOAD_ARG(0),
	IF_EQ(AF_INET, 2, 0),
	IF_EQ(AF_INET6, 1, 0),
	REFUSE,
	ALLOW,
};

#define CODE_MAX (ARRAY_SIZE(head) + 2 * ARRAY_SIZE(allowed) + 2 * ARRAY_SIZE(deadly) + 1)

int isolate_syscalls(struct err *e)
{
	struct sock_filter code[CODE_MAX];
	struct sock_fprog prog = {.filter = code};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		code[n++] = head[i];
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		code[n++] = (struct sock_filter)IF_EQ(allowed[i], 0, 1);
		code[n++] = (struct sock_filter)ALLOW;
	}
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
		code[n++] = (struct sock_filter)IF_EQ(deadly[i], 0, 1);
		code[n++] = (struct sock_filter)KILL;
	}
	code[n++] = (struct sock_filter)REFUSE;
	prog.len = (unsigned short)n;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_sys(e, errno, "cannot set the system call filter");
	return 0;
}
