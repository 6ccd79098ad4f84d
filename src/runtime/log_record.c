/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log_record.c - see log_record.h */

#include "runtime/log_record.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"

/* ---- local ---- */

static bool local_header(const char *s, size_t len, struct log_record *ret, const char **ret_stamp)
{
	const char *p = memchr(s, ' ', MIN(len, (size_t)LOG_HEADER_MAX));

	*ret = (struct log_record){0};
	*ret_stamp = p;
	if (!p || p == s || s + len - p < 10)
		return false;
	if (!memcmp(p, " stdout ", 8))
		ret->stream = 1;
	else if (!memcmp(p, " stderr ", 8))
		ret->stream = 2;
	else
		return false;
	ret->partial = p[8] == 'P';
	ret->text = p + 10;
	ret->len = (size_t)(s + len - ret->text);
	return (p[8] == 'P' || p[8] == 'F') && p[9] == ' ';
}

static bool stamp(const char *s, size_t len, int64_t *ret)
{
	char text[LOG_HEADER_MAX];

	if (!len || len >= sizeof(text))
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	return clock_parse_rfc3339(text, ret) >= 0;
}

static bool local_parse(const char *s, size_t len, struct log_record *ret)
{
	const char *end;

	return local_header(s, len, ret, &end) && stamp(s, (size_t)(end - s), &ret->ns);
}

/* ---- JSON (RFC 8259), only what such a record may be ---- */

struct in {
	char *p, *end;
};

static bool next_is(struct in *in, char c)
{
	while (in->p < in->end && (*in->p == ' ' || *in->p == '\t'))
		in->p++;
	if (in->p == in->end || *in->p != c)
		return false;
	in->p++;
	return true;
}

static int hex4(const char *s)
{
	int n = 0;

	for (int i = 0; i < 4; i++) {
		char c = s[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		if (digit < 0)
			return -1;
		n = n * 16 + digit;
	}
	return n;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* \uXXXX at in->p (behind the u), a pair of surrogates, or half of one (U+FFFD). Never longer than
 * what it stands for. */
static char *unescape_u(struct in *in, char *to)
{
	int c = in->end - in->p < 4 ? -1 : hex4(in->p), low;

	if (c < 0)
		return NULL;
	in->p += 4;
	if (c < 0xd800 || c > 0xdfff)
		return put_utf8(to, (uint32_t)c);
	low = in->end - in->p >= 6 && in->p[0] == '\\' && in->p[1] == 'u' ? hex4(in->p + 2) : -1;
	if (c > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return put_utf8(to, 0xfffd);
	in->p += 6;
	return put_utf8(to, 0x10000 + (((uint32_t)c & 0x3ff) << 10 | ((uint32_t)low & 0x3ff)));
}

/* A string, decoded where it is. */
static bool string(struct in *in, char **ret, size_t *ret_len)
{
	static const char from[] = "\"\\/bfnrt", becomes[] = "\"\\/\b\f\n\r\t";
	char *to;

	if (!next_is(in, '"'))
		return false;
	*ret = to = in->p;
	while (in->p < in->end && *in->p != '"') {
		const char *known;

		if (*in->p != '\\') {
			*to++ = *in->p++;
			continue;
		}
		if (++in->p == in->end)
			return false;
		known = *in->p ? strchr(from, *in->p) : NULL;
		if (*in->p++ == 'u')
			to = unescape_u(in, to);
		else if (known)
			*to++ = becomes[known - from];
		else
			to = NULL;
		if (!to)
			return false;
	}
	*ret_len = (size_t)(to - *ret);
	return in->p++ < in->end;
}

/* Over any other value: to the comma or brace behind it. */
static bool skip(struct in *in, const char **ret, size_t *ret_len)
{
	int depth = 0;
	bool quoted = false;

	*ret = in->p;
	for (; in->p < in->end; in->p++) {
		char c = *in->p;

		if (quoted) {
			in->p += c == '\\';
			quoted = c != '"';
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']' || c == ',') && !depth) {
			break;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	if (in->p >= in->end)
		return false;
	*ret_len = (size_t)(in->p - *ret);
	return true;
}

static bool is(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(s, word, len);
}

static bool member(struct in *in, struct log_record *ret)
{
	char *key, *text;
	size_t key_len, len;

	if (!string(in, &key, &key_len) || !next_is(in, ':'))
		return false;
	if (is(key, key_len, "attrs"))
		return skip(in, &ret->attrs, &ret->attrs_len);
	if (!is(key, key_len, "log") && !is(key, key_len, "stream") && !is(key, key_len, "time"))
		return skip(in, &(const char *){NULL}, &len);
	if (!string(in, &text, &len))
		return false;
	if (is(key, key_len, "log")) {
		ret->text = text;
		ret->len = len;
	} else if (is(key, key_len, "stream")) {
		ret->stream = is(text, len, "stderr") ? 2 : 1;
	} else {
		return stamp(text, len, &ret->ns);
	}
	return true;
}

static bool json_parse(char *line, size_t len, struct log_record *ret)
{
	struct in in = {line, line + len};

	*ret = (struct log_record){.stream = 1};
	if (!next_is(&in, '{'))
		return false;
	do
		if (!member(&in, ret))
			return false;
	while (next_is(&in, ','));
	if (!next_is(&in, '}') || !ret->text)
		return false;
	ret->partial = !ret->len || ret->text[ret->len - 1] != '\n';
	ret->len -= !ret->partial;
	return true;
}

bool log_record_parse(char *line, size_t len, struct log_record *ret)
{
	return len && *line == '{' ? json_parse(line, len, ret) : local_parse(line, len, ret);
}

bool log_record_peek(const char *line, size_t len, struct log_record *ret, bool *json)
{
	const char *end;

	*json = len && *line == '{';
	return *json || local_header(line, len, ret, &end);
}
