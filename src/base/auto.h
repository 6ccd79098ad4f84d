/* SPDX-License-Identifier: GPL-2.0-or-later */
/* auto.h - cleanup attributes: what a scope owns, the scope gives back */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * A result that must be looked at. Ignoring one is written (void) with a reason; gcc's attribute
 * warns even then, so clang, which does not, does the checking.
 */
#ifdef __clang__
#define MUST_CHECK __attribute__((warn_unused_result))
#else
#define MUST_CHECK
#endif
#define PRINTF(fmt, args)		__attribute__((format(printf, fmt, args)))
#define UNUSED				__attribute__((unused))
#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)			((a) < (b) ? (a) : (b))
#define MAX(a, b)			((a) > (b) ? (a) : (b))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Closes @fd unless negative; keeps errno. Return: -EBADF, so that fd = fd_close(fd) disarms. */
static inline int fd_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		(void)close(fd); /* the descriptor is gone whatever close() says */
		errno = saved;
	}
	return -EBADF;
}

static inline void auto_free_fn(void *p)
{
	free(*(void **)p);
}

static inline void auto_close_fn(int *fd)
{
	(void)fd_close(*fd);
}

static inline void auto_fclose_fn(FILE **f)
{
	if (*f)
		(void)fclose(*f); /* writers check fflush() themselves */
}

#define auto_free   __attribute__((cleanup(auto_free_fn)))
#define auto_close  __attribute__((cleanup(auto_close_fn)))
#define auto_fclose __attribute__((cleanup(auto_fclose_fn)))

/* DEFINE_AUTO(struct x, x_free) gives auto_(x_free): the scope frees its struct x *. */
#define DEFINE_AUTO(type, fn)                                                                      \
	static inline void fn##_auto(type **p)                                                     \
	{                                                                                          \
		if (*p)                                                                            \
			(void)fn(*p);                                                              \
	}                                                                                          \
	struct auto_needs_semicolon_
#define auto_(fn) __attribute__((cleanup(fn##_auto)))

/* Hand over: the value goes out, the variable is disarmed. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		typeof(p) taken_ = (p);                                                            \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int taken_ = (fd);                                                                 \
		(fd) = -EBADF;                                                                     \
		taken_;                                                                            \
	})
