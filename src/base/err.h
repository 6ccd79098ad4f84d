/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * err.h - one way to fail: int >= 0 good, -errno bad, and a caller-owned text for people
 *
 * Functions below the domain (base, loop, netlink) return bare -errno. Domain functions take
 * struct err *e last; it may be NULL; it is filled on failure and untouched on success.
 * The kind becomes an HTTP status in exactly one table (api/errors.c). Thread-safe: no state.
 */
#pragma once

#include <stdarg.h>

#include "base/auto.h"

enum err_kind {
	ERR_INTERNAL,	  /* 500 */
	ERR_INVALID,	  /* 400 bad parameter */
	ERR_NOT_FOUND,	  /* 404 */
	ERR_CONFLICT,	  /* 409 */
	ERR_FORBIDDEN,	  /* 403 */
	ERR_UNAVAILABLE,  /* 503 */
	ERR_UNSUPPORTED,  /* 501 */
	ERR_UNAUTHORIZED, /* 401 */
	ERR_NOT_MODIFIED, /* 304 start of started, stop of stopped: no body */
};

struct err {
	int code; /* -errno, or 0 while unset */
	enum err_kind kind;
	char msg[1024]; /* complete text; Docker's where Docker has one */
};

/**
 * err_set() - Fill @e (if not NULL) with kind, code and text
 * @eno: a positive errno; 0 is taken as EIO so that a failure never returns 0
 * Return: -eno
 */
int err_set(struct err *e, enum err_kind kind, int eno, const char *fmt, ...) PRINTF(4, 5);

/* err_sys() - ERR_INTERNAL with ": " strerror(eno) appended. Return: -eno */
int err_sys(struct err *e, int eno, const char *fmt, ...) PRINTF(3, 4);

/* err_wrap() - put "text: " before the message on the way up; kind and code stay. Return: e->code
 */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* Shorthands, each returning the negative code: EINVAL, ENOENT, EEXIST/EBUSY, EPERM. */
#define err_invalid(e, ...)   err_set((e), ERR_INVALID, EINVAL, __VA_ARGS__)
#define err_not_found(e, ...) err_set((e), ERR_NOT_FOUND, ENOENT, __VA_ARGS__)
#define err_conflict(e, ...)  err_set((e), ERR_CONFLICT, EEXIST, __VA_ARGS__)
#define err_forbidden(e, ...) err_set((e), ERR_FORBIDDEN, EPERM, __VA_ARGS__)
#define err_nomem(e)	      err_set((e), ERR_INTERNAL, ENOMEM, "out of memory")

#ifdef __clang_analyzer__ /* which does not see that all three always return a negative number */
#define err_set(...)  (err_set(__VA_ARGS__), -EIO)
#define err_sys(...)  (err_sys(__VA_ARGS__), -EIO)
#define err_wrap(...) (err_wrap(__VA_ARGS__), -EIO)
#endif
