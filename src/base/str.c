/* SPDX-License-Identifier: GPL-2.0-or-later */
/* str.c - strict numbers, string lists */

#include "base/str.h"

#include <stdarg.h>
#include <strings.h>

int parse_u64(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s || !*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int parse_u32(const char *s, uint32_t *ret)
{
	uint64_t v;
	int r = parse_u64(s, &v);

	if (r < 0)
		return r;
	if (v > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t)v;
	return 0;
}

int parse_u16(const char *s, uint16_t *ret)
{
	uint64_t v;
	int r = parse_u64(s, &v);

	if (r < 0)
		return r;
	if (v > UINT16_MAX)
		return -ERANGE;
	*ret = (uint16_t)v;
	return 0;
}

int parse_i64(const char *s, int64_t *ret)
{
	bool neg = s && *s == '-';
	uint64_t v;
	int r = parse_u64(neg ? s + 1 : s, &v);

	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX + neg)
		return -ERANGE;
	*ret = neg ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; s && i < ARRAY_SIZE(yes); i++) {
		if (streq(s, yes[i]) || streq(s, no[i])) {
			*ret = streq(s, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

int parse_ram(const char *s, int64_t *ret_bytes)
{
	static const char units[] = "kmgtp";
	uint64_t whole = 0, frac = 0, scale = 1;
	unsigned shift = 0;
	const char *u;

	if (!s || *s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return -ERANGE;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++)
			if (scale < 1000000) {
				frac = frac * 10 + (uint64_t)(*s - '0');
				scale *= 10;
			}
	while (*s == ' ')
		s++;
	u = *s ? strchr(units, *s | 0x20) : NULL;
	if (u) {
		shift = 10 * (unsigned)(u - units + 1);
		s++;
		if ((*s | 0x20) == 'i')
			s++;
	}
	if ((*s | 0x20) == 'b')
		s++;
	if (*s)
		return -EINVAL;
	if (whole > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;
	whole <<= shift;
	whole += (uint64_t)((double)frac / (double)scale * (double)(1ull << shift));
	*ret_bytes = (int64_t)whole;
	return 0;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return s && !strncmp(s, prefix, strlen(prefix));
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t a = s ? strlen(s) : 0, b = strlen(suffix);

	return s && a >= b && !memcmp(s + a - b, suffix, b);
}

bool str_is_hex(const char *s)
{
	return s && *s && strspn(s, "0123456789abcdef") == strlen(s);
}

char *str_printf(const char *fmt, ...)
{
	va_list ap;
	char *out;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : out;
}

int str_set(char **dst, const char *src)
{
	char *copy = src ? strdup(src) : NULL;

	if (src && !copy)
		return -ENOMEM;
	free(*dst);
	*dst = copy;
	return 0;
}

void strv_free(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

static int strv_take(char ***v, char *s)
{
	size_t n = strv_len(*v);
	char **more;

	if (!s)
		return -ENOMEM;
	more = reallocarray(*v, n + 2, sizeof(*more));
	if (!more) {
		free(s);
		return -ENOMEM;
	}
	more[n] = s;
	more[n + 1] = NULL;
	*v = more;
	return 0;
}

int strv_add(char ***v, const char *s)
{
	return strv_take(v, strdup(s));
}

int strv_add_unique(char ***v, const char *s)
{
	int r;

	if (strv_has(*v, s))
		return 0;
	r = strv_add(v, s);
	return r < 0 ? r : 1;
}

int strv_addf(char ***v, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? -ENOMEM : strv_take(v, s);
}

bool strv_has(char *const *v, const char *s)
{
	for (; v && *v; v++)
		if (streq(*v, s))
			return true;
	return false;
}

char **strv_copy(char *const *v)
{
	auto_strv char **out = NULL;

	for (; v && *v; v++)
		if (strv_add(&out, *v) < 0)
			return NULL;
	return TAKE_PTR(out);
}

int strv_split(const char *s, const char *sep, char ***ret)
{
	auto_strv char **out = NULL;
	size_t n;

	for (;; s += n + 1) {
		auto_free char *part = NULL;

		n = strcspn(s, sep);
		part = strndup(s, n);
		if (!part || strv_add(&out, part) < 0)
			return -ENOMEM;
		if (!s[n])
			break;
	}
	*ret = TAKE_PTR(out);
	return 0;
}
