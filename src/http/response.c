/* SPDX-License-Identifier: GPL-2.0-or-later */
/* response.c - parsing HTTP/1.1 responses */

#include "http/response.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

void response_init(struct response *p, bool head_request,
		   int (*body)(void *data, const char *piece, size_t len), void *data)
{
	*p = (struct response){.head_request = head_request, .body = body, .data = data};
	p->line = BUF_INIT(RESPONSE_HEAD_MAX);
}

void response_done(struct response *p)
{
	buf_done(&p->line);
	free(p->content_type);
	free(p->api_version);
	free(p->path_stat);
	p->content_type = p->api_version = p->path_stat = NULL;
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, ERR_INTERNAL, EBADMSG, "malformed HTTP response: %s", what);
}

static int status_line(struct response *p, const char *line, struct err *e)
{
	const char *s = line + 8;

	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || *s++ != ' ')
		return bad(e, "no status line");
	p->status = 0;
	for (int i = 0; i < 3; i++, s++) {
		if (*s < '0' || *s > '9')
			return bad(e, "no status code");
		p->status = p->status * 10 + (unsigned)(*s - '0');
	}
	if ((*s && *s != ' ') || p->status < 100)
		return bad(e, "no status code");
	p->keep_alive = line[7] == '1';
	return 0;
}

