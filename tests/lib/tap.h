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

static inline bool __attribute__((format(printf, 4, 5)))
tap_ok(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	tap_count++;
	tap_failed += !good;
	printf("%s %u - ", good ? "ok" : "not ok", tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
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
			printf("# got  \"%s\"\n# want \"%s\"\n", got_ ? got_ : "(null)",           \
			       want_ ? want_ : "(null)");                                          \
		good_;                                                                             \
	})

/* r is a negative code and e (struct err) carries this kind and text */
#define is_err(r, e, k, text)                                                                      \
	({                                                                                         \
		bool good_ = tap_ok((r) < 0 && (e).kind == (k) && !strcmp((e).msg, (text)),        \
				    __FILE__, __LINE__, "error: %s", (text));                      \
		if (!good_)                                                                        \
			printf("# got %d kind %d \"%s\"\n", (int)(r), (int)(e).kind, (e).msg);     \
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
