/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap.h - the Test Anything Protocol in one header: no plan ahead, the count comes last */
#pragma once

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned tap_count, tap_failed;

/* A line of TAP is one line: what would break it is printed as \n. */
static inline void __attribute__((format(printf, 1, 0))) tap_line(const char *fmt, va_list ap)
{
	char text[4096];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	for (const char *c = text; *c; c++)
		(void)(*c == '\n' ? printf("\\n") : putchar(*c));
	(void)putchar('\n');
}

static inline void __attribute__((format(printf, 1, 2))) tap_note(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	tap_line(fmt, ap);
	va_end(ap);
}

static inline bool __attribute__((format(printf, 4, 5)))
tap_ok(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	tap_count++;
	tap_failed += !good;
	printf("%s %u - ", good ? "ok" : "not ok", tap_count);
	va_start(ap, fmt);
	tap_line(fmt, ap);
	va_end(ap);
	if (!good)
		printf("# failed at %s:%d\n", file, line);
	fflush(stdout);
	return good;
}

#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)

/* integers of any width, compared as int64_t */
#define is_int(got, want, ...)                                                                     \
	({                                                                                         \
		int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);                            \
		bool good_ = tap_ok(got_ == want_, __FILE__, __LINE__, __VA_ARGS__);               \
		if (!good_)                                                                        \
			printf("# got %" PRId64 ", want %" PRId64 "\n", got_, want_);              \
		good_;                                                                             \
	})

#define is_str(got, want, ...)                                                                     \
	({                                                                                         \
		const char *got_ = (got), *want_ = (want);                                         \
		bool good_ = tap_ok(got_ && want_ ? !strcmp(got_, want_) : got_ == want_,          \
				    __FILE__, __LINE__, __VA_ARGS__);                              \
		if (!good_)                                                                        \
			tap_note("got  \"%s\"", got_ ? got_ : "(null)"),                           \
				tap_note("want \"%s\"", want_ ? want_ : "(null)");                 \
		good_;                                                                             \
	})

/* r is a negative code and e (struct err) carries this kind and text */
#define is_err(r, e, k, text)                                                                      \
	({                                                                                         \
		bool good_ = tap_ok((r) < 0 && (e).kind == (k) && !strcmp((e).msg, (text)),        \
				    __FILE__, __LINE__, "error: %s", (text));                      \
		if (!good_)                                                                        \
			tap_note("got %d kind %d \"%s\"", (int)(r), (int)(e).kind, (e).msg);       \
		good_;                                                                             \
	})

static inline int tap_done(void)
{
	printf("1..%u\n", tap_count);
	return tap_failed || !tap_count ? 1 : 0;
}

static inline int tap_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	return 77;
}