static bool has_token(const char *list, const char *token)
{
	size_t n = strlen(token);

	while (*list) {
		list += strspn(list, " \t,");
		if (!strncasecmp(list, token, n) &&
		    strspn(list + n, " \t") == strcspn(list + n, ","))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static int content_length(struct response *p, const char *value, struct err *e)
{
	uint64_t n;

	if (parse_u64(value, &n) < 0 || n > INT64_MAX || (p->have_length && n != p->left))
		return bad(e, "Content-Length");
	p->have_length = true;
	p->left = n;
	return 0;
}

static int header_line(struct response *p, char *line, struct err *e)
{
	char *value = strchr(line, ':'), *end;

	if (!value || value == line || strcspn(line, " \t") < (size_t)(value - line))
		return bad(e, "a header line");
	*value++ = '\0';
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value && strchr(" \t", end[-1]);)
		*--end = '\0';
	if (!strcasecmp(line, "Content-Length"))
		return content_length(p, value, e);
	if (!strcasecmp(line, "Transfer-Encoding")) {
		if (strcasecmp(value, "chunked") != 0)
			return bad(e, "Transfer-Encoding");
		p->chunked = true;
	} else if (!strcasecmp(line, "Connection")) {
		p->keep_alive = has_token(value, "keep-alive") ||
				(p->keep_alive && !has_token(value, "close"));
	} else if (!strcasecmp(line, "Content-Type")) {
		if (str_set(&p->content_type, value) < 0)
			return err_nomem(e);
	} else if (!strcasecmp(line, "X-Docker-Container-Path-Stat")) {
		if (str_set(&p->path_stat, value) < 0)
			return err_nomem(e);
	} else if (!strcasecmp(line, "Api-Version")) {
		if (str_set(&p->api_version, value) < 0)
			return err_nomem(e);
	}
	return 0;
}

/* The empty line: what comes now? */
static void head_ended(struct response *p)
{
	if (p->status < 200 && p->status != 101) {
		p->status = 0; /* interim: the real one follows */
		p->have_length = p->chunked = false;
		return;
	}
	p->until_close = !p->chunked && !p->have_length;
	if (p->head_request || p->status < 200 || p->status == 204 || p->status == 304) {
		p->until_close = false;
		p->state = RESPONSE_DONE;
	} else if (p->chunked) {
		p->state = RESPONSE_CHUNK_SIZE;
		p->left = 0;
	} else if (p->have_length && !p->left) {
		p->state = RESPONSE_DONE;
	} else {
		p->state = RESPONSE_BODY;
		p->keep_alive = p->keep_alive && !p->until_close;
	}
}

static int chunk_size(struct response *p, const char *line, struct err *e)
{
	uint64_t n = 0;
	size_t digits = strspn(line, "0123456789abcdefABCDEF");

	/* 15 digits: no overflow; a chunk extension is ignored */
	if (!digits || digits > 15 || !strchr("; \t", line[digits]))
		return bad(e, "a chunk size");
	for (size_t i = 0; i < digits; i++) {
		unsigned char c = (unsigned char)line[i];

		n = n << 4 | (c <= '9' ? c - '0' + 0u : (c | 0x20) - 'a' + 10u);
	}
	p->left = n;
	p->state = n ? RESPONSE_CHUNK : RESPONSE_TRAILER;
	return 0;
}

static int one_line(struct response *p, char *line, struct err *e)
{
	switch (p->state) {
	case RESPONSE_HEAD:
		if (!p->status)
			return *line ? status_line(p, line, e) : 0;
		if (*line)
			return header_line(p, line, e);
		head_ended(p);
		return 0;
	case RESPONSE_CHUNK_SIZE:
		return chunk_size(p, line, e);
	case RESPONSE_CHUNK_END:
		p->state = RESPONSE_CHUNK_SIZE;
		return *line ? bad(e, "a chunk's end") : 0;
	case RESPONSE_TRAILER:
		if (!*line)
			p->state = RESPONSE_DONE;
		return 0;
	case RESPONSE_BODY:
	case RESPONSE_CHUNK:
	case RESPONSE_DONE:
		break; /* no lines there */
	}
	return 0;
}

/* Collects a line; once it is whole, handles it. Return: bytes used, or as response_feed(). */
static ssize_t take_line(struct response *p, const char *data, size_t len, struct err *e)
{
	const char *nl = memchr(data, '\n', len);
	size_t n = nl ? (size_t)(nl - data) : len;
	int r;

	p->head_seen = p->state == RESPONSE_HEAD || p->state == RESPONSE_TRAILER
			       ? p->head_seen + n + 1
			       : p->head_seen;
	if (p->head_seen > RESPONSE_HEAD_MAX)
		return bad(e, "the header is too large");
	if (memchr(data, '\0', n))
		return bad(e, "a NUL in the header");
	r = buf_add(&p->line, data, n);
	if (r == -ENOBUFS)
		return bad(e, "a line is too long");
	if (r < 0)
		return err_nomem(e);
	if (!nl)
		return (ssize_t)n;
	if (p->line.len && p->line.data[p->line.len - 1] == '\r')
		p->line.data[--p->line.len] = '\0';
	r = one_line(p, p->line.data, e);
	buf_clear(&p->line);
	return r < 0 ? r : (ssize_t)n + 1;
}

/* Return: bytes used; *@stop set to the owner's value. */
static size_t take_body(struct response *p, const char *data, size_t len, int *stop)
{
	size_t n = p->until_close ? len : (size_t)MIN(p->left, (uint64_t)len);

	*stop = p->body ? p->body(p->data, data, n) : 0;
	if (p->until_close)
		return n;
	p->left -= n;
	if (!p->left)
		p->state = p->state == RESPONSE_CHUNK ? RESPONSE_CHUNK_END : RESPONSE_DONE;
	return n;
}

int response_feed(struct response *p, const char *data, size_t len, size_t *used, struct err *e)
{
	size_t at = 0;

	*used = 0;
	while (at < len && p->state != RESPONSE_DONE) {
		bool in_head = p->state == RESPONSE_HEAD;

		if (p->state == RESPONSE_BODY || p->state == RESPONSE_CHUNK) {
			int stop;

			at += take_body(p, data + at, len - at, &stop);
			*used = at;
			if (stop)
				return stop;
		} else {
			ssize_t n = take_line(p, data + at, len - at, e);

			if (n < 0)
				return (int)n;
			at += (size_t)n;
			*used = at;
			if (in_head && p->state != RESPONSE_HEAD)
				return 0; /* the head is whole */
		}
	}
	return 0;
}

int response_eof(struct response *p, struct err *e)
{
	if (p->state == RESPONSE_BODY && p->until_close)
		p->state = RESPONSE_DONE;
	if (p->state == RESPONSE_DONE)
		return 0;
	return err_set(e, ERR_INTERNAL, EBADMSG, "the connection ended %s",
		       p->state == RESPONSE_HEAD ? "before the answer" : "within the answer");
}
